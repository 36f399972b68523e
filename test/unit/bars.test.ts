import { type Bar, BAR_INTERVALS, type BarInterval, type Trade } from '@tickwire/protocol'
import { test } from 'tap'
import { Corrections } from '../../src/processors/bars/corrections.js'
import { InstantReader } from '../../src/processors/bars/instant.js'
import { type Ignored, TopicBars } from '../../src/processors/bars/topic-bars.js'
import { readTrade } from '../../src/processors/bars/trade.js'
import { makeTrades, shuffled } from '../helpers/made-trades.js'
import { plainBars, plainPart, type PlainTrade } from '../helpers/plain-bars.js'
import { Choices } from '../helpers/random.js'

/** Bars made of trades, without a log: the core. */

const INTERVALS = Object.keys(BAR_INTERVALS) as BarInterval[]
const NOW = Date.parse('2026-02-07T14:30:00Z')

/** A symbol's bars, fed by hand. */
class Feed {
  readonly ignored: Ignored[] = []
  readonly said: Bar[] = []
  sequence = 0
  now = NOW
  private readonly bars: TopicBars

  constructor (
    intervals: readonly BarInterval[] = ['1s'], maxKept?: number, budget = { used: 0, most: 1_000_000 }
  ) {
    this.bars = new TopicBars('A', intervals, 1, budget, why => { this.ignored.push(why) }, maxKept)
    this.due()
  }

  /** @param time behind 2026-02-07T */
  trade (time: string, price: string, size: string, more: Partial<Trade> = {}): Bar[] {
    this.apply({ symbol: 'A', price, size, timestamp: `2026-02-07T${time}Z`, ...more })
    return this.due()
  }

  apply (data: Trade): void {
    this.bars.apply({ data, sequence: ++this.sequence, timestamp: this.now })
  }

  /** Lets time pass, and returns what is published then. */
  due (afterMs = 0): Bar[] {
    this.now += afterMs
    const { bars } = this.bars.due(this.now)
    this.said.push(...bars)
    return [...bars]
  }

  /** Has the log refuse what was published. */
  refuse (bar: Bar): void {
    this.bars.unsaid(bar)
  }

  next (): number | undefined {
    return this.bars.due(this.now).next
  }

  /** The newest message about each bar. */
  last (interval: BarInterval): Map<string, Bar> {
    return new Map(this.said.filter(bar => bar.interval === interval).map(bar => [bar.start, bar]))
  }
}

const brief = ({ start, open, high, low, close, volume, closed, revision }: Bar): string =>
  `${start.slice(11, 19)} O${open} H${high} L${low} C${close} V${volume} ${closed ? `closed ${revision}` : 'forming'}`

test('makes the bars of the example, and revises one for a late trade', async t => {
  const feed = new Feed()
  feed.trade('14:30:00.100', '100', '1')
  feed.due(300)
  feed.trade('14:30:00.900', '102', '2')
  t.same(feed.trade('14:30:02.000', '101', '1').map(brief), [
    '14:30:00 O100 H102 L100 C102 V3 closed 0'
  ])
  t.same(feed.due(300).map(brief), ['14:30:02 O101 H101 L101 C101 V1 forming'])
  const [revised] = feed.trade('14:30:00.950', '99', '1')
  t.equal(brief(revised!), '14:30:00 O100 H102 L99 C99 V4 closed 1')
  t.equal(revised!.vwap, '100.75')
  t.equal(revised!.trades, 3)
  t.equal(revised!.through, 4)
  t.notOk(feed.said.some(({ start }) => start.endsWith(':01Z')), 'no bar without a trade')
})

test('puts a trade at a boundary into the later bar', async t => {
  const feed = new Feed()
  feed.trade('14:30:01', '1', '1')
  t.same(feed.trade('14:30:02.000000000', '2', '1').map(brief), ['14:30:01 O1 H1 L1 C1 V1 closed 0'])
})

