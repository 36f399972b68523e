import { setTimeout as delay } from 'node:timers/promises'
import type { Bar, Trade } from '@tickwire/protocol'
import { type Test, test } from 'tap'
import { type Message, openClient, openWebSocket, until } from '../helpers/clients.js'
import { type PlainBar, plainBars, plainPart } from '../helpers/plain-bars.js'
import { Choices } from '../helpers/random.js'
import { publish, startServer, type TestServer } from '../helpers/server.js'

/** Bars over the wire. */

interface BarsAnswer { readonly epoch: string, readonly sequence: number, readonly bars: readonly Bar[] }

async function askBars (server: TestServer, query: string): Promise<BarsAnswer> {
  const response = await fetch(`${server.origin}/v1/bars?${query}`)
  if (response.status !== 200) throw new Error(await response.text())
  return await response.json() as BarsAnswer
}

/** A chart that begins with the bars that there are, and goes on with the stream. */
class Chart {
  readonly bars = new Map<string, Bar>()
  readonly faults: string[] = []
  private sequence = 0

  async open (t: Test, server: TestServer, interval: string): Promise<void> {
    const { epoch, sequence, bars } = await askBars(server, `symbol=A&interval=${interval}`)
    for (const bar of bars) this.bars.set(bar.start, bar)
    this.sequence = sequence
    const client = openWebSocket(server.origin, '', 'tickwire.v1.json', {
      onMessage: message => { this.take(message) },
      onCursor: () => {}
    })
    t.teardown(() => { client.cut() })
    client.socket.once('open', () => {
      client.send({ action: 'subscribe', channel: `bars.${interval}`, symbols: ['A'], after: { A: sequence }, epoch })
    })
  }

  private take ({ type, sequence, data, snapshot }: Message): void {
    if (type === 'reset' || snapshot === true) this.faults.push(`${type} at ${this.sequence}`)
    if (type !== 'bar') return
    if (sequence !== this.sequence + 1) this.faults.push(`${sequence} after ${this.sequence}`)
    this.sequence = sequence!
    const bar = data as Bar
    this.bars.set(bar.start, bar)
  }

  /** Whether it shows exactly these bars, all closed. */
  shows (expected: ReadonlyMap<string, PlainBar>): boolean {
    const bars = [...this.bars.values()].filter(({ trades }) => trades > 0)
    return bars.length === expected.size && bars.every(bar => (
      bar.closed && JSON.stringify(plainPart(bar)) === JSON.stringify(expected.get(bar.start))
    ))
  }
}

test('begins a chart with the bars that there are and goes on without a gap or a double', async t => {
  const random = new Choices(45)
  const server = await startServer(t, { BARS: '1s,1m' })
  const trades: Trade[] = []
  const charts = new Map<Chart, number>()
  for (let round = 0; round < 120; round++) {
    for (let count = random.integer(1, 5); count > 0; count--) {
      const id = trades.length
      const corrects = random.next() < 0.1 && id > 10 ? { corrects: String(id - random.integer(1, 10)) } : {}
      const trade: Trade = {
        symbol: 'A',
        price: `1${random.integer(0, 99)}.5`,
        size: random.next() < 0.05 && 'corrects' in corrects ? '0' : String(random.integer(1, 9)),
        timestamp: new Date(Date.now() - random.integer(0, random.next() < 0.2 ? 5000 : 50)).toISOString(),
        trade_id: String(id),
        ...corrects
      }
      trades.push(trade)
      await publish(server.app, 'trades', 'A', trade)
    }
    if (round % 10 === 0) {
      const chart = new Chart()
      charts.set(chart, round % 20 === 0 ? 1000 : 60_000)
      await chart.open(t, server, round % 20 === 0 ? '1s' : '1m')
    }
    await delay(random.integer(0, 40))
  }
  // The last bar of a minute closes when the minute is over, or when a trade comes after it.
  const ahead: Trade = { symbol: 'A', price: '1', size: '1', timestamp: new Date(Date.now() + 59_000).toISOString(), trade_id: 'ahead' }
  trades.push(ahead)
  await publish(server.app, 'trades', 'A', ahead)
  for (const [chart, ms] of charts) {
    const expected = plainBars(trades, ms)
    if (ms === 60_000) expected.delete([...expected.keys()].at(-1)!)
    await until('the chart shows what the trades make', () => {
      if (ms === 60_000) chart.bars.delete(plainStart(ahead, ms))
      return chart.shows(expected)
    })
    t.same(chart.faults, [])
  }
  const { bars, sequence } = await askBars(server, 'symbol=A&interval=1s')
  t.same(bars.filter(({ trades }) => trades > 0).map(plainPart), [...plainBars(trades, 1000).values()])
  const [, newest] = bars.slice(-2)
  const snapshot = await fetch(`${server.origin}/v1/snapshot?topic=bars.1s:A`)
  t.match(await snapshot.json(), { type: 'bar', sequence, data: newest }, 'the newest bar is the state')
})

