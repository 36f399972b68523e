import type { ColorOf } from '../../app/colors.js'
import type { Column } from './columns.js'

/** Where the scale of prices and the one of times have their room, in CSS pixels. */
const RIGHT = 74
const BOTTOM = 18
/** Of the prices that have levels, how much around the present price is shown. */
const SHOWN_SHARE = 0.06
const TICKS = 5

const numberOf = (decimal: string): number => Number(decimal)

/**
 * Returns the lowest and highest price of the picture: around the newest price, as far as there are levels.
 */
function rangeOf (columns: readonly Column[]): readonly [low: number, high: number] {
  const prices = columns.map(({ data }) => numberOf(data.current_price))
  const center = prices.at(-1)!
  const reach = Math.max(SHOWN_SHARE / 12 * center, ...prices.map(price => Math.abs(price - center) * 1.5))
  const levels = columns.flatMap(({ data: { levels: [...all] } }) => all.map(([price]) => numberOf(price)))
  const furthest = Math.max(reach, ...[0.02, SHOWN_SHARE].map(share => (
    levels.some(price => Math.abs(price - center) > share * center / 2) ? share * center : 0
  )))
  return [center - furthest, center + furthest]
}

/**
 * Draws a heatmap over time: a column for each message, a cell for each level, the fuller the stronger. Longs
 * and bids have the colour of prices that rise, shorts and asks that of prices that fall.
 */
export function drawHeatmap (
  columns: readonly Column[], context: CanvasRenderingContext2D, width: number, height: number, color: ColorOf
): void {
  if (columns.length === 0) return
  const [low, high] = rangeOf(columns)
  const [right, bottom] = [width - RIGHT, height - BOTTOM]
  const y = (price: number): number => (high - price) / (high - low) * bottom
  const columnWidth = right / columns.length
  const most = mostOf(columns, low, high)
  const [rising, falling] = [color('--up'), color('--down')]
  for (const [at, { data }] of columns.entries()) {
    const step = Math.max(1, numberOf(data.price_step) / (high - low) * bottom)
    for (const [price, a, b] of data.levels) {
      const place = numberOf(price)
      if (place < low || place > high) continue
      for (const [density, fill] of [[numberOf(a), rising], [numberOf(b), falling]] as const) {
        if (density === 0) continue
        // The root shows what is thin as well.
        context.globalAlpha = Math.min(1, 0.08 + 0.92 * Math.sqrt(density / most))
        context.fillStyle = fill
        context.fillRect(at * columnWidth, y(place) - step, Math.ceil(columnWidth), Math.ceil(step))
      }
    }
  }
  context.globalAlpha = 1
  drawPrice(columns, context, columnWidth, y, color('--text'))
  drawScales(columns, context, { low, high, right, bottom, y }, color('--faint'))
}

function mostOf (columns: readonly Column[], low: number, high: number): number {
  let most = 0
  for (const { data } of columns) {
    for (const [price, a, b] of data.levels) {
      const place = numberOf(price)
      if (place >= low && place <= high) most = Math.max(most, numberOf(a), numberOf(b))
    }
  }
  return most === 0 ? 1 : most
}

function drawPrice (
  columns: readonly Column[], context: CanvasRenderingContext2D, columnWidth: number,
  y: (price: number) => number, stroke: string
): void {
  context.beginPath()
  for (const [at, { data }] of columns.entries()) {
    context.lineTo((at + 0.5) * columnWidth, y(numberOf(data.current_price)))
  }
  context.strokeStyle = stroke
  context.lineWidth = 1.5
  context.stroke()
}

function drawScales (
  columns: readonly Column[], context: CanvasRenderingContext2D,
  { low, high, right, bottom, y }: {
    readonly low: number
    readonly high: number
    readonly right: number
    readonly bottom: number
    readonly y: (price: number) => number
  },
  fill: string
): void {
  context.fillStyle = fill
  context.font = '11px system-ui, sans-serif'
  context.textBaseline = 'middle'
  const digits = Math.max(0, 4 - Math.ceil(Math.log10(high - low)))
  for (let tick = 1; tick < TICKS; tick++) {
    const price = low + (high - low) * tick / TICKS
    context.fillText(price.toFixed(Math.min(8, digits)), right + 6, y(price))
  }
  context.textBaseline = 'alphabetic'
  const timeOf = ({ data }: Column): string => data.as_of.slice(11, 19)
  context.fillText(timeOf(columns[0]!), 2, bottom + 13)
  context.textAlign = 'right'
  context.fillText(timeOf(columns.at(-1)!), right, bottom + 13)
}
