import { test } from 'tap'
import type { BookEvent, Change } from '../../src/book/book-event.js'
import { binanceDepth, binanceSnapshot } from '../../src/book/binance/frames.js'
import { JoinedBook } from '../../src/book/binance/joined-book.js'
import { Books } from '../../src/book/books.js'
import { coinbaseLevel2 } from '../../src/book/coinbase/frames.js'
import { createKrakenChecksum } from '../../src/book/kraken/checksum.js'
import { krakenV1 } from '../../src/book/kraken/frames.js'
import { type EventTaker, VenueBook } from '../../src/book/venue-book.js'
import { Follower, type NaiveBook, needsRecordings, recorded } from '../helpers/naive-book.js'
import { Choices } from '../helpers/random.js'

/**
 * One frame of a recorded session is taken out, doubled, or swapped with the next of its book. A book that
 * had a fault gets a snapshot, as its venue had it, after some frames.
 */

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 200)
/** How many frames of its book are looked at one by one after the harm, and then one of so many. */
const CLOSELY = 25
/** How many frames of its book the snapshot takes. */
const RESYNC_AFTER = 5

interface Session {
  readonly name: string
  readonly events: readonly BookEvent[]
  readonly open: (symbol: string) => EventTaker
  /** Whether the venue lets one know of every frame that is missing. */
  readonly numbered: boolean
  /** The messages of the session as it is, by symbol. */
  readonly messages: ReadonlyMap<string, readonly string[]>
}

function session (name: string, events: readonly BookEvent[], open: Session['open'], numbered: boolean): Session {
  const messages = new Map<string, string[]>()
  for (const message of new Books(open).take(events)) {
    const list = messages.get(message.symbol) ?? []
    messages.set(message.symbol, list)
    list.push(JSON.stringify(message))
  }
  return { name, events, open, numbered, messages }
}

function sessions (): Session[] {
  const parsed = (file: string): Array<{ time: number, address: string, frame: Record<string, unknown> }> =>
    recorded(file).map(({ time, address, text }) =>
      ({ time, address, frame: JSON.parse(text) as Record<string, unknown> }))
  const binance = [...parsed('binance-ws.txt'), ...parsed('binance-depth-http.txt')].sort((a, b) => a.time - b.time).flatMap(({ address, frame }) => {
    const symbol = /symbol=(\w+)/.exec(address)?.[1]
    return symbol === undefined ? binanceDepth(frame['data']) : [binanceSnapshot(symbol, frame)]
  })
  return [
    session('binance', binance, symbol => new JoinedBook({ symbol }), true),
    session('kraken', parsed('kraken-book-ws.txt').flatMap(({ frame }) => krakenV1(frame)), symbol => new VenueBook({ symbol, depth: 1000, checksumOf: createKrakenChecksum() }), false),
    session('coinbase', parsed('coinbase-ws.txt').flatMap(({ frame }) => coinbaseLevel2(frame)), symbol => new VenueBook({ symbol }), false)
  ]
}

const harms = ['taken out', 'doubled', 'swapped'] as const
type Harm = typeof harms[number]

/** What arrives in the place of an event that the venue sent. */
interface Step {
  readonly sent?: BookEvent
  readonly come: readonly BookEvent[]
}

/** The events as they arrive, each beside the one that came in its place from the venue. */
function harmed (events: readonly BookEvent[], at: number, harm: Harm): Step[] {
  const steps = events.map(event => ({ sent: event, come: [event] }))
  const { symbol } = events[at]!
  if (harm === 'taken out') steps[at]!.come = []
  if (harm === 'doubled') steps[at]!.come = [events[at]!, events[at]!]
  const next = events.findIndex((event, index) => index > at && event.symbol === symbol)
  if (harm === 'swapped' && next > 0) [steps[at]!.come, steps[next]!.come] = [[events[next]!], [events[at]!]]
  return steps
}

interface Outcome { stale: number, silent: boolean, isLast: boolean }