const plainStart = ({ timestamp }: Trade, ms: number): string => [...plainBars([{ price: '1', size: '1', timestamp }], ms).keys()][0]!

test('answers with the bars of a time, each as it was last revised', async t => {
  const server = await startServer(t, { BARS: '1s' })
  const trade = (second: number, price: string): Promise<void> => publish(server.app, 'trades', 'A', {
    symbol: 'A', price, size: '1', timestamp: `2026-02-07T14:30:0${second}.5+00:00`
  })
  for (let second = 0; second < 8; second++) await trade(second, '10')
  await trade(3, '11')
  const all = async (query = ''): Promise<string[]> => {
    const { bars } = await askBars(server, `symbol=A&interval=1s${query}`)
    return bars.map(({ start, close, closed, revision }) => `${start.slice(17, 19)} ${close} ${closed ? revision : '…'}`)
  }
  for (let bars = await all(); bars.length < 8 || bars.at(-1) !== '07 10 0' || bars[3] !== '03 11 1'; bars = await all()) await delay(20)
  t.same(await all('&from=2026-02-07T14:30:02Z&to=2026-02-07T14:30:05Z'), ['02 10 0', '03 11 1', '04 10 0'])
  t.same(await all('&from=2026-02-07T23:30:02.001%2B09:00&to=2026-02-07T14:30:04.1Z'), ['03 11 1', '04 10 0'])
  t.same(await all('&limit=2'), ['06 10 0', '07 10 0'])
  t.same(await all('&limit=1&to=2026-02-07T14:30:03Z'), ['02 10 0'])
  t.same(await askBars(server, 'symbol=B&interval=1m').then(({ sequence, bars }) => [sequence, bars]), [0, []])
})

test('refuses what is no question for bars, and who may not read them', async t => {
  const server = await startServer(t, { BARS: '1s', UNKNOWN_SYMBOLS: 'reject' })
  await server.app.tickwire.declare([{ symbol: 'A' }])
  const refusal = async (query: string, claims?: Record<string, unknown>): Promise<readonly unknown[]> => {
    const headers = claims === undefined ? {} : { authorization: `Bearer ${server.token(claims)}` }
    const response = await fetch(`${server.origin}/v1/bars?${query}`, { headers })
    return [response.status, (await response.json() as { code?: string }).code]
  }
  t.same(await refusal('symbol=A&interval=1m'), [200, undefined])
  for (const query of [
    'symbol=A', 'interval=1m', 'symbol=A&interval=2m', 'symbol=*&interval=1m', 'symbol=A,B&interval=1m',
    'symbol=A&interval=1m&limit=0', 'symbol=A&interval=1m&limit=5001', 'symbol=A&interval=1m&more=1',
    'symbol=A&interval=1m&from=2026-02-30T00:00:00Z', 'symbol=A&interval=1m&to=now',
    'symbol=A&interval=1m&from=2026-02-07T14:30:00+09:00',
    'symbol=A&interval=1m&from=2026-02-07T14:30:00Z&to=2026-02-07T14:30:00Z', 'symbol=A&symbol=A&interval=1m',
    'symbol=A&interval=toString'
  ]) t.same(await refusal(query), [400, 'bad_request'], query)
  t.same(await refusal('symbol=NONE&interval=1m'), [400, 'unknown_symbol'])
  t.same(await refusal('symbol=A&interval=1m', { read: ['bars.1s'] }), [403, 'forbidden'])
  t.same(await refusal('symbol=A&interval=1m', { read: ['bars.1m:A'] }), [200, undefined])
  const closed = await startServer(t, { AUTH: 'required' })
  t.equal((await fetch(`${closed.origin}/v1/bars?symbol=A&interval=1m`)).status, 401)
})

test('wakes a lazy source of trades for somebody who reads bars', async t => {
  const server = await startServer(t, { SOURCES: 'simulated?rate=50&lazy=3', BARS: '1s' })
  let bars = 0
  const client = openClient('sse', server.origin, 'subscribe=bars.1s:*', undefined, {
    onMessage: ({ type }) => { if (type === 'bar') bars++ },
    onCursor: () => {}
  })
  t.teardown(() => { client.cut() })
  await until('bars come', () => bars > 0)
})

test('counts trades that are in no bar', async t => {
  const server = await startServer(t, { BARS: '1s' })
  const trade = async (timestamp: string): Promise<void> => {
    await publish(server.app, 'trades', 'A', { symbol: 'A', price: '1', size: '1', timestamp })
  }
  await trade('2026-02-07T14:30:00Z')
  while ((await askBars(server, 'symbol=A&interval=1s')).bars.length === 0) await delay(20)
  await trade('2026-02-07T14:14:59Z')
  const counted = async (): Promise<boolean> => {
    const metrics = await (await fetch(`${server.origin}/metrics`)).text()
    return metrics.includes('tickwire_bars_trades_ignored_total{reason="late"} 1\n')
  }
  while (!await counted()) await delay(20)
  t.equal((await askBars(server, 'symbol=A&interval=1s')).bars.length, 1)
})
