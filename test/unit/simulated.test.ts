import type { Instrument, Quote } from '@tickwire/protocol'
import { test } from 'tap'
import { Simulated, type SimulatedOptions } from '../../src/sources/simulated/simulated.js'
import type { SourceContext, SourceMessage } from '../../src/sources/source.js'
import { silentLogger } from '../helpers/silent-logger.js'
import { MONDAY } from '../helpers/simulated.js'

/** Runs a source for some batches, on a clock that stands still except for the time that each batch takes. */
async function runBatches (
  source: Simulated, clock: { now: number }, batches: number, batchTakesMs: number, instrument: SourceContext['instrument'] = () => undefined
): Promise<{ published: SourceMessage[][], declared: Instrument[] }> {
  const ending = new AbortController()
  const published: SourceMessage[][] = []
  const declared: Instrument[] = []
  await source.run({
    signal: ending.signal,
    logger: silentLogger,
    guard: work => work,
    instrument,
    declare: async instruments => {
      declared.push(...instruments)
      return []
    },
    publish: async messages => {
      published.push([...messages])
      clock.now += batchTakesMs
      if (published.length === batches) ending.abort()
      return []
    }
  })
  return { published, declared }
}

const makeSource = (options: SimulatedOptions = {}): { source: Simulated, clock: { now: number } } => {
  const clock = { now: MONDAY }
  return { source: new Simulated({ rate: 100, clock: () => clock.now, ...options }), clock }
}

test('leaves time out that it cannot keep up with, and does not queue it', async t => {
  const { source, clock } = makeSource()
  const { published } = await runBatches(source, clock, 20, 1000)
  const quotes = published.flat().filter(({ channel }) => channel === 'quotes')
  const times = quotes.map(({ data }) => Date.parse((data as Quote).venue_time!))
  t.ok(times.at(-1)! - times[0]! >= 18_000, 'it is where the clock is')
  // Without leaving time out, the 18 s would have made over 90,000.
  t.ok(quotes.length < 5_000, `${quotes.length} quotes`)
})

test('leaves nothing out while it keeps up', async t => {
  const { source, clock } = makeSource()
  const { published } = await runBatches(source, clock, 50, 20)
  const apple = published
    .flat()
    .filter(({ channel, symbol }) => channel === 'quotes' && symbol === 'AAPL')
    .map(({ data }) => Date.parse((data as Quote).venue_time!))
  const gaps = apple.slice(1).map((time, index) => time - apple[index]!)
  t.ok(gaps.length > 50 && gaps.every(gap => gap >= 9 && gap <= 11), 'every 10 ms')
})

test('continues the same market after a stop, and publishes it whole', async t => {
  const { source, clock } = makeSource({ membershipEveryMs: 100 })
  const first = await runBatches(source, clock, 60, 20)
  t.ok(first.declared.length > 0, 'instruments change while it runs')
  const before = await source.instruments()
  clock.now += 3_600_000
  const second = await runBatches(source, clock, 10, 20)
  t.same(
    second.declared.slice(0, before.length),
    before,
    'it declares all again, because declarations may have been lost'
  )
  const messages = second.published.flat()
  t.equal(messages.filter(({ channel }) => channel === 'market').length, 5)
  const named = new Set<string>()
  for (const { channel, symbol = '', snapshot } of messages) {
    if (channel !== 'book') continue
    if (!named.has(symbol) && snapshot !== true) t.fail(`${symbol} begins with an update`)
    named.add(symbol)
  }
  t.ok(named.size >= before.length)
  const volumes = [first, second].map(({ published }) =>
    published
      .flat()
      .filter(({ channel, symbol }) => channel === 'quotes' && symbol === 'AAPL')
      .map(({ data }) => Number((data as Quote).volume))
  )
  t.ok(volumes[1]![0]! >= volumes[0]!.at(-1)!, 'the day goes on, too')
})

test('ends the wait between batches at a signal', async t => {
  const { source } = makeSource()
  const ending = new AbortController()
  await source.run({
    signal: ending.signal,
    logger: silentLogger,
    guard: work => work,
    instrument: () => undefined,
    declare: async () => [],
    publish: async () => {
      ending.abort()
      return []
    }
  })
  t.pass('it ended')
})

test('begins on another server with the known instruments, moves none back, and publishes each book whole', async t => {
  const { source, clock } = makeSource({ membershipEveryMs: 100 })
  const { declared } = await runBatches(source, clock, 60, 20)
  const known = new Map(declared.map(instrument => [instrument.symbol, instrument]))
  t.ok(known.size > 58, 'some were listed')
  const other = makeSource({ membershipEveryMs: 1e12 })
  other.clock.now = clock.now
  const taken = await runBatches(other.source, other.clock, 10, 20, symbol => known.get(symbol))
  t.same(new Map(taken.declared.map(instrument => [instrument.symbol, instrument])), known)
  const books = new Map<string, SourceMessage>()
  for (const message of taken.published.flat()) {
    if (message.channel === 'book' && !books.has(message.symbol!)) books.set(message.symbol!, message)
  }
  t.same([...books.keys()].sort(), [...known.keys()].sort())
  t.ok([...books.values()].every(({ snapshot }) => snapshot === true))

  const foreign = makeSource()
  const elsewhere: Instrument = { symbol: 'AAPL', market: 'COINBASE', name: 'an apple', sector: 'fruit' }
  const { declared: said } = await runBatches(foreign.source, foreign.clock, 10, 20, symbol =>
    symbol === 'AAPL' ? elsewhere : undefined
  )
  t.match(
    said.find(({ symbol }) => symbol === 'AAPL'),
    { market: 'NASDAQ', sector: 'fruit' },
    'it does not keep an instrument in a market that it does not have'
  )
})
