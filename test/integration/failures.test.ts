import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import Fastify from 'fastify'
import { test } from 'tap'
import { Delivery } from '../../src/connection/delivery/delivery.js'
import { JsonWriter } from '../../src/dialects/native/json-writer.js'
import { book, defineChannel, type Source, tickwire, trades } from '../../src/index.js'
import { keepLog } from '../helpers/kept-log.js'
import {
  type Client,
  type Message,
  openClient,
  RuleFollower,
  type TransportName,
  transportNames,
  until
} from '../helpers/clients.js'
import { Choices } from '../helpers/random.js'
import { StateFollower } from '../helpers/state-follower.js'
import { Thrower } from '../helpers/thrower.js'

/**
 * Channels, encoders, subscribers and sources that throw at random. None of it may reach clients of other
 * topics, and clients of these topics must learn of everything that they miss.
 */
const SEED = Number(process.env['SEED'] ?? 14)
const EXCEPTIONS = 10_000
const WILD = ['W1', 'W2', 'W3', 'W4']
const HONEST = ['H1', 'H2']
const isWild = (topic: string): boolean => topic.startsWith('wild:') || topic.startsWith('odd:')

type Level = [price: string, size: string]
interface Book { symbol: string, bids: Level[], asks: Level[] }

const PLACES = [
  'reduce',
  'merge',
  'cut',
  'changes',
  'encode',
  'deliver',
  'flush',
  'source at once',
  'source later',
  'source in a timer'
]

