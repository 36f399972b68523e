// The page of `npm run bench -- page`: a component for each symbol, and a listener of every trade.
import { memo } from 'react'
import { createRoot } from 'react-dom/client'
import { TickwireClient } from '@tickwire/client'
import { TickwireProvider, useQuote } from '@tickwire/client/react'

const counts = {
  renders: 0,
  /** Of a component that had one in the same frame. */
  twice: 0,
  /** With nothing to show that was not shown before. */
  needless: 0,
  trades: 0,
  tradesLost: 0,
  tradesTwice: 0,
  resets: 0,
  frames: 0,
  longTasks: 0,
  /** Milliseconds. */
  longestTask: 0
}
/** Milliseconds from the server's publishing to the listener, of trades. */
let waited = []
const lastFrame = new Map()
const lastShown = new Map()
const lastTrade = new Map()

const Quote = memo(function Quote ({ symbol }) {
  const quote = useQuote(symbol)
  const frame = document.timeline.currentTime
  counts.renders++
  if (lastFrame.get(symbol) === frame) counts.twice++
  if (quote !== undefined && lastShown.get(symbol) === quote) counts.needless++
  lastFrame.set(symbol, frame)
  lastShown.set(symbol, quote)
  return <span style={CELL}>{quote?.bid}</span>
})

function hearTrade ({ symbol, sequence, timestamp }) {
  const last = lastTrade.get(symbol)
  counts.trades++
  if (last !== undefined && sequence <= last) counts.tradesTwice++
  if (last !== undefined && sequence > last + 1) counts.tradesLost += sequence - last - 1
  lastTrade.set(symbol, sequence)
  waited.push(Date.now() - Date.parse(timestamp))
}

function frame () {
  counts.frames++
  window.requestAnimationFrame(frame)
}

/** As in any table of prices: no cell moves another. */
const CELL = { display: 'inline-block', width: '6em', height: '1.2em', contain: 'strict' }

let client
let messagesBefore = 0

export function open (symbols) {
  new PerformanceObserver(list => {
    for (const { duration } of list.getEntries()) {
      counts.longTasks++
      counts.longestTask = Math.max(counts.longestTask, duration)
    }
  }).observe({ entryTypes: ['longtask'] })
  client = new TickwireClient({ url: window.location.origin })
  const trades = client.subscribe('trades', ['*'])
  trades.onMessage(hearTrade)
  trades.onReset(() => { counts.resets++ })
  document.body.innerHTML = ''
  createRoot(document.body.appendChild(document.createElement('div'))).render(
    <TickwireProvider client={client}>
      {symbols.map(symbol => <Quote key={symbol} symbol={symbol} />)}
    </TickwireProvider>
  )
  window.requestAnimationFrame(frame)
}

/** How many symbols show a quote. */
export const shown = () => [...lastShown.values()].filter(quote => quote !== undefined).length

/** What was counted since this was asked last. */
export function take () {
  const { messages } = client.inspect()
  const taken = { ...counts, waited, messages: messages - messagesBefore, state: client.state.name }
  messagesBefore = messages
  for (const name of Object.keys(counts)) counts[name] = 0
  waited = []
  return taken
}
