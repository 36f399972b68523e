import type { Bar } from '@tickwire/protocol'
import {
  CandlestickSeries, ColorType, createChart, HistogramSeries, type IChartApi, type ISeriesApi, LineSeries,
  type LineData, type UTCTimestamp, type WhitespaceData
} from 'lightweight-charts'
import { below, type Indicator, type IndicatorName, overlays } from './indicators.js'

/** Where the reader has come so near to the oldest bar, older ones are read. */
const OLDER_AT = 10
/** The share of the height that volumes take. */
const VOLUME_SHARE = 0.82

const timeOf = ({ start }: Bar): UTCTimestamp => Date.parse(start) / 1000 as UTCTimestamp

const candleOf = (bar: Bar) => ({
  time: timeOf(bar),
  open: Number(bar.open),
  high: Number(bar.high),
  low: Number(bar.low),
  close: Number(bar.close)
})

type LinePoint = LineData | WhitespaceData

export interface ChartColors {
  readonly paper: string
  readonly line: string
  readonly text: string
  readonly up: string
  readonly down: string
  readonly accents: readonly string[]
}

/** Candles with volumes and indicators. The library needs numbers: it draws prices, and says none exactly. */
export class ChartView {
  readonly #chart: IChartApi
  readonly #candles: ISeriesApi<'Candlestick'>
  readonly #volumes: ISeriesApi<'Histogram'>
  readonly #lines = new Map<IndicatorName, Array<ISeriesApi<'Line'>>>()
  #bars: readonly Bar[] = []
  #shown: readonly IndicatorName[] = []
  #colors: ChartColors
  #isClosed = false

  /** @param onOldest called when the reader comes near to the oldest bar */
  constructor (element: HTMLElement, colors: ChartColors, onOldest: () => void) {
    this.#colors = colors
    this.#chart = createChart(element, {
      autoSize: true,
      // The logo brings an inline style, which the server's policy forbids; a link stands for it.
      layout: { attributionLogo: false },
      timeScale: { timeVisible: true, secondsVisible: true, rightOffset: 4 },
      localization: { timeFormatter: (time: number) => new Date(time * 1000).toLocaleString() }
    })
    this.#candles = this.#chart.addSeries(CandlestickSeries)
    this.#volumes = this.#chart.addSeries(HistogramSeries, {
      priceScaleId: 'volume',
      priceFormat: { type: 'volume' },
      lastValueVisible: false,
      priceLineVisible: false
    })
    this.#volumes.priceScale().applyOptions({ scaleMargins: { top: VOLUME_SHARE, bottom: 0 } })
    this.#chart.timeScale().subscribeVisibleLogicalRangeChange(range => {
      if (range !== null && range.from < OLDER_AT && this.#bars.length > 0) onOldest()
    })
    this.recolor(colors)
  }

  recolor (colors: ChartColors): void {
    this.#colors = colors
    const { paper, line, text, up, down } = colors
    this.#chart.applyOptions({
      layout: { background: { type: ColorType.Solid, color: paper }, textColor: text },
      grid: { vertLines: { color: line }, horzLines: { color: line } },
      rightPriceScale: { borderColor: line },
      timeScale: { borderColor: line }
    })
    this.#candles.applyOptions({
      upColor: up, downColor: down, wickUpColor: up, wickDownColor: down, borderVisible: false
    })
    this.show(this.#shown, true)
  }

  /** @param decimals how many a price has */
  setDecimals (decimals: number): void {
    const priceFormat = { type: 'price', precision: decimals, minMove: 10 ** -decimals } as const
    this.#candles.applyOptions({ priceFormat })
  }

  /** Shows bars, oldest first. What was shown before and is the same is not drawn again. */
  setBars (bars: readonly Bar[]): void {
    if (this.#isClosed) return
    const before = this.#bars
    this.#bars = bars
    const begins = before[0]?.start
    const isContinued = begins !== undefined && bars[0]?.start === begins && bars.length >= before.length
    if (isContinued) {
      for (const [at, bar] of bars.entries()) {
        if (bar === before[at]) continue
        if (at < before.length && before[at]!.start !== bar.start) return this.#redraw()
        // An amended bar stands before the last one.
        const isAmended = at < before.length - 1
        this.#candles.update(candleOf(bar), isAmended)
        if (this.#shown.includes('volume')) this.#volumes.update(this.#volumeOf(bar), isAmended)
      }
      this.#drawIndicators()
    } else this.#redraw()
  }

  /** Shows these indicators, and no others. */
  show (names: readonly IndicatorName[], isRecolored = false): void {
    for (const [name, lines] of this.#lines) {
      if (names.includes(name) && !isRecolored) continue
      for (const line of lines) this.#chart.removeSeries(line)
      this.#lines.delete(name)
    }
    this.#shown = names
    this.#drawVolumes()
    this.#drawIndicators()
  }

  /** How many bars are shown. */
  get count (): number {
    return this.#candles.data().length
  }

  close (): void {
    this.#isClosed = true
    this.#chart.remove()
  }

  #redraw (): void {
    this.#candles.setData(this.#bars.map(candleOf))
    this.#drawVolumes()
    this.#drawIndicators()
  }

  #volumeOf (bar: Bar) {
    const { up, down } = this.#colors
    const color = `${Number(bar.close) >= Number(bar.open) ? up : down}80`
    return { time: timeOf(bar), value: Number(bar.volume), color }
  }

  #drawVolumes (): void {
    this.#volumes.setData(this.#shown.includes('volume') ? this.#bars.map(bar => this.#volumeOf(bar)) : [])
  }

  #drawIndicators (): void {
    for (const name of this.#shown) {
      const isBelow = name in below
      const indicator = ({ ...overlays, ...below } as Partial<Record<IndicatorName, Indicator>>)[name]
      if (indicator === undefined) continue
      const lines = indicator(this.#bars)
      let series = this.#lines.get(name)
      if (series === undefined) {
        const { accents } = this.#colors
        const color = accents[Object.keys({ ...overlays, ...below }).indexOf(name) % accents.length]!
        const options = { color, lineWidth: 1, priceLineVisible: false, lastValueVisible: isBelow } as const
        series = lines.map(() =>
          this.#chart.addSeries(LineSeries, options, isBelow ? 1 : 0))
        this.#lines.set(name, series)
      }
      for (const [at, line] of lines.entries()) {
        series[at]!.setData(this.#bars.map((bar, place): LinePoint => {
          const value = line[place]
          return value === undefined ? { time: timeOf(bar) } : { time: timeOf(bar), value }
        }))
      }
    }
  }
}
