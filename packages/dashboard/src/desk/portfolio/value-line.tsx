import { type ReactNode, useEffect, useRef } from 'react'
import UPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { formatCompact } from '../../app/format.js'
import { theme } from '../../app/preferences.js'
import { useStore } from '../../app/store.js'
import type { Values } from './values.js'

const HEIGHT = 120
const AXIS_WIDTH = 62

const colour = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim()

/** Draws values over time. It is a module of its own, so that a page without it loads no plots. */
export default function ValueLine ({ values, label }: {
  readonly values: Values
  readonly label: string
}): ReactNode {
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<UPlot>(null)
  const chosenTheme = useStore(theme)
  useEffect(() => {
    const parent = place.current!
    const grid = { stroke: colour('--line'), width: 1 }
    const axis = { stroke: colour('--faint'), grid, ticks: { show: false } }
    const made = new UPlot({
      width: Math.max(parent.clientWidth, 1),
      height: HEIGHT,
      legend: { show: false },
      cursor: { show: false },
      axes: [axis, { ...axis, size: AXIS_WIDTH, values: (_, splits) => splits.map(formatCompact) }],
      series: [{}, { label, stroke: colour('--accent'), width: 1.5, points: { show: false } }]
    }, [[], []], parent)
    plot.current = made
    const resized = new ResizeObserver(() => {
      made.setSize({ width: Math.max(parent.clientWidth, 1), height: HEIGHT })
    })
    resized.observe(parent)
    return () => {
      resized.disconnect()
      made.destroy()
    }
  }, [label, chosenTheme])
  useEffect(() => {
    plot.current?.setData([[...values.times], [...values.values]])
  }, [values, label, chosenTheme])
  return <div ref={place} className='value-line' role='img' aria-label={label} />
}
