import { setTimeout as delay } from 'node:timers/promises'
import { decodeCursor, standardChannels } from '@tickwire/protocol'
import fc from 'fast-check'
import { test } from 'tap'
import type { Connection } from '../../src/connection/connection.js'
import { receiveText, writer } from '../helpers/native.js'
import { makeSelector } from '../../src/hub/audience/selector.js'
import { poll } from '../../src/transports/poll/poll.js'
import type { Message } from '../helpers/clients.js'
import { MemoryWire } from '../helpers/memory-wire.js'
import { type Node, startNode } from '../helpers/node.js'
import { StateFollower } from '../helpers/state-follower.js'

/**
 * Throttled and cut subscriptions under any sequence of updates, changes of options, overlapping selectors,
 * symbols that enter and leave sets, snapshots, cuts, resumes by stream and by poll, new epochs, and times in
 * which the client does not read. The client's rule never finds a gap, the server sends nothing twice on a
 * connection, and in the end each state equals the unthrottled one.
 */
const SYMBOLS = ['A', 'B', 'C'] as const
const SELECTORS = ['A', 'B', '*', '@sector/x', '@sector/y'] as const
const CHANNELS = ['quotes', 'book'] as const
/**
 * The longest throttle never reaches its second tick in a run, so what it holds back must come in another
 * way.
 */
const THROTTLES = [undefined, 10, 15, 60_000] as const
const DEPTHS = [undefined, 1, 2] as const

type Symbol = (typeof SYMBOLS)[number]
interface Wanted {
  readonly channel: (typeof CHANNELS)[number]
  readonly selector: (typeof SELECTORS)[number]
  readonly throttle: number | undefined
  readonly depth: number | undefined
}

type Step =
  | { readonly do: 'quote', readonly symbol: Symbol, readonly count: number }
  | {
    readonly do: 'book'
    readonly symbol: Symbol
    readonly levels: ReadonlyArray<readonly [side: boolean, price: number, size: number]>
    readonly snapshot: boolean
  }
  | { readonly do: 'subscribe', readonly wanted: Wanted }
  | {
    readonly do: 'unsubscribe' | 'snapshot'
    readonly channel: Wanted['channel']
    readonly selector: Wanted['selector']
  }
  | { readonly do: 'cut' | 'open' | 'poll' | 'tick' | 'wait' | 'stall' | 'drip' | 'read' }
  | { readonly do: 'move', readonly symbol: Symbol, readonly sector: 'x' | 'y' }
  | { readonly do: 'lose', readonly count: number }

const symbol = fc.constantFrom(...SYMBOLS)
const selector = fc.constantFrom(...SELECTORS)
const channel = fc.constantFrom(...CHANNELS)
const wanted: fc.Arbitrary<Wanted> = fc
  .record({ channel, selector, throttle: fc.constantFrom(...THROTTLES), depth: fc.constantFrom(...DEPTHS) })
  .map(({ depth, ...rest }) => ({ ...rest, depth: rest.channel === 'book' ? depth : undefined }))
const level = fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 3 }))

const steps = (losses: boolean): fc.Arbitrary<Step[]> => fc.array(fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('quote' as const), symbol, count: fc.integer({ min: 1, max: 4 }) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('book' as const),
      symbol,
      levels: fc.array(level, { minLength: 1, maxLength: 4 }),
      snapshot: fc.boolean()
    })
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('subscribe' as const), wanted }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('unsubscribe' as const, 'snapshot' as const), channel, selector }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'cut' as const, 'open' as const, 'open' as const, 'poll' as const, 'tick' as const, 'tick' as const
      )
    })
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('stall' as const, 'drip' as const, 'read' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('move' as const), symbol, sector: fc.constantFrom('x' as const, 'y' as const) })
  },
  ...(losses
    ? [{ weight: 1, arbitrary: fc.record({ do: fc.constant('lose' as const), count: fc.integer({ min: 0, max: 6 }) }) }]
    : [])
), { maxLength: 50 })

const tick = (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })
const nameOf = ({ channel, selector }: Pick<Wanted, 'channel' | 'selector'>): string =>
  `${channel}:${selector}`

class Client {
  readonly follower = new StateFollower()
  readonly wanted = new Map<string, Wanted>()
  readonly failures: unknown[] = []
  /** The selectors whose topics the cursor covers. */
  private covered = new Set<string>()
  private confirmed = new Set<string>()
  private cursor: string | undefined
  private connection: Connection | undefined
  private wire: MemoryWire | undefined
  private stalled = false
  private stop: () => void = () => {}

  constructor (private readonly node: Node) {}

  get isOpen (): boolean {
    return this.connection !== undefined
  }

