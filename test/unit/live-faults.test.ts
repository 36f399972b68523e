import { test } from 'tap'
import { binance } from '../../src/sources/venues/binance/index.js'
import { kraken } from '../../src/sources/venues/kraken/index.js'
import type { Venue } from '../../src/sources/venues/venue.js'
import { type FakeSocket, runLive } from '../helpers/live-run.js'
import { Follower, type Level, NaiveBook } from '../helpers/naive-book.js'
import { Choices } from '../helpers/random.js'
import { krakenChecksum } from '../venues/protocols/kraken.js'

/**
 * Live sources against venues that lose, double, swap and garble frames, and cut their connections. Whatever
 * they do, no book is ever wrong and good, none is good while no connection stands, and all are good again
 * once they stop.
 */
const RUNS = 50
const TICKS = 200
/** One in so many frames has a fault, and one in so many ticks a connection. */
const FRAMES_PER_FAULT = 20
const TICKS_PER_CUT = 60

/** A book of a venue: ten prices of each side, whose sizes change. */
class TrueBook {
  readonly book = new NaiveBook()
  number = 1

  constructor (private readonly choices: Choices) {
    for (let n = 0; n < 10; n++) this.change()
  }

  /** @returns what has changed */
  change (): { readonly bids: Level[], readonly asks: Level[] } {
    const level = (from: number): Level =>
      [`1.${from + this.choices.integer(0, 9)}`, this.choices.pick(['0.000', '1.500', '2.000', '0.250'])]
    const changes = { bids: [level(10)], asks: this.choices.chance(0.5) ? [level(20)] : [] }
    this.book.apply(changes)
    this.number++
    return changes
  }
}

interface Model {
  readonly venue: Venue
  readonly symbols: readonly string[]
  /** Answers what the source sends. */
  sent (socket: FakeSocket, text: string, deliver: (frame: string) => void): void
  /** What the source asks for. */
  answer (path: string): unknown
  /** Changes each book. @returns frames by socket */
  tick (sockets: readonly FakeSocket[]): Array<readonly [FakeSocket, string]>
  /** Tells whether a message of a good book is what the venue had. */
  isTrue (follower: Follower, data: Record<string, unknown>): boolean
  trueBook (symbol: string): NaiveBook
}

const checksum = (book: NaiveBook): number => krakenChecksum(book.levels(10))

function krakenModel (choices: Choices): Model {
  const books = new Map(['A/USD', 'B/USD'].map(symbol => [symbol, new TrueBook(choices)]))
  const subscribed = new Map<FakeSocket, Set<string>>()
  const frame = (type: string, symbol: string, sides: { bids: Level[], asks: Level[] }): string => {
    const [bids, asks] = [sides.bids, sides.asks].map(levels =>
      levels.map(([price, qty]) => `{"price":${price},"qty":${qty}}`).join())
    const sum = checksum(books.get(symbol)!.book)
    return `{"channel":"book","type":"${type}","data":[{"symbol":"${symbol}","bids":[${bids}],"asks":[${asks}],"checksum":${sum}}]}`
  }
  return {
    venue: kraken,
    symbols: [...books.keys()],
    answer: () => [],
    sent (socket, text, deliver) {
      const { method, params: { channel, symbol } } =
        JSON.parse(text) as { method: string, params: { channel: string, symbol: string[] } }
      if (channel !== 'book') return
      const own = subscribed.get(socket) ?? new Set()
      subscribed.set(socket, own)
      for (const pair of symbol) {
        if (method === 'unsubscribe') own.delete(pair)
        else {
          own.add(pair)
          deliver(frame('snapshot', pair, books.get(pair)!.book.levels()))
        }
      }
    },
    tick: sockets => [...books].flatMap(([symbol, book]) => {
      const changes = book.change()
      return sockets.filter(socket => subscribed.get(socket)?.has(symbol) === true)
        .map(socket => [socket, frame('update', symbol, changes)] as const)
    }),
    isTrue: (follower, data) => checksum(follower.book) === data['checksum'],
    trueBook: symbol => books.get(symbol.replace('-', '/'))!.book
  }
}

