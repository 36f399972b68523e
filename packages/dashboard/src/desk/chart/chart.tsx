import type { ReactNode } from 'react'
import type { BarInterval } from '@tickwire/client/bars'
import { useIsStale } from '../../app/connection.js'
import { groupDigits, arrowOf, formatPercent, signOf } from '../../app/format.js'
import { useUnlessFrozen } from '../../app/freeze.js'
import { keptStore } from '../../app/kept.js'
import { Panel } from '../../app/panel.js'
import { useWords, type Words } from '../../app/preferences.js'
import { useStore } from '../../app/store.js'
import { useQuote } from '@tickwire/client/react'
import { useInstrument } from '../instruments.js'
import { useIsFeedDead } from '../markets/statuses.js'
import { useSelected } from '../selection.js'
import { Candles } from './candles.js'
import { type IndicatorName, INDICATORS } from './indicators.js'
import './chart.css'

const words = {
  en: {
    title: 'Chart',
    empty: 'Choose a symbol.',
    loading: 'Reading the bars…',
    interval: 'Interval',
    indicators: 'Indicators',
    volume: 'Volume',
    sma: 'SMA 20',
    ema: 'EMA 50',
    bollinger: 'Bollinger 20, 2',
    vwap: 'VWAP',
    rsi: 'RSI 14',
    stale: 'feed is dead',
    label: 'Candles of {symbol}',
    by: 'Charts by TradingView'
  },
  ko: {
    title: '차트',
    empty: '종목을 선택하십시오.',
    loading: '봉을 읽는 중…',
    interval: '간격',
    indicators: '지표',
    volume: '거래량',
    sma: 'SMA 20',
    ema: 'EMA 50',
    bollinger: '볼린저 20, 2',
    vwap: 'VWAP',
    rsi: 'RSI 14',
    stale: '시세 중단',
    label: '{symbol} 캔들 차트',
    by: '차트: TradingView'
  }
} satisfies Words<Record<string, string>>

const INTERVALS: readonly BarInterval[] = ['1s', '1m', '5m']

const isInterval = (value: unknown): value is BarInterval => INTERVALS.includes(value as BarInterval)
const areIndicators = (value: unknown): value is readonly IndicatorName[] =>
  Array.isArray(value) && value.every(one => INDICATORS.includes(one))

const interval = keptStore<BarInterval>('chart interval', '1m', isInterval)
const indicators = keptStore<readonly IndicatorName[]>('chart indicators', ['volume', 'sma'], areIndicators)

const decimalsOf = (decimal: string | undefined): number => decimal?.split('.')[1]?.length ?? 0

/** The price of the selected symbol now, and its candles. */
export function ChartPanel (): ReactNode {
  const text = useWords(words)
  const selected = useSelected()
  if (selected === undefined) return <Panel name='chart' title={text.title} empty={text.empty} />
  return <Chart symbol={selected} />
}

function Chart ({ symbol }: { readonly symbol: string }): ReactNode {
  const text = useWords(words)
  const [chosen, shown] = [useStore(interval), useStore(indicators)]
  const isConnectionStale = useIsStale()
  const instrument = useInstrument(symbol)
  const isFeedDead = useIsFeedDead(instrument?.market)
  const quote = useUnlessFrozen(useQuote(symbol))
  const sign = signOf(quote?.change_percent)
  const toggle = (name: IndicatorName): void => {
    indicators.set(shown.includes(name) ? shown.filter(one => one !== name) : [...shown, name])
  }
  const tools = (
    <>
      <span role='group' aria-label={text.interval} className='group'>
        {INTERVALS.map(one => (
          <button
            key={one} type='button' aria-pressed={one === chosen} onClick={() => { interval.set(one) }}
          >
            {one}
          </button>
        ))}
      </span>
      <details className='menu'>
        <summary>{text.indicators}</summary>
        <div className='menu-body'>
          {INDICATORS.map(name => (
            <label key={name} className='check'>
              <input type='checkbox' checked={shown.includes(name)} onChange={() => { toggle(name) }} />
              {text[name]}
            </label>
          ))}
        </div>
      </details>
    </>
  )
  return (
    <Panel name='chart' title={text.title} tools={tools} isStale={isConnectionStale || isFeedDead}>
      <div className='chart'>
        <p className='price-line' data-symbol={symbol}>
          <strong>{symbol}</strong>
          <span className='faint'>{instrument?.name}</span>
          <strong className='price' data-last>{groupDigits(quote?.last ?? quote?.bid)}</strong>
          <span className={sign > 0 ? 'up' : sign < 0 ? 'down' : ''}>
            {arrowOf(sign)} {groupDigits(quote?.change)} ({formatPercent(quote?.change_percent)})
          </span>
          <span className='faint'>{groupDigits(quote?.bid)} / {groupDigits(quote?.ask)}</span>
          {isFeedDead && <span className='problem' data-feed-dead>{text.stale}</span>}
        </p>
        <Candles
          symbol={symbol} interval={chosen} indicators={shown} loading={text.loading}
          decimals={decimalsOf(instrument?.tick_size ?? quote?.last)}
          label={text.label.replace('{symbol}', symbol)}
        />
        <a className='by faint' href='https://www.tradingview.com/' target='_blank' rel='noreferrer noopener'>
          {text.by}
        </a>
      </div>
    </Panel>
  )
}