  open (): void {
    if (this.isOpen) return
    let cut = false
    this.follower.connect()
    this.confirmed = new Set()
    const wire = this.wire = new MemoryWire(true, message => { if (!cut) this.note(message) })
    const connection = this.connection = this.node.connect(wire)
    this.stop = () => { cut = true; connection.onClose() }
    const all = [...this.wanted.values()]
    for (const wanted of all) if (this.covered.has(nameOf(wanted))) this.send(wanted, this.cursor)
    for (const wanted of all) if (!this.covered.has(nameOf(wanted))) this.send(wanted)
  }

  cut (): void {
    this.stop()
    this.connection = this.wire = undefined
  }

  /**
   * Sets how the client reads from now on: not at all, only what `drip` reads at a tick, or everything at
   * once.
   */
  reads (how: 'stall' | 'drip' | 'read'): void {
    if (this.wire === undefined) return
    this.wire.drips = how === 'drip'
    this.wire.stalled = how !== 'read'
    this.stalled = how === 'stall'
    if (how === 'read') this.connection?.onDrain()
  }

  /** Reads what was written, if the client drips. */
  drip (): void {
    if (this.wire?.stalled !== true || this.stalled) return
    this.wire.stalled = false
    this.connection?.onDrain()
  }

  subscribe (wanted: Wanted): void {
    this.wanted.set(nameOf(wanted), wanted)
    this.covered.delete(nameOf(wanted))
    if (this.isOpen) this.send(wanted)
  }

  unsubscribe (channel: Wanted['channel'], selector: Wanted['selector']): void {
    this.wanted.delete(nameOf({ channel, selector }))
    if (this.isOpen) this.say({ action: 'unsubscribe', channel, symbols: [selector] })
  }

  say (message: object): void {
    receiveText(this.connection!, JSON.stringify(message))
  }

  /** Polls once from the cursor for what it covers. */
  async poll (): Promise<void> {
    if (this.isOpen || this.cursor === undefined) return
    const selectors = [...this.wanted.values()]
      .filter(wanted => this.covered.has(nameOf(wanted)))
      .map(({ channel, selector, throttle, depth }) =>
        makeSelector(standardChannels.get(channel)!, selector, undefined, {
          view: { throttleMs: throttle ?? 0, depth: depth ?? 0 }
        })
      )
    if (selectors.length === 0) return
    const { text } = await poll(this.node.hub, selectors, {
      start: { from: 'cursor', cursor: decodeCursor(this.cursor)! }, snapshots: true, writer, limit: 3, waitMs: 0, signal: new AbortController().signal
    })
    const answer = JSON.parse(text) as { cursor: string, messages: Message[] }
    this.follower.connect()
    for (const message of answer.messages) this.follower.take(message)
    this.cursor = answer.cursor
  }

  private send ({ channel, selector, throttle, depth }: Wanted, after?: string): void {
    this.say({
      action: 'subscribe',
      channel,
      symbols: [selector],
      ...(throttle === undefined ? {} : { throttle_ms: throttle }),
      ...(depth === undefined ? {} : { depth }),
      ...(after === undefined ? {} : { after })
    })
  }

  /** Records what `take` throws, because it would be thrown into the server. */
  private note (message: Message): void {
    try {
      this.take(message)
    } catch (error) {
      this.failures.push(error)
    }
  }

  private take (message: Message): void {
    switch (message.type) {
      case 'error': throw new Error(JSON.stringify(message))
      case 'cursor':
      case 'heartbeat':
        this.cursor = message['cursor'] as string
        this.covered = new Set(this.confirmed)
        return
      case 'subscribed':
        this.confirmed.add(`${message.channel}:${(message['symbols'] as string[])[0]}`)
        return
      case 'unsubscribed': {
        const selector = (message['symbols'] as string[])[0]!
        this.confirmed.delete(`${message.channel}:${selector}`)
        for (const symbol of SYMBOLS) {
          if (covers(this.node, selector, symbol)) this.follower.forget(`${message.channel}:${symbol}`)
        }
        return
      }
      default: this.follower.take(message)
    }
  }
}

const covers = (node: Node, selector: string, symbol: string): boolean =>
  selector === '*' || selector === symbol || node.hub.membership.sets(symbol).includes(selector)

/** Returns what an unthrottled client would have of a state, cut as the client asked for. */
function expected (payload: string, depth: number | undefined): unknown {
  const data = JSON.parse(payload) as { bids?: unknown[], asks?: unknown[] }
  return data.bids === undefined
    ? data
    : { ...data, bids: data.bids.slice(0, depth), asks: data.asks!.slice(0, depth) }
}