const title = `survives ${EXCEPTIONS} exceptions: honest clients miss nothing, and others learn what they miss`
test(title, { timeout: 200_000 }, async t => {
  t.comment(`SEED=${SEED}`)
  const thrower = new Thrower(SEED, {
    reduce: 0.05,
    merge: 0.3,
    cut: 0.2,
    changes: 0.6,
    encode: 0.12,
    deliver: 0.06,
    flush: 0.06,
    'source at once': 0.5,
    'source later': 0.3,
    'source in a timer': 0.3
  })
  const { reduce, merge, levels } = book
  if (typeof reduce !== 'function' || typeof merge !== 'function' || levels === undefined) {
    throw new Error('the channel book must have reduce, merge and levels')
  }
  const wild = defineChannel({
    ...book,
    name: 'wild',
    reduce: (state, data, replaces) => { thrower.at('reduce'); return reduce(state, data, replaces) },
    merge: (pending, data, replaces) => { thrower.at('merge'); return merge(pending, data, replaces) },
    levels: {
      cut: (state, depth) => { thrower.at('cut'); return levels.cut(state, depth) },
      changes: (before, after) => { thrower.at('changes'); return levels.changes(before, after) }
    }
  })
  const odd = defineChannel({ ...trades, name: 'odd' })
  const source = (name: string): Source => ({
    name,
    manual: false,
    instruments: async () => [],
    run (context) {
      thrower.at('source at once')
      return (async () => {
        for (let n = 0; !context.signal.aborted; n++) {
          await delay(20)
          const symbol = name.toUpperCase()
          const data = { symbol, price: String(n), size: '1', timestamp: '2026-01-01T00:00:00Z' }
          await context.publish([{ channel: 'odd', symbol, data }])
          thrower.at('source later')
          setTimeout(context.guard(() => { thrower.at('source in a timer') }), 1)
        }
      })()
    }
  })
  const failures: string[] = []
  const write = (line: string): void => {
    keepLog(line)
    failures.push((JSON.parse(line) as { msg: string }).msg)
  }
  const app = Fastify({ forceCloseConnections: true, logger: { level: 'error', stream: { write } } })
  await app.register(tickwire, {
    channels: [wild, odd],
    sources: Array.from({ length: 20 }, (_, index) => source(`s${index}`)),
    routes: ['stream', 'publish', 'topics', 'metrics'],
    settings: {
      UNKNOWN_SYMBOLS: 'accept',
      MAX_CONNECTIONS_PER_IP: 10_000,
      RATE_LIMIT_REQUESTS: 1_000_000,
      RETENTION_MESSAGES: 200
    }
  })

  // The encoder and the subscriber fail for these topics and those who hold them alone.
  const { data } = JsonWriter.prototype
  const { deliver, flush } = Delivery.prototype
  const holdsWild = ({ subscriptions }: Delivery): boolean => (
    [...subscriptions.selectors()].some(({ key }) => isWild(key))
  )
  t.teardown(() => {
    Object.assign(JsonWriter.prototype, { data })
    Object.assign(Delivery.prototype, { deliver, flush })
  })
  Object.assign(JsonWriter.prototype, {
    data (this: JsonWriter, message: Parameters<typeof data>[0]) { if (isWild(message.topic)) thrower.at('encode'); return data.call(this, message) }
  })
  Object.assign(Delivery.prototype, {
    deliver (this: Delivery, bytes: Parameters<typeof deliver>[0]) {
      if (holdsWild(this)) thrower.at('deliver')
      return deliver.call(this, bytes)
    },
    flush (this: Delivery, now: number) {
      if (holdsWild(this)) thrower.at('flush')
      flush.call(this, now)
    }
  })

  await app.listen({ port: 0, host: '127.0.0.1' })
  t.teardown(async () => { await app.close() })
  const origin = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`

  const clients: Client[] = []
  t.teardown(() => { for (const client of clients) client.cut() })
  const honest = transportNames.map(transport => {
    const follower = new RuleFollower()
    let cursors = 0
    clients.push(openClient(transport, origin, 'subscribe=trades:H1,H2&subscribe=quotes:H1', undefined, {
      onMessage: message => { follower.take(message) }, onCursor: () => { cursors++ }
    }))
    return { transport, follower, isReady: () => cursors > 0 }
  })
  await until('the honest clients are there', () => honest.every(({ isReady }) => isReady()))

  const ways = [
    'subscribe=wild:*',
    'subscribe=wild:W1,W2;depth=3&subscribe=odd:*',
    'subscribe=wild:*;throttle_ms=10',
    'subscribe=wild:W1,W3;throttle_ms=20;depth=2&decimals=number',
    'subscribe=odd:*&subscribe=wild:W4&decimals=number'
  ]
  const holders = ways.flatMap(query => transportNames.map(transport => new Holder(origin, transport, query)))
  t.teardown(() => { for (const holder of holders) holder.close() })

  const random = new Choices(SEED)
  const published = new Map<string, number>()
  const publish = async (messages: Parameters<typeof app.tickwire.publishAll>[0]): Promise<void> => {
    for (const [index, result] of (await app.tickwire.publishAll(messages)).entries()) {
      if ('code' in result) throw new Error(`refused: ${JSON.stringify(result)}`)
      published.set(`${messages[index]!.channel}:${messages[index]!.symbol}`, result.sequence)
    }
  }
  const level = (): Level => [String(random.integer(1, 8)), String(random.integer(0, 3))]
  const bookOf = (symbol: string): Book => ({ symbol, bids: [level()], asks: [level()] })
  const tradeOf = (symbol: string, n: number): object => ({
    symbol,
    price: String(n),
    size: '1',
    timestamp: '2026-01-01T00:00:00Z'
  })
  let n = 0
  const rare = (): string[] => PLACES.filter(place => !(thrower.thrown[place]! > 0))
  // How often each place is reached depends on the machine, so this goes on until each has thrown.
  const isDone = (): boolean => thrower.total >= EXCEPTIONS && rare().length === 0
  for (const deadline = Date.now() + 60_000; !isDone() && Date.now() < deadline;) {
    n++
    await publish([
      ...HONEST.map(symbol => ({ channel: 'trades', symbol, data: tradeOf(symbol, n) })),
      ...WILD.flatMap(symbol =>
        [1, 2].map(() => ({ channel: 'wild', symbol, data: bookOf(symbol), snapshot: random.next() < 0.3 }))
      ),
      { channel: 'odd', symbol: 'W1', data: tradeOf('W1', n) },
      { channel: 'quotes', symbol: 'H1', data: { symbol: 'H1', last: String(n) } }
    ])
    await delay(2)
  }
  const closes = holders.reduce((sum, { closes }) => sum + closes, 0)
  t.comment(
    `${thrower.total} exceptions: ${JSON.stringify(thrower.thrown)}; ${n} rounds; the others were closed ${closes} times`
  )
  t.ok(thrower.total >= EXCEPTIONS, `${thrower.total} exceptions`)
  t.same(rare(), [], 'each place has thrown')

  thrower.on = false
  const bids: Level[] = [['5', '1'], ['4', '1'], ['3', '1'], ['2', '1']]
  const asks: Level[] = [['6', '1']]
  await publish([
    ...WILD.map(symbol => ({ channel: 'wild', symbol, data: { symbol, bids, asks }, snapshot: true })),
    { channel: 'odd', symbol: 'W1', data: tradeOf('W1', n + 1) }
  ])
  await publish(
    WILD.map(symbol => ({
      channel: 'wild',
      symbol,
      data: { symbol, bids: [['7', '2']] as Level[], asks: [] }
    }))
  )
  await publish(HONEST.map(symbol => ({ channel: 'trades', symbol, data: tradeOf(symbol, n + 1) })))

  for (const { transport, follower } of honest) {
    const of = (channel: string, symbol: string): Message[] => {
      return follower.accepted.filter(message => message.channel === channel && message.symbol === symbol)
    }
    const isComplete = (): boolean =>
      of('quotes', 'H1').at(-1)?.sequence === n &&
      HONEST.every(symbol => of('trades', symbol).at(-1)?.sequence === n + 1)
    await until(`${transport}: the last messages have come`, isComplete)
    for (const symbol of HONEST) {
      t.same(
        of('trades', symbol).map(({ sequence }) => sequence),
        Array.from({ length: n + 1 }, (_, index) => index + 1),
        `${transport}: every trade of ${symbol}, once and in order`
      )
    }
    t.equal(of('quotes', 'H1').length, n, `${transport}: every quote`)
    t.same(
      [follower.gaps, follower.resets, follower.duplicates],
      [[], [], 0],
      `${transport}: no gap, no reset, nothing twice`
    )
  }
  for (const holder of holders) {
    const missing = (): string[] => [...published]
      .filter(([topic, sequence]) => holder.wants(topic) && holder.follower.holds(topic) !== sequence)
      .map(([topic, sequence]) => `${topic} ${holder.follower.holds(topic)} of ${sequence}`)
    await until('it has the last messages', () => missing().length === 0).catch(() => {})
    t.same(missing(), [], `${holder.name}: it has the last messages`)
    t.same(holder.faults, [], `${holder.name}: the client's rule holds`)
    for (const [topic, state] of holder.follower.states) {
      if (!topic.startsWith('wild:')) continue
      const bids = ['7', '5', '4', '3', '2'].slice(0, holder.depth)
      t.same(
        (state as Book).bids.map(([price]) => Number(price)),
        bids.map(Number),
        `${holder.name}: ${topic} is whole`
      )
    }
  }
  const text = await (await fetch(`${origin}/metrics`)).text()
  const counted = [...text.matchAll(/^tickwire_topic_failures_total\{.*\} (\d+)$/gm)].reduce(
    (sum, [, count]) => sum + Number(count),
    0
  )
  t.ok(counted > EXCEPTIONS / 2, `${counted} are counted`)
  const named = failures.filter(message => message.startsWith('the topic'))
  t.equal(new Set(named).size, named.length, 'each topic and place is logged once')
})

