import { recorded } from '../helpers/naive-book.js'
import { Choices } from '../helpers/random.js'
import { type Market, type Step, topOf, type VenueTrade } from './market.js'
import { BookHistory, type Level, type Sides, TrueBook } from './true-book.js'
import type { VenueProtocol } from './venue-protocol.js'

type Change = Sides & { readonly trade?: Omit<VenueTrade, 'id'> }
interface Session { readonly snapshot: Sides, readonly changes: Change[] }
type Fields = Readonly<Record<string, unknown>>

/** The part of a session, at its end, in which no run begins. */
const LAST_PART = 0.3

/** What a recording says of one symbol, from its snapshot on, as a market that goes on frame by frame. */
class RecordedMarket implements Market {
  readonly book = new TrueBook()
  readonly history: BookHistory
  readonly bestTen: BookHistory
  readonly trades: VenueTrade[] = []
  readonly tops = new Set<string>()
  readonly priceDecimals: number
  readonly sizeDecimals: number
  sequence = 1
  private next: number

  /** @param from how many changes have happened before it begins */
  constructor (
    readonly symbol: string, private readonly session: Session, from: number, depth = Infinity
  ) {
    const decimals = (text = ''): number => text.split('.')[1]?.length ?? 0
    const [level] = session.snapshot.bids
    this.priceDecimals = decimals(level?.[0])
    this.sizeDecimals = decimals(level?.[1])
    this.history = new BookHistory(depth)
    this.bestTen = new BookHistory(Math.min(10, depth))
    this.book.replace(session.snapshot)
    this.next = 0
    while (this.next < from) this.apply()
    this.note()
  }

  step (): Step | undefined {
    const first = this.sequence + 1
    const trades = this.trades.length
    const change = this.apply()
    if (change === undefined) return undefined
    this.note()
    const { bids, asks } = change
    return { bids, asks, first, last: this.sequence, trades: this.trades.slice(trades) }
  }

  private apply (): Change | undefined {
    const change = this.session.changes[this.next++]
    if (change === undefined) return undefined
    for (const name of ['bids', 'asks'] as const) for (const level of change[name]) this.book.set(name, level)
    if (change.trade !== undefined) {
      const time = Math.max(change.trade.time, (this.trades.at(-1)?.time ?? 0) + 1)
      this.trades.push({ ...change.trade, time, id: this.trades.length + 1 })
    }
    this.sequence += Math.max(1, change.bids.length + change.asks.length)
    return change
  }

  private note (): void {
    this.history.note(this.book)
    this.bestTen.note(this.book)
    this.tops.add(topOf(this.book))
  }
}

/** Takes a level's price and size, without what follows them. */
const levels = (list: unknown): Level[] =>
  (list as string[][] | undefined ?? []).map(([price, size]): Level => [price!, size!])

/** Reads one frame: whose, and what it says. */
type Read = (text: string, address: string) =>
  { symbol: string, snapshot?: Sides, change?: Change, after?: number } | undefined

const readKraken: Read = text => {
  const frame = JSON.parse(text) as unknown
  if (!Array.isArray(frame)) return undefined
  const parts = Object.assign({}, ...frame.slice(1, -2) as object[]) as Fields
  const symbol = String(frame.at(-1)).replace('XBT', 'BTC').replace('/', '-')
  return 'as' in parts
    ? { symbol, snapshot: { bids: levels(parts['bs']), asks: levels(parts['as']) } }
    : { symbol, change: { bids: levels(parts['b']), asks: levels(parts['a']) } }
}

const readCoinbase: Read = text => {
  const frame = JSON.parse(text) as Fields
  const symbol = String(frame['product_id'])
  if (frame['type'] === 'snapshot') {
    return { symbol, snapshot: { bids: levels(frame['bids']), asks: levels(frame['asks']) } }
  }
  if (frame['type'] === 'l2update') {
    const side = (name: string): Level[] => levels((frame['changes'] as string[][])
      .filter(([side]) => side === name).map(change => change.slice(1)))
    return { symbol, change: { bids: side('buy'), asks: side('sell') } }
  }
  if (frame['type'] !== 'match') return undefined
  const { price, size, time, side } = frame as Readonly<Record<string, string>>
  const trade = { price: price!, size: size!, side: side === 'sell' ? 'buy' : 'sell', time: Date.parse(time!) * 1000 } as const
  return { symbol, change: { bids: [], asks: [], trade } }
}

const dashed = (pair: string): string => pair.replace(/(USDT|ETH|BTC|EUR)$/, '-$1')

const readBinance: Read = (text, address) => {
  const frame = JSON.parse(text) as Fields
  const asked = /symbol=(\w+)/.exec(address)?.[1]
  if (asked !== undefined) {
    const snapshot = { bids: levels(frame['bids']), asks: levels(frame['asks']) }
    return { symbol: dashed(asked), snapshot, after: frame['lastUpdateId'] as number }
  }
  const event = frame['data'] as Fields
  if (event['e'] !== 'depthUpdate') return undefined
  const change = { bids: levels(event['b']), asks: levels(event['a']) }
  return { symbol: dashed(String(event['s'])), change, after: event['u'] as number }
}

const recordings: Readonly<Record<string, { readonly files: readonly string[], readonly read: Read }>> = {
  kraken: { files: ['kraken-book-ws.txt'], read: readKraken },
  coinbase: { files: ['coinbase-ws.txt'], read: readCoinbase },
  // The answers first: what an answer has is left out of what follows.
  binance: { files: ['binance-depth-http.txt', 'binance-ws.txt'], read: readBinance }
}

/** The venues of which there is a recording. */
export const recordedVenues: readonly string[] = Object.keys(recordings)

/**
 * Makes the markets of a recorded session, each from a place in it that the seed decides. `RECORDINGS` is the
 * folder of the recordings.
 */
export function recordedMarkets (
  { name, pairOf }: Pick<VenueProtocol, 'name' | 'pairOf'>, seed: number, depth?: number
): Map<string, Market> {
  const { files, read } = recordings[name]!
  const sessions = new Map<string, Session & { readonly after: number }>()
  for (const { text, address } of files.flatMap(recorded)) {
    const found = read(text, address)
    if (found === undefined) continue
    const { symbol, snapshot, change, after = 1 } = found
    const session = sessions.get(symbol)
    if (snapshot !== undefined) sessions.set(symbol, { snapshot, changes: [], after })
    else if (session !== undefined && change !== undefined && (name !== 'binance' || after > session.after)) {
      session.changes.push(change)
    }
  }
  const choices = new Choices(seed)
  return new Map([...sessions].map(([symbol, session]) => {
    const from = Math.floor(choices.next() * (1 - LAST_PART) * session.changes.length)
    return [pairOf(symbol), new RecordedMarket(symbol, session, from, depth)]
  }))
}