test('sends a forming bar at most four times a second, and closes it 200 ms behind its end', async t => {
  const feed = new Feed()
  for (let at = 0; at < 10; at++) {
    feed.trade(`14:30:00.${at}00`, '1', '1')
    feed.due(100)
  }
  const forming = feed.said.filter(({ closed }) => !closed)
  t.same(forming.map(({ trades }) => trades), [1, 3, 6, 9])
  feed.now = NOW + 1199
  t.same(feed.due().map(({ trades }) => trades), [10])
  t.equal(feed.next(), NOW + 1200)
  t.same(feed.due(1).map(brief), ['14:30:00 O1 H1 L1 C1 V10 closed 0'])
  feed.due(30 * 60_000)
  t.equal(feed.next(), undefined, 'nothing is due once nothing can change any more')
})

test('sends long forming bars less often', t => {
  const feed = new Feed(INTERVALS)
  for (let at = 0; at < 800; at++) {
    feed.apply({ symbol: 'A', price: '1', size: '1', timestamp: new Date(NOW + at * 50).toISOString() })
    feed.due(50)
  }
  const forming = (interval: BarInterval): number =>
    feed.said.filter(bar => bar.interval === interval && !bar.closed).length
  t.same(INTERVALS.map(forming), [160, 40, 20], 'in 40 seconds')
  t.end()
})

test('says again what the log has refused, after a pause that grows', async t => {
  const feed = new Feed(['1s', '1m'])
  feed.trade('14:30:00', '1', '1')
  const [closed] = feed.trade('14:30:01', '1', '1')
  feed.refuse(closed!)
  t.same(feed.due(999), [], 'not yet')
  t.same(feed.due(1).filter(({ closed }) => closed).map(brief), [brief(closed!)])
  const [revised] = feed.trade('14:30:00', '5', '1', { trade_id: 'a' })
  t.equal(revised!.revision, 1)
  feed.refuse(revised!)
  feed.trade('14:30:00', '6', '1', { trade_id: 'b' })
  const again = (afterMs: number): Bar | undefined =>
    feed.due(afterMs).find(({ interval, start }) => interval === '1s' && start === closed!.start)
  const pauses: number[] = []
  for (let times = 0; times < 9; times++) {
    let bar: Bar | undefined
    let waited = 0
    for (; bar === undefined; waited += 500) bar = again(500)
    t.match(bar, { high: '6', revision: 1, trades: 3 })
    pauses.push(waited)
    feed.refuse(bar)
  }
  t.same(pauses, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000])
})

test('closes the bars of an old session as the session did', async t => {
  const feed = new Feed()
  feed.now = Date.parse('2026-11-29T09:00:00Z')
  feed.trade('14:30:00.500', '1', '1')
  t.same(feed.due(699), [])
  t.same(feed.due(1).map(({ closed }) => closed), [true])
})

test('counts an id once, and of corrections the end of the chain, in whatever order they come', async t => {
  const messages: Array<Partial<Trade>> = [
    { trade_id: '1' },
    { trade_id: '2', corrects: '1', price: '11' },
    { trade_id: '3', corrects: '2', price: '12', size: '5' },
    { trade_id: '3', corrects: '2', price: '12', size: '5' },
    { trade_id: '4', price: '20' },
    { trade_id: '5', corrects: '4', size: '0' }
  ]
  const random = new Choices(7)
  for (let run = 0; run < 50; run++) {
    const feed = new Feed(['1m'])
    const order = messages.map(message => ({ message, at: random.next() })).sort((a, b) => a.at - b.at)
    for (const { message } of order) {
      feed.apply({ symbol: 'A', price: '10', size: '1', timestamp: '2026-02-07T14:30:01Z', ...message })
      if (random.next() < 0.5) feed.due(random.integer(0, 500))
    }
    feed.due(120_000)
    t.match(feed.last('1m').get('2026-02-07T14:30:00Z'), {
      open: '12', high: '12', low: '12', close: '12', volume: '5', vwap: '12', trades: 1, closed: true
    })
  }
})

