import type { Bar } from '@tickwire/protocol'

/** A value for each bar; undefined where too few bars came before. */
export type Line = ReadonlyArray<number | undefined>
export type Indicator = (bars: readonly Bar[]) => readonly Line[]

const closes = (bars: readonly Bar[]): readonly number[] => bars.map(({ close }) => Number(close))

/** The mean of the last `length` values. */
function mean (values: readonly number[], length: number): Line {
  let sum = 0
  return values.map((value, at) => {
    sum += value - (at >= length ? values[at - length]! : 0)
    return at < length - 1 ? undefined : sum / length
  })
}

/** The mean that weighs each value by 2 / (length + 1), begun with the mean of the first values. */
function exponentialMean (values: readonly number[], length: number): Line {
  const weight = 2 / (length + 1)
  let [sum, last] = [0, 0]
  return values.map((value, at) => {
    if (at < length) sum += value
    if (at < length - 1) return undefined
    last = at === length - 1 ? sum / length : last + weight * (value - last)
    return last
  })
}

/** The mean, and lines so many standard deviations above and below it. */
function bands (values: readonly number[], length: number, deviations: number): readonly Line[] {
  const middle = mean(values, length)
  const spread = values.map((_, at) => {
    const center = middle[at]
    if (center === undefined) return undefined
    const part = values.slice(at - length + 1, at + 1)
    return deviations * Math.sqrt(part.reduce((sum, value) => sum + (value - center) ** 2, 0) / length)
  })
  const line = (sign: number): Line =>
    middle.map((center, at) => center === undefined ? undefined : center + sign * spread[at]!)
  return [line(1), middle, line(-1)]
}

/** Wilder's relative strength: 100 where only rises were, 0 where only falls were. */
function relativeStrength (values: readonly number[], length: number): Line {
  let [rise, fall] = [0, 0]
  return values.map((value, at) => {
    if (at === 0) return undefined
    const change = value - values[at - 1]!
    const [up, down] = [Math.max(0, change), Math.max(0, -change)]
    // The first value is the mean; each later one moves it by its share.
    rise += (at <= length ? up : up - rise) / length
    fall += (at <= length ? down : down - fall) / length
    if (at < length) return undefined
    return rise + fall === 0 ? 50 : 100 * rise / (rise + fall)
  })
}

/** The price of all shares traded since the first bar, by volume. */
function volumeWeighted (bars: readonly Bar[]): Line {
  let [value, volume] = [0, 0]
  return bars.map(bar => {
    value += Number(bar.vwap) * Number(bar.volume)
    volume += Number(bar.volume)
    return volume === 0 ? undefined : value / volume
  })
}

/** The indicators that can be shown over the candles. */
export const overlays = {
  sma: bars => [mean(closes(bars), 20)],
  ema: bars => [exponentialMean(closes(bars), 50)],
  bollinger: bars => bands(closes(bars), 20, 2),
  vwap: bars => [volumeWeighted(bars)]
} satisfies Record<string, Indicator>

/** The indicators that have a place of their own. */
export const below = {
  rsi: bars => [relativeStrength(closes(bars), 14)]
} satisfies Record<string, Indicator>

export type IndicatorName = keyof typeof overlays | keyof typeof below | 'volume'
export const INDICATORS: readonly IndicatorName[] = ['volume', 'sma', 'ema', 'bollinger', 'vwap', 'rsi']