const sameState = (a: unknown, b: unknown): boolean => {
  const plain = (state: unknown): string => {
    const { symbol, bids, asks, last } = state as Record<string, unknown>
    return JSON.stringify({ symbol, bids, asks, last })
  }
  return plain(a) === plain(b)
}

async function runSteps (steps: readonly Step[], shards: number, recentBytes: number): Promise<void> {
  const node = await startNode({ shards, recentBytes, pageMessages: 5, lingerMs: 1 })
  const declare = async (symbol: Symbol, sector: string): Promise<void> => {
    await node.log.append([{ topic: `instruments:${symbol}`, payload: JSON.stringify({ symbol, sector }) }])
  }
  for (const [index, symbol] of SYMBOLS.entries()) await declare(symbol, index === 0 ? 'x' : 'y')
  await tick()
  await tick()
  const client = new Client(node)
  client.subscribe({ channel: 'quotes', selector: '*', throttle: 10, depth: undefined })
  client.subscribe({ channel: 'book', selector: '@sector/x', throttle: 60_000, depth: 1 })
  client.open()
  let price = 0
  for (const step of steps) {
    switch (step.do) {
      case 'quote':
        await node.log.append(
          Array.from({ length: step.count }, () => ({
            topic: `quotes:${step.symbol}`,
            payload: JSON.stringify({ symbol: step.symbol, last: String(++price) })
          }))
        )
        break
      case 'book': {
        const side = (bid: boolean): string[][] =>
          step.levels
            .filter(([isBid, , size]) => isBid === bid && (!step.snapshot || size > 0))
            .map(([, level, size]) => [String(bid ? level : level + 5), String(size)])
        await node.log.append([
          {
            topic: `book:${step.symbol}`,
            payload: JSON.stringify({ symbol: step.symbol, bids: side(true), asks: side(false) }),
            replaces: step.snapshot
          }
        ])
        break
      }
      case 'subscribe': client.subscribe(step.wanted); break
      case 'unsubscribe': client.unsubscribe(step.channel, step.selector); break
      case 'snapshot':
        if (client.isOpen) client.say({ action: 'snapshot', channel: step.channel, symbols: [step.selector] })
        break
      case 'cut': client.cut(); break
      case 'open': client.open(); break
      case 'poll': await client.poll(); break
      case 'stall':
      case 'drip':
      case 'read': client.reads(step.do); break
      case 'tick': client.drip(); await tick(); break
      case 'wait': await delay(12); break
      case 'move': await declare(step.symbol, step.sector); break
      case 'lose': {
        const heads = await node.log.head()
        node.log.restart(
          heads.map(({ offset }: { offset: number }) => Math.max(SYMBOLS.length, offset - step.count))
        )
        break
      }
    }
  }
  client.open()
  client.reads('read')
  for (let i = 0; i < 40; i++) await tick()
  // A message that waits for its clock comes when the clock is made faster.
  for (const wanted of [...client.wanted.values()]) {
    if (wanted.throttle === 60_000) client.subscribe({ ...wanted, throttle: 10 })
  }
  for (let i = 0; i < 20; i++) await tick()
  await delay(40)
  for (let i = 0; i < 20; i++) await tick()
  const [failure] = [...node.errors, ...client.failures]
  if (failure !== undefined) throw failure
  for (const channel of CHANNELS) {
    for (const symbol of SYMBOLS) {
      const topic = `${channel}:${symbol}`
      const by = [...client.wanted.values()].filter(
        wanted => wanted.channel === channel && covers(node, wanted.selector, symbol)
      )
      const state = await node.log.snapshot(topic)
      if (by.length === 0 || state === undefined) continue
      const depth = by.some(({ depth }) => depth === undefined)
        ? undefined
        : Math.max(...by.map(({ depth }) => depth!))
      const held = client.follower.states.get(topic)
      if (held === undefined || !sameState(held, expected(state.payload, depth))) {
        throw new Error(
          `${topic} at depth ${depth}: the log has ${state.sequence} ${state.payload}, ` +
          `the client ${client.follower.holds(topic)} ${JSON.stringify(held)}`
        )
      }
    }
  }
  await node.close()
}

const runs = Number(process.env['FUZZ_RUNS'] ?? 50)

for (const [losses, text] of [[false, 'nothing is lost'], [true, 'epochs change']] as const) {
  for (const shards of [1, 3]) {
    for (const [size, recentBytes] of [['many', 1 << 20], ['few', 900]] as const) {
      test(`leads to the same state by fewer messages: ${text} (${shards} shards, ${size} recent entries)`, async t => {
        await fc.assert(
          fc.asyncProperty(steps(losses), async list => {
            await runSteps(list, shards, recentBytes)
          }),
          { numRuns: runs }
        )
        t.pass(`${runs} sequences`)
      })
    }
  }
}
