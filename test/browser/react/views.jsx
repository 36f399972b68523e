// Components with one hook each, which show its value as text. They run in a page, and in Node for SSR.
import {
  useBars, useBook, useConnection, useOrders, usePortfolio, useQuote, useQuotes, useTopic, useTrades
} from '@tickwire/client/react'

/** By name, when a component was rendered: the time of the frame, the same for all that happens in it. */
export const renders = {}

function rendered (name) {
  const frame = typeof document === 'object' ? document.timeline.currentTime : 0;
  (renders[name] ??= []).push(frame)
}

const Text = ({ id, value }) => <p id={id}>{JSON.stringify(value ?? null)}</p>

export function Quote ({ symbol }) {
  const quote = useQuote(symbol)
  rendered(symbol)
  return <Text id={symbol} value={quote?.bid} />
}

export const Quotes = ({ symbols }) => (
  <Text id='quotes' value={[...useQuotes(symbols)].map(([symbol, { bid }]) => [symbol, bid])} />
)

export const Topic = ({ symbol }) => <Text id='topic' value={useTopic('trades', symbol)?.sequence} />

export const Trades = ({ id = 'trades', ...options }) => (
  <Text id={id} value={useTrades('A', options).map(({ sequence }) => sequence)} />
)

export function Book ({ depth }) {
  const book = useBook('A', depth === undefined ? {} : { depth })
  return <Text id='book' value={book && [book.bids, book.asks, book.stale]} />
}

export const Bars = () => <Text id='bars' value={useBars('A', '1m').map(({ close }) => close)} />

export const Portfolio = () => <Text id='portfolio' value={usePortfolio()?.cash} />

export const Connection = () => <Text id='connection' value={useConnection().name} />

export const Orders = () => (
  <Text id='orders' value={useOrders().map(({ client_order_id: id, status }) => `${id} ${status}`)} />
)

export const All = () => (
  <>
    <Quote symbol='A' /><Quotes symbols={['A']} /><Topic symbol='A' /><Trades /><Book /><Bars /><Portfolio />
    <Connection /><Orders />
  </>
)