test('counts no trade of those that correct one another in a circle', async t => {
  const feed = new Feed()
  feed.trade('14:30:00.1', '1', '1')
  feed.trade('14:30:00.2', '5', '1', { trade_id: 'a', corrects: 'b' })
  feed.trade('14:30:00.3', '6', '1', { trade_id: 'b', corrects: 'c' })
  feed.trade('14:30:00.4', '7', '1', { trade_id: 'c', corrects: 'a' })
  feed.trade('14:30:00.5', '8', '1', { trade_id: 'd', corrects: 'a' })
  t.same(feed.due(1500).map(brief), ['14:30:00 O1 H1 L1 C1 V1 closed 0'])
})

test('follows a hundred corrections in a row, and a hundred of one trade', async t => {
  const time = '14:30:00'
  const one = new Feed()
  for (let at = 1; at <= 102; at++) one.trade(time, String(at), '1', { trade_id: `t${at}`, corrects: `t${at - 1}` })
  one.trade(time, '7', '1', { trade_id: 't200', corrects: 't102' })
  t.same(one.ignored, ['corrections', 'corrections', 'corrections'])
  t.same(one.due(3000).map(brief), ['14:30:00 O100 H100 L100 C100 V1 closed 0'])

  const backwards = new Feed()
  for (let at = 101; at > 0; at--) backwards.trade(time, String(at), '1', { trade_id: `t${at}`, corrects: `t${at - 1}` })
  backwards.trade('14:30:02', '5', '1')
  t.same(backwards.ignored, ['corrections'], 'the first, which would have 101 behind what it corrects')
  t.match(backwards.last('1s').get('2026-02-07T14:30:00Z'), { trades: 0, closed: true })

  const beside = new Feed()
  for (let at = 1; at <= 101; at++) beside.trade(time, String(at), '1', { trade_id: String(at), corrects: '0' })
  beside.trade(time, '7', '1', { trade_id: 'x', corrects: '101' })
  t.same(beside.ignored, ['corrections', 'corrections'])
  t.same(beside.due(3000).map(brief), ['14:30:00 O100 H100 L100 C100 V1 closed 0'])
})

test('goes on from the others if it forgets the last correction of a trade that never came', async t => {
  const corrections = new Corrections()
  const [early, middle, late] = ['14:30:01', '14:30:02', '14:30:03'].map((time, index) => readTrade({
    symbol: 'A', price: '1', size: '1', timestamp: `2026-02-07T${time}Z`, trade_id: String(index), corrects: 'never'
  }, index, new InstantReader())!)
  t.same(corrections.add(early!)?.added, early)
  t.same(corrections.add(late!), { removed: [early], added: late, isTangled: false })
  corrections.forget(late!)
  t.same(corrections.add(middle!), { removed: [early], added: middle, isTangled: false })
})

test('sends a bar that lost its last trade without trades, and with its former prices', async t => {
  const feed = new Feed()
  feed.trade('14:30:00.1', '10', '2', { trade_id: 'x' })
  feed.trade('14:30:05', '1', '1')
  const [bar] = feed.trade('14:30:05.1', '10', '0', { trade_id: 'y', corrects: 'x' })
  t.equal(brief(bar!), '14:30:00 O10 H10 L10 C10 V0 closed 1')
  t.match(bar, { trades: 0, vwap: '10', through: 3 })
  const [again] = feed.trade('14:30:00.2', '12', '1')
  t.equal(brief(again!), '14:30:00 O12 H12 L12 C12 V1 closed 2')
})

test('takes back the first, the last, the highest and the lowest trade', async t => {
  const feed = new Feed()
  for (const [index, price] of ['5', '9', '1', '6'].entries()) {
    feed.trade(`14:30:00.${index}`, price, '1', { trade_id: String(index) })
  }
  feed.trade('14:30:07', '3', '1')
  const cancel = (id: string): string => brief(feed.trade('14:30:07', '1', '0', { corrects: id }).find(({ closed }) => closed)!)
  t.equal(cancel('1'), '14:30:00 O5 H6 L1 C6 V3 closed 1')
  t.equal(cancel('2'), '14:30:00 O5 H6 L5 C6 V2 closed 2')
  t.equal(cancel('3'), '14:30:00 O5 H5 L5 C5 V1 closed 3')
})

