import { type ReactNode, useEffect, useRef } from 'react'
import type uPlot from 'uplot'
import { currentColors, onColorsChange } from './colors.js'
import 'uplot/dist/uPlot.min.css'
import './plot.css'

export interface PlotLine {
  readonly label: string
  /** The variable of its colour in the styles. */
  readonly color: string
}

export interface PlotProps {
  /** Seconds since 1970, rising. */
  readonly times: readonly number[]
  /** Of each line a value for each time; null: there is none. */
  readonly values: ReadonlyArray<ReadonlyArray<number | null>>
  readonly lines: readonly PlotLine[]
  /** What the plot shows, for those who do not see it. */
  readonly label: string
}

const LEGEND_PX = 26

const sizeOf = ({ clientWidth, clientHeight }: HTMLElement): { width: number, height: number } =>
  ({ width: clientWidth, height: clientHeight - LEGEND_PX })

function optionsOf (lines: readonly PlotLine[], width: number, height: number): uPlot.Options {
  // Asked for with each drawing: the theme may have changed.
  const now = (variable: string) => (): string => currentColors()(variable)
  const axis = { stroke: now('--faint'), grid: { stroke: now('--line'), width: 1 } }
  return {
    width,
    height,
    series: [{}, ...lines.map(({ label, color }) => ({ label, stroke: now(color), width: 1.5 }))],
    axes: [axis, { ...axis, size: 62 }],
    legend: { live: false },
    cursor: { drag: { x: false, y: false } }
  }
}

/** Lines over time. The library that draws them is loaded with the first plot. */
export function Plot ({ times, values, lines, label }: PlotProps): ReactNode {
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(undefined)
  const data = useRef<uPlot.AlignedData>([[]])
  useEffect(() => {
    data.current = [[...times], ...values.map(line => [...line])]
    plot.current?.setData(data.current)
  }, [times, values])
  const names = JSON.stringify(lines)
  useEffect(() => {
    let isClosed = false
    const element = box.current!
    const sizes = new ResizeObserver(() => {
      plot.current?.setSize(sizeOf(element))
    })
    const stop = onColorsChange(() => { plot.current?.redraw() })
    void import('uplot').then(({ default: Plotter }) => {
      if (isClosed) return
      const { width, height } = sizeOf(element)
      const options = optionsOf(JSON.parse(names) as PlotLine[], width, height)
      plot.current = new Plotter(options, data.current, element)
      sizes.observe(element)
    })
    return () => {
      isClosed = true
      sizes.disconnect()
      stop()
      plot.current?.destroy()
      plot.current = undefined
    }
  }, [names])
  return <div ref={box} className='plot' role='img' aria-label={label} />
}