/**
 * A client of the failing topics. It keeps their states, and when it is closed it comes back with its last
 * cursor.
 */
class Holder {
  readonly follower = new StateFollower()
  readonly faults: string[] = []
  closes = -1
  private cursor: string | undefined
  private client: Client | undefined
  private over = false

  constructor (
    private readonly origin: string,
    private readonly transport: TransportName,
    private readonly query: string
  ) {
    void this.keepOpen()
  }

  get name (): string {
    return `${this.transport} ${this.query}`
  }

  get depth (): number | undefined {
    const depth = /depth=(\d+)/.exec(this.query)?.[1]
    return depth === undefined ? undefined : Number(depth)
  }

  wants (topic: string): boolean {
    return [...this.query.matchAll(/subscribe=([^:]*):([^;&]*)/g)].some(
      ([, channel, symbols]) =>
        topic.startsWith(`${channel}:`) &&
        (symbols === '*' || symbols!.split(',').includes(topic.split(':')[1]!))
    )
  }

  close (): void {
    this.over = true
    this.client?.cut()
  }

  private async keepOpen (): Promise<void> {
    while (!this.over) {
      this.closes++
      this.follower.connect()
      this.client = openClient(this.transport, this.origin, this.query, this.cursor, {
        onMessage: message => { this.take(message) },
        onCursor: cursor => {
          this.cursor = cursor
          if (this.transport === 'poll') this.follower.connect()
        }
      })
      await this.client.ended.catch(() => {})
      await delay(5)
    }
  }

  private take (message: Message): void {
    if (message.channel === undefined || message.type === 'subscribed') return
    try {
      this.follower.take(message)
    } catch (error) {
      this.faults.push(String(error))
      this.follower.forget(`${message.channel}:${message.symbol}`)
    }
  }
}