test('orders trades of one time by id, price and size', async t => {
  const ids = ['', '9', '10', '010', 'Z', 'a', 'ï', '\u{ffee}', '\u{1f600}']
  const random = new Choices(3)
  for (let run = 0; run < 20; run++) {
    const feed = new Feed()
    const order = ids.map((id, index) => ({ id, index, at: random.next() })).sort((a, b) => a.at - b.at)
    for (const { id, index } of order) {
      feed.trade('14:30:00', String(index), '1', id === '' ? {} : { trade_id: id })
    }
    const bar = feed.due(2000)[0]!
    t.same([bar.open, bar.close], ['0', '8'])
  }
})

test('applies what comes 15 minutes late, and counts what comes later, earlier than now, or is no trade', async t => {
  const feed = new Feed()
  feed.now += 20 * 60_000
  feed.trade('14:50:00', '1', '1')
  t.equal(feed.trade('14:35:00', '1', '1').length, 1)
  t.equal(feed.trade('14:34:59.999', '1', '1').length, 0)
  t.same(feed.ignored, ['late'])
  feed.trade('14:51:00.001', '1', '1')
  feed.trade('14:50:00', '1', '-1')
  feed.trade('14:50:00', '1', '1'.repeat(21))
  t.same(feed.ignored, ['late', 'early', 'unusable', 'unusable'])
  feed.due(60_000)
  t.equal(feed.trade('14:35:59', '1', '1').length, 0, 'the event clock goes on without trades')
  t.equal(feed.trade('14:36:01', '1', '1').length, 1)
})

test('says which bar began before its first trade', async t => {
  const feed = new Feed(['1m'])
  feed.trade('14:30:30', '1', '1')
  feed.trade('14:31:00', '1', '1')
  t.same(feed.last('1m').get('2026-02-07T14:30:00Z')?.partial, true)
  feed.due(1000)
  feed.trade('14:29:00', '1', '1')
  const bars = feed.last('1m')
  t.same([...bars.values()].map(({ partial }) => partial), [undefined, undefined, undefined])
  t.equal(bars.get('2026-02-07T14:30:00Z')?.revision, 1)
})

test('rounds a vwap half to even, and sums sizes exactly', async t => {
  const vwapOf = (trades: ReadonlyArray<readonly [price: string, size: string]>): Bar => {
    const feed = new Feed()
    for (const [price, size] of trades) feed.trade('14:30:00', price, size)
    return feed.due(3000)[0]!
  }
  t.equal(vwapOf([['0.00000001', '1'], ['0.00000002', '1']]).vwap, '0.00000002')
  t.equal(vwapOf([['0.00000002', '1'], ['0.00000003', '1']]).vwap, '0.00000002')
  t.equal(vwapOf([['-0.00000002', '1'], ['-0.00000003', '1']]).vwap, '-0.00000002')
  t.equal(vwapOf([['1', '1'], ['2', '2']]).vwap, '1.66666667')
  t.equal(vwapOf([['5.10', '0']]).vwap, '5.1')
  t.equal(vwapOf([['1', '0.1'], ['1', '0.20']]).volume, '0.3')
  t.equal(vwapOf([['1', '99999999999999999999'], ['1', '0.00000000000000000001']]).volume, '99999999999999999999.00000000000000000001')
})

test('keeps only so many trades, and the sums of all', async t => {
  const feed = new Feed(['5m'], 100)
  feed.now += 600_000
  for (let at = 0; at < 1000; at++) {
    feed.trade(`14:3${Math.floor(at / 250)}:${String(Math.floor(at / 5) % 50).padStart(2, '0')}`, String(at), '1', { trade_id: String(at) })
  }
  feed.trade('14:33:50', '1', '0', { trade_id: 'first', corrects: '850' })
  feed.trade('14:33:50', '1', '5', { corrects: 'first' })
  t.same(feed.ignored, ['late', 'late'])
  feed.trade('14:33:50', '1', '0', { corrects: '999' })
  feed.due(600_000)
  t.match(feed.last('5m').get('2026-02-07T14:30:00Z'), { open: '0', high: '998', low: '0', close: '998', volume: '999', trades: 999 })
})

