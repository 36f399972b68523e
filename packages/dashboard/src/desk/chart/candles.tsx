import { type ReactNode, useEffect, useRef, useState } from 'react'
import { type BarInterval, type BarsView, openBars } from '@tickwire/client/bars'
import { useClient } from '@tickwire/client/react'
import { currentColors, onColorsChange } from '../../app/colors.js'
import { frozen } from '../../app/freeze.js'
import type { ChartColors, ChartView } from './chart-view.js'
import type { IndicatorName } from './indicators.js'

const HISTORY = 500

function colorsNow (): ChartColors {
  const color = currentColors()
  return {
    paper: color('--card'),
    line: color('--line'),
    text: color('--faint'),
    up: color('--up'),
    down: color('--down'),
    accents: ['--accent', '--wait', '--blue', '--faint', '--text'].map(color)
  }
}

/** The candles of a symbol. The library that draws them is loaded when the first chart is shown. */
export function Candles ({ symbol, interval, indicators, decimals, label, loading }: {
  readonly symbol: string
  readonly interval: BarInterval
  readonly indicators: readonly IndicatorName[]
  readonly decimals: number
  readonly label: string
  readonly loading: string
}): ReactNode {
  const client = useClient()
  const box = useRef<HTMLDivElement>(null)
  const [view, setView] = useState<ChartView>()
  const [problem, setProblem] = useState<string>()
  const bars = useRef<BarsView>(undefined)
  useEffect(() => {
    let made: ChartView | undefined
    let isClosed = false
    const onOldest = (): void => { void bars.current?.older().catch(() => {}) }
    void import('./chart-view.js').then(({ ChartView }) => {
      if (isClosed) return
      made = new ChartView(box.current!, colorsNow(), onOldest)
      setView(made)
    }, error => { setProblem(String(error)) })
    return () => {
      isClosed = true
      made?.close()
      setView(undefined)
    }
  }, [])
  useEffect(() => {
    if (view === undefined) return
    return onColorsChange(() => { view.recolor(colorsNow()) })
  }, [view])
  useEffect(() => { view?.setDecimals(decimals) }, [view, decimals])
  useEffect(() => { view?.show(indicators) }, [view, indicators])
  useEffect(() => {
    if (view === undefined) return
    const opened = bars.current = openBars(client, symbol, interval, { limit: HISTORY })
    let frame: number | undefined
    const draw = (): void => {
      frame = undefined
      setProblem(opened.error() ?? (opened.loading() ? loading : undefined))
      if (frozen.get()) return
      view.setBars(opened.bars())
      const last = opened.bars().at(-1)
      const { dataset } = box.current!
      dataset['bars'] = String(view.count)
      dataset['close'] = last?.close ?? ''
      dataset['revision'] = String(last?.revision ?? 0)
    }
    const soon = (): void => { frame ??= requestAnimationFrame(draw) }
    soon()
    const stops = [opened.onChange(soon), frozen.subscribe(soon)]
    return () => {
      if (frame !== undefined) cancelAnimationFrame(frame)
      for (const stop of stops) stop()
      opened.close()
      view.setBars([])
    }
  }, [view, client, symbol, interval, loading])
  return (
    <div className='candles'>
      <div
        ref={box} className='canvas-box' role='img' aria-label={label} data-chart={`${symbol} ${interval}`}
      />
      {problem !== undefined && <p className='empty' role='status'>{problem}</p>}
    </div>
  )
}
