import { setTimeout as delay } from 'node:timers/promises'
import type { Book } from '@tickwire/protocol'
import { type Test, test } from 'tap'
import { binanceDepth, binanceSnapshot } from '../../src/book/binance/frames.js'
import { Books } from '../../src/book/books.js'
import { parseExact } from '../../src/book/exact-json.js'
import { krakenV2 } from '../../src/book/kraken/frames.js'
import { VenueBook } from '../../src/book/venue-book.js'
import type { SourceMessage } from '../../src/sources/source.js'
import type { VenueParser } from '../../src/sources/venues/venue.js'
import { venues } from '../../src/sources/venues/venues.js'
import { type Message, until } from '../helpers/clients.js'
import { type Harm, Misbehaviour } from '../venues/misbehaviour.js'
import { Oracle, type Verdict } from '../venues/oracle.js'
import { PlainClient } from '../venues/plain-client.js'
import { protocols } from '../venues/protocols/protocols.js'
import { syntheticMarkets } from '../venues/synthetic.js'
import { VenueServer } from '../venues/venue-server.js'

const STEPS = 300
const BEAT_MS = 50
/** After so many looks, 5 ms apart, the market goes on. */
const STILL = 60

interface Run {
  readonly name: string
  readonly seed: number
  readonly perMille: number
  readonly only?: readonly Harm[]
  readonly open?: () => VenueParser
}

/** Plays a venue to the simplest client that is right, or to one that is wrong. */
interface Outcome {
  readonly verdict: Verdict
  readonly done: ReadonlyMap<string, number>
  readonly pending: readonly string[]
}

async function run (t: Test, { name, seed, perMille, only, open }: Run): Promise<Outcome> {
  const protocol = protocols.find(protocol => protocol.name === name)!
  const venue = venues.find(venue => venue.name === name)!
  const markets = syntheticMarkets(protocol, seed, name === 'kraken' ? 10 : undefined)
  const misbehaviour = new Misbehaviour({ seed, perMille, only })
  const server = await VenueServer.start({ protocol, exchange: { markets }, misbehaviour, beatMs: BEAT_MS })
  const oracle = new Oracle(protocol, markets.values(), misbehaviour)
  const take = (message: Message): void => { oracle.take(message) }
  const client = new PlainClient(venue, server.host, [...markets.keys()], take, open)
  t.teardown(async () => {
    client.close()
    await server.close()
  })
  const step = (): void => { for (const pair of markets.keys()) server.step(pair) }
  let turn = 0
  const isWell = (): boolean => {
    // A market that stands still sends no frame that follows one which came to harm.
    if (++turn % STILL === 0) step()
    return oracle.pending().length === 0 || (open !== undefined && oracle.verdict.failures.length > 0)
  }
  // A client that begins anew at any fault may not come so far while the venue misbehaves.
  if (perMille === 0 || open !== undefined) await until('the books are there', isWell)
  for (let at = 0; at < STEPS; at++) {
    step()
    if (at % 5 === 0) await delay(1)
  }
  server.calm()
  if (perMille > 0 && open === undefined) server.restart()
  await until(`all is well again, seed ${seed}`, isWell)
  client.close()
  t.same(server.violations, [], 'the client keeps to the limits')
  return { verdict: oracle.verdict, done: misbehaviour.done, pending: oracle.pending() }
}

for (const name of ['kraken', 'coinbase', 'binance']) {
  test(`a client of ${name} that is right holds no wrong book of a venue that behaves`, async t => {
    const { verdict } = await run(t, { name, seed: 1, perMille: 0 })
    t.same(verdict.failures, [])
    t.same(verdict.unknowable, { wrongBooks: 0, olderBooks: 0, lostTrades: 0 })
    t.ok(verdict.books > STEPS, `${verdict.books} books`)
    if (name !== 'kraken') t.ok(verdict.trades > 100 && verdict.quotes > 100, `${verdict.trades} trades, ${verdict.quotes} quotes`)
  })

  test(`a client of ${name} that is right holds no wrong book that it could know of, whatever the venue does`, async t => {
    for (const seed of [2, 3]) {
      const { verdict, done } = await run(t, { name, seed, perMille: 15 })
      t.same(verdict.failures, [], `seed ${seed}`)
      t.comment(`seed ${seed}: ${JSON.stringify(verdict)} ${JSON.stringify([...done])}`)
    }
  })
}

/** Passes on what a venue's own parser makes of its frames, but for one thing. */
type Change = (messages: readonly SourceMessage[]) => readonly SourceMessage[]

const changed = (name: string, change: Change) => (): VenueParser => {
  const parser = venues.find(venue => venue.name === name)!.createParser()
  const read: VenueParser = {
    parse: payload => change(parser.parse(payload)),
    cut: detail => parser.cut(detail)
  }
  const answer: VenueParser['answer'] = (request, body) => change(parser.answer!(request, body))
  return parser.answer === undefined ? read : { ...read, answer }
}

/** Leaves a level out of one update in twenty. */
function dropLevels (): Change {
  let count = 0
  return messages => messages.map(message => {
    const data = message.data as Book
    if (message.channel !== 'book' || message.snapshot === true || ++count % 20 !== 0) return message
    return { ...message, data: { ...data, bids: data.bids.slice(1), asks: data.asks.slice(1) } }
  })
}

/** Reads books without a look at what the venue lets one know. */
const blind = (name: 'kraken' | 'binance') => (): VenueParser => {
  const books = new Books(pair => new VenueBook({ symbol: name === 'kraken' ? pair.replace('/', '-') : pair.replace('USDT', '-USDT'), depth: name === 'kraken' ? 10 : Infinity }))
  const answer = (request: URL, body: string): readonly SourceMessage[] =>
    books.take([binanceSnapshot(request.searchParams.get('symbol')!, JSON.parse(body))])
  const parse = (payload: string): readonly SourceMessage[] => books.take(
    name === 'kraken' ? krakenV2(parseExact(payload)) : binanceDepth((JSON.parse(payload) as { data: unknown }).data))
  const cut = (detail: string): readonly SourceMessage[] => books.failAll({ reason: 'cut', detail })
  return name === 'kraken' ? { parse, cut } : { parse, answer, cut }
}

const changePrices: Change = messages => messages.map(message => message.channel === 'trades'
  ? { ...message, data: { ...message.data as object, price: '1' } }
  : message)

type Wrong = [what: string, name: string, only: readonly Harm[], open: () => VenueParser, seen: RegExp]

const wrong: readonly Wrong[] = [
  ['leaves out a level', 'kraken', [], changed('kraken', dropLevels()), /the venue never had/],
  ['leaves out a level', 'binance', [], changed('binance', dropLevels()), /the venue never had/],
  ['leaves out a level', 'coinbase', [], changed('coinbase', dropLevels()), /the venue never had/],
  ['looks at no checksum', 'kraken', ['drop'], blind('kraken'), /the venue never had/],
  ['looks at no numbers', 'binance', ['drop'], blind('binance'), /the venue never had/],
  ['changes a price', 'coinbase', [], changed('coinbase', changePrices), /is not the trade/]
]

for (const [what, name, only, open, seen] of wrong) {
  test(`the oracle sees a client of ${name} that ${what}`, async t => {
    const { verdict } = await run(t, { name, seed: 5, perMille: only.length === 0 ? 0 : 15, only, open })
    t.match(verdict.failures[0], seen)
  })
}
