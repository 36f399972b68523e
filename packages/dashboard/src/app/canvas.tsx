import { type ReactNode, useEffect, useRef } from 'react'

/** Colours by the name of their variable in the styles, such as `--up`. */
export type ColorOf = (variable: string) => string

/** Draws in CSS pixels; the canvas is empty. */
export type Draw = (context: CanvasRenderingContext2D, width: number, height: number, color: ColorOf) => void

/**
 * A drawing that fills its box. It is drawn again when it renders, when the box changes its size, and when
 * the colours change.
 * @param label what it shows, for those who do not see it
 */
export function Canvas ({ draw, label }: { readonly draw: Draw, readonly label: string }): ReactNode {
  const canvas = useRef<HTMLCanvasElement>(null)
  const newest = useRef(draw)
  useEffect(() => {
    newest.current = draw
    paint(canvas.current!, draw)
  }, [draw])
  useEffect(() => {
    const element = canvas.current!
    const again = (): void => { paint(element, newest.current) }
    const resizes = new ResizeObserver(again)
    resizes.observe(element)
    const colours = new MutationObserver(again)
    colours.observe(document.documentElement, { attributeFilter: ['data-theme', 'lang'] })
    return () => {
      resizes.disconnect()
      colours.disconnect()
    }
  }, [])
  return (
    <div className='canvas-box'>
      <canvas ref={canvas} className='canvas' role='img' aria-label={label} />
    </div>
  )
}

function paint (canvas: HTMLCanvasElement, draw: Draw): void {
  const { clientWidth: width, clientHeight: height } = canvas
  const context = canvas.getContext('2d')
  if (context === null || width === 0 || height === 0) return
  const scale = devicePixelRatio
  canvas.width = Math.round(width * scale)
  canvas.height = Math.round(height * scale)
  context.scale(scale, scale)
  const style = getComputedStyle(document.documentElement)
  draw(context, width, height, variable => {
    const value = style.getPropertyValue(variable).trim()
    const other = /^var\((--[a-z-]+)\)$/.exec(value)
    return other === null ? value : style.getPropertyValue(other[1]!).trim()
  })
}
