import { type ReactNode, useCallback } from 'react'
import type { Level } from '@tickwire/client/book'
import { Canvas } from '../../app/canvas.js'
import type { ColorOf } from '../../app/colors.js'
import { formatCompact } from '../../app/format.js'

/** A price, and the size from the best price up to it. */
type Point = readonly [price: number, total: number]

function accumulate (levels: readonly Level[]): readonly Point[] {
  let total = 0
  return levels.map(([price, size]) => {
    total += Number(size)
    return [Number(price), total] as const
  })
}

/** Draws the size up to each price, for those who ask how far an order would move the price. */
export function DepthChart ({ bids, asks, label }: {
  readonly bids: readonly Level[]
  readonly asks: readonly Level[]
  readonly label: string
}): ReactNode {
  const draw = useCallback((
    context: CanvasRenderingContext2D, width: number, height: number, color: ColorOf
  ) => {
    const [below, above] = [accumulate(bids), accumulate(asks)]
    const prices = [...below, ...above].map(([price]) => price)
    const most = Math.max(below.at(-1)?.[1] ?? 0, above.at(-1)?.[1] ?? 0)
    if (prices.length === 0 || most === 0) return
    const [low, high] = [Math.min(...prices), Math.max(...prices)]
    const bottom = height - 18
    const x = (price: number): number => (price - low) / (high - low || 1) * width
    const y = (total: number): number => bottom - total / most * (bottom - 16)
    const area = (points: readonly Point[], line: string, fill: string): void => {
      const [first] = points
      const last = points.at(-1)
      if (first === undefined || last === undefined) return
      context.beginPath()
      context.moveTo(x(first[0]), bottom)
      let before = bottom
      for (const [price, total] of points) {
        context.lineTo(x(price), before)
        context.lineTo(x(price), before = y(total))
      }
      context.strokeStyle = line
      context.lineWidth = 1.5
      context.stroke()
      context.lineTo(x(last[0]), bottom)
      context.closePath()
      context.fillStyle = fill
      context.fill()
    }
    area(below, color('--up'), color('--up-wash'))
    area(above, color('--down'), color('--down-wash'))
    context.fillStyle = color('--faint')
    context.font = '11px system-ui, sans-serif'
    context.fillText(String(low), 4, height - 5)
    context.textAlign = 'right'
    context.fillText(String(high), width - 4, height - 5)
    context.fillText(formatCompact(most), width - 4, 12)
  }, [bids, asks])
  return <Canvas draw={draw} label={label} />
}