test('shares the trades that it keeps among topics: the busiest keep fewer', async t => {
  const budget = { used: 0, most: 5000 }
  const [quiet, busy, other] = [0, 1, 2].map(() => new Feed(['5m'], undefined, budget))
  const fill = (feed: Feed, from: number, to: number): void => {
    feed.now = NOW + 600_000
    for (let at = from; at < to; at++) {
      const timestamp = new Date(NOW + Math.floor(at / 20) * 1000).toISOString()
      feed.apply({ symbol: 'A', price: String(at), size: '1', timestamp, trade_id: String(at) })
    }
  }
  fill(quiet!, 0, 800)
  fill(busy!, 0, 5000)
  t.ok(budget.used <= budget.most, `${budget.used} are kept`)
  fill(other!, 0, 2500)
  fill(busy!, 5000, 5300)
  t.ok(budget.used <= budget.most, `${budget.used} are kept`)
  quiet!.trade('14:30:39', '1', '0', { corrects: '0' })
  busy!.trade('14:34:24', '1', '0', { corrects: '5299' })
  t.same([...quiet!.ignored, ...busy!.ignored], [], 'a quiet topic keeps all of its trades, a busy one the newest')
  busy!.trade('14:34:24', '1', '5', { corrects: '3900', trade_id: 'x' })
  t.same(busy!.ignored, ['late'])
  const used = budget.used
  for (const feed of [quiet!, busy!, other!]) {
    feed.due(1000)
    feed.due(25 * 60_000)
  }
  t.ok(used > 3000)
  t.equal(budget.used, 0, 'gives back what it forgets')
})

const COUNT = Number(process.env['TRADES'] ?? 6000)
const ORDERS = Number(process.env['ORDERS'] ?? 5)
const seed = Number(process.env['SEED'] ?? 45)

test(`${COUNT} trades and corrections make the same bars in ${ORDERS} orders (SEED=${seed})`, async t => {
  const made = makeTrades('A', COUNT, 30, seed)
  const plain = new Map(INTERVALS.map(interval =>
    [interval, plainBars(made.map(({ data }) => data as PlainTrade), BAR_INTERVALS[interval])]))
  const random = new Choices(seed)
  for (let run = 0; run < ORDERS; run++) {
    const feed = new Feed(INTERVALS)
    const lateMs = run === 0 ? 0 : random.integer(1, 14 * 60_000)
    for (const { data, at } of shuffled(made, lateMs, seed + run)) {
      feed.now = at
      feed.apply(data)
      if (random.next() < 0.2) feed.due()
    }
    feed.due(600_000)
    t.same(feed.ignored, [])
    for (const interval of INTERVALS) {
      const said = [...feed.last(interval).values()].filter(({ trades }) => trades > 0)
      const expected = plain.get(interval)!
      const wrong = said.filter(bar =>
        !bar.closed || JSON.stringify(plainPart(bar)) !== JSON.stringify(expected.get(bar.start)))
      t.same(wrong, [], `${said.length} bars of ${interval}, up to ${lateMs} ms late`)
      t.equal(said.length, expected.size)
    }
    t.same(wrongRevisions(feed.said), [])
  }
})

/** Messages that do not follow on from the one before about the same bar. */
function wrongRevisions (said: readonly Bar[]): string[] {
  const last = new Map<string, Bar>()
  const wrong: string[] = []
  for (const bar of said) {
    const key = `${bar.interval} ${bar.start}`
    const before = last.get(key)
    last.set(key, bar)
    const expected = !bar.closed ? undefined : before?.closed === true ? before.revision! + 1 : 0
    if (bar.revision !== expected || (before?.closed === true && !bar.closed)) wrong.push(`${key}: ${bar.revision} after ${before?.revision}`)
  }
  return wrong
}