function binanceModel (choices: Choices): Model {
  const books = new Map(['AAUSDT', 'BBUSDT'].map(symbol => [symbol, new TrueBook(choices)]))
  const history = new Map<string, string>()
  const note = (symbol: string): void => {
    const { book, number } = books.get(symbol)!
    history.set(`${symbol.slice(0, 2)}-USDT ${number}`, String(book))
  }
  return {
    venue: binance,
    symbols: [...books.keys()],
    answer (path) {
      const symbol = /depth\?symbol=(\w+)/.exec(path)?.[1]
      if (symbol === undefined) return { symbols: [] }
      const { book, number } = books.get(symbol)!
      note(symbol)
      return { lastUpdateId: number, ...book.levels() }
    },
    sent (_socket, text, deliver) {
      if (text.includes('"SUBSCRIBE"')) deliver('{"result":null,"id":1}')
    },
    tick: sockets => [...books].flatMap(([symbol, book]) => {
      const first = book.number + 1
      const { bids, asks } = book.change()
      note(symbol)
      const data = { e: 'depthUpdate', s: symbol, U: first, u: book.number, b: bids, a: asks }
      return sockets.filter(({ sent }) => sent.length > 0)
        .map(socket => [socket, JSON.stringify({ stream: 'x', data })] as const)
    }),
    isTrue: (follower, { symbol, venue_sequence: number }) =>
      history.get(`${String(symbol)} ${String(number)}`) === String(follower.book),
    trueBook: symbol => books.get(symbol.replace('-', ''))!.book
  }
}

for (const [name, model] of [['Kraken', krakenModel], ['Binance', binanceModel]] as const) {
  test(`${name}: no book is wrong while its venue misbehaves, and all are good once it does not`, async t => {
    const reasons = new Map<string, number>()
    for (let seed = 1; seed <= RUNS; seed++) {
      const choices = new Choices(seed)
      const { venue, symbols, sent, answer, tick, isTrue, trueBook } = model(choices)
      let faulty = true
      const cut = (socket: FakeSocket): void => {
        socket.isClosed = true
        socket.closed('cut')
      }
      const held = new Map<FakeSocket, string>()
      const deliver = (socket: FakeSocket, frame: string): void => {
        if (socket.isClosed) return
        const fault = faulty && choices.chance(1 / FRAMES_PER_FAULT)
          ? choices.pick(['drop', 'double', 'swap', 'garble', 'tear'])
          : 'none'
        if (fault === 'swap' && !held.has(socket)) {
          held.set(socket, frame)
          return
        }
        if (fault !== 'drop') {
          socket.frame(fault === 'garble' ? `\u0000${frame}` : fault === 'tear' ? frame.slice(0, -7) : frame)
        }
        if (fault === 'double') socket.frame(frame)
        const late = held.get(socket)
        held.delete(socket)
        if (late !== undefined) socket.frame(late)
      }
      const live = runLive(venue, symbols, {
        answer,
        random: () => choices.next(),
        opening: socket => {
          live.clock.after(5, () => {
            if (socket.isClosed) return
            if (!faulty || choices.chance(0.8)) {
              opened.add(socket)
              socket.opened()
            } else cut(socket)
          })
        },
        sent: (socket, text) => {
          live.clock.after(5, () => { sent(socket, text, frame => { deliver(socket, frame) }) })
        }
      })
      const followers = new Map<string, Follower>()
      const opened = new Set<FakeSocket>()
      let read = 0
      const standing = (): FakeSocket[] => live.sockets.filter(({ isClosed }) => !isClosed)
      const judge = (): void => {
        for (const message of live.messages.slice(read)) {
          if (message.channel !== 'book') continue
          const follower = followers.get(message.symbol!) ?? new Follower()
          followers.set(message.symbol!, follower)
          follower.take(message as never)
          if (message.fault !== undefined) {
            reasons.set(message.fault.reason, (reasons.get(message.fault.reason) ?? 0) + 1)
          }
          const isWrong = follower.state === 'good' && !isTrue(follower, message.data as never)
          if (isWrong) throw new Error(`seed ${seed}: a wrong book of ${message.symbol}: ${String(follower.book)}`)
        }
        read = live.messages.length
        if (standing().some(socket => opened.has(socket))) return
        for (const [symbol, { state }] of followers) {
          if (state === 'good') throw new Error(`seed ${seed}: ${symbol} is good, and nobody follows it`)
        }
      }
      const step = async (milliseconds: number): Promise<void> => {
        for (const [socket, frame] of tick(standing())) deliver(socket, frame)
        await live.clock.advance(milliseconds)
        judge()
      }
      for (let n = 0; n < TICKS; n++) {
        await step(choices.integer(1, 400))
        if (!choices.chance(1 / TICKS_PER_CUT)) continue
        if (choices.chance(0.3)) await live.clock.advance(60_000)
        else standing().forEach(cut)
      }
      faulty = false
      for (let n = 0; n < 100; n++) await step(1000)
      t.equal(live.statuses().at(-1), 'open', `seed ${seed}: the market`)
      for (const [symbol, follower] of followers) {
        t.equal(follower.state, 'good', `seed ${seed}: ${symbol}`)
        t.ok(follower.book.equals(trueBook(symbol)), `seed ${seed}: ${symbol} is what the venue has`)
      }
      t.equal(followers.size, 2)
      await live.stop()
      t.equal(live.clock.size, 0, `seed ${seed}: no timer is left`)
    }
    t.comment(`stale: ${JSON.stringify(Object.fromEntries(reasons))}`)
    t.ok(reasons.size >= 2)
  })
}