/** Plays a session with one frame harmed. @throws Error where a follower has what it must not have */
function play ({ events, open, numbered, messages, name }: Session, at: number, harm: Harm): Outcome {
  const { symbol } = events[at]!
  const books = new Books(open)
  const venue = new Books(open)
  const [follower, truth] = [new Follower(), new Follower()]
  const others = new Map<string, number>()
  let [stale, waited, last, count, since] = [0, 0, 0, 0, 0]
  const isTop = (a: NaiveBook, b: NaiveBook): boolean =>
    JSON.stringify(a.levels(10)) === JSON.stringify(b.levels(10))
  // Until the harm there is nothing to see. After it each frame is looked at, and then some.
  const isLooked = (): boolean => since > 0 && (since < CLOSELY || since % CLOSELY === 0)
  const take = (list: readonly BookEvent[]): void => {
    for (const message of books.take(list)) {
      if (message.symbol !== symbol) {
        const index = others.get(message.symbol) ?? 0
        others.set(message.symbol, index + 1)
        if (messages.get(message.symbol)![index] !== JSON.stringify(message)) throw new Error(`${message.symbol} is disturbed`)
        continue
      }
      follower.take(message)
      if (message.data.stale === true) stale++
      const { checksum } = message.data
      if (name === 'kraken' && isLooked() && checksum !== undefined && createKrakenChecksum()(follower.book.levels(10) as never) !== Number(checksum)) throw new Error('a wrong checksum')
    }
  }
  const swapEnds = harm === 'swapped' ? events.findIndex((event, index) => index > at && event.symbol === symbol) : at
  for (const [index, { sent, come }] of harmed(events, at, harm).entries()) {
    if (sent!.symbol === symbol) {
      for (const message of venue.take([sent!])) truth.take(message)
      last = (sent as Change).last ?? last
      count++
      if (index >= at) since++
    }
    take(come)
    if (sent!.symbol !== symbol) continue
    // Until its next message nobody can know. Without numbers, the one that came too late may look like the
    // newest.
    const isBehind = index >= at && (come.length === 0 || index < swapEnds || (!numbered && harm === 'swapped' && index === swapEnds))
    if (!isBehind && isLooked() && follower.state === 'good' && truth.state === 'good') {
      if (numbered && !follower.book.equals(truth.book)) throw new Error(`wrong after frame ${index}`)
      if (name === 'kraken' && !isTop(follower.book, truth.book)) throw new Error(`the ten best are wrong after frame ${index}`)
    }
    // What asks for the snapshot waits for it.
    const isMissing = follower.state !== 'good' && truth.state === 'good' && index > at
    waited = isMissing ? waited + 1 : 0
    if (waited === RESYNC_AFTER) take([{ kind: 'snapshot', symbol, ...truth.book.levels() as never as { bids: [], asks: [] }, ...(numbered ? { last } : {}) }])
  }
  for (const [other, list] of messages) if (other !== symbol && others.get(other) !== list.length) throw new Error(`${other} lacks messages`)
  const remaining = events.filter((event, index) => index > swapEnds && event.symbol === symbol).length
  const isGoodAgain = follower.state === 'good' || remaining < RESYNC_AFTER + 1 || truth.state !== 'good'
  if (!isGoodAgain) throw new Error(`is ${follower.state} at the end, after ${count} frames`)
  return { stale, silent: follower.state === 'good' && !follower.book.equals(truth.book), isLast: remaining === 0 }
}

test(`one frame taken out, doubled or swapped, ${RUNS} times: only its book becomes stale, and it is good again`, { ...needsRecordings, timeout: 200_000 }, t => {
  const all = sessions()
  const choices = new Choices(17)
  const seen = new Map<string, { runs: number, noticed: number, silent: number }>()
  for (let run = 0; run < RUNS; run++) {
    // Coinbase lets one know of nothing, so that there is less to see.
    const recording = choices.pick([all[0]!, all[0]!, all[1]!, all[1]!, all[2]!])
    const harm = choices.pick(harms)
    const at = choices.integer(0, recording.events.length - 1)
    const key = `${recording.name}, ${harm}`
    const counted = seen.get(key) ?? { runs: 0, noticed: 0, silent: 0 }
    seen.set(key, counted)
    try {
      const { stale, silent, isLast } = play(recording, at, harm)
      counted.runs++
      if (stale > 0) counted.noticed++
      if (silent) counted.silent++
      if (harm === 'doubled' && (stale > 0 || silent)) throw new Error('a double did harm')
      if (recording.numbered && silent && !isLast) throw new Error('nobody noticed')
    } catch (error) {
      t.fail(`run ${run}: ${key}, frame ${at}: ${String(error)}`)
    }
  }
  for (const [key, { runs, noticed, silent }] of [...seen].sort()) t.comment(`${key}: ${runs} runs, ${noticed} noticed, ${silent} wrong in silence at the end`)
  const noticed = (key: string): number => seen.get(key)?.noticed ?? 0
  t.ok(noticed('binance, taken out') > 0 && noticed('binance, swapped') > 0 && noticed('kraken, taken out') > 0)
  t.end()
})
