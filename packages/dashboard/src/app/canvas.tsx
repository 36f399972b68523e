import { type ReactNode, useEffect, useRef } from 'react'
import { type ColorOf, currentColors, onColorsChange } from './colors.js'

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
    const stop = onColorsChange(again)
    return () => {
      resizes.disconnect()
      stop()
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
  draw(context, width, height, currentColors())
}
