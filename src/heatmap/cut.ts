import type { Heatmap, HeatmapLevel } from '@tickwire/protocol'

/** What a level counts: its higher density. */
const weightOf = ([, a, b]: HeatmapLevel): number => Math.max(Number(a), Number(b))

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value))

/** A heatmap that fits, and how many bytes of levels were cut for it. */
export interface CutHeatmap {
  readonly data: Heatmap
  readonly cutBytes: number
}

/**
 * Cuts the levels below a threshold, so that the JSON of a heatmap has at most so many bytes. The threshold
 * is as low as that allows; of equal levels, those nearer to the current price stay.
 */
export function cutHeatmap (heatmap: Heatmap, maxBytes: number): CutHeatmap {
  const whole = bytesOf(heatmap)
  if (whole <= maxBytes) return { data: heatmap, cutBytes: 0 }
  const price = Number(heatmap.current_price)
  const distance = ([at]: HeatmapLevel): number => Math.abs(Number(at) - price)
  const byWeight = heatmap.levels.toSorted((one, other) =>
    weightOf(other) - weightOf(one) || distance(one) - distance(other))
  let left = maxBytes - bytesOf({ ...heatmap, levels: [] })
  const kept = new Set<HeatmapLevel>()
  for (const level of byWeight) {
    // Each level has a comma behind it; the last one's is to spare.
    left -= bytesOf(level) + 1
    if (left < 0) break
    kept.add(level)
  }
  const data = { ...heatmap, levels: heatmap.levels.filter(level => kept.has(level)) }
  return { data, cutBytes: whole - bytesOf(data) }
}
