import { standardChannels } from '@tickwire/protocol'
import fc from 'fast-check'
import { type Test, test } from 'tap'
import {
  type AppendItem, type AppendResult, type Entry, type EpochStart, IDEMPOTENCY_SECONDS, type TailBatch
} from '../../src/log/log.js'
import { AMPLE, backends, type LogBackend, ManualClock, tailAll, wasLost } from './logs.js'

/**
 * Runs any sequence of appends, sleeps and restarts against a plain model of the rules. The model keeps every
 * message ever appended, marks the dropped ones, and folds each state from the first message on.
 */

/** The last is private; acknowledged.test.ts has the channels whose messages wait for their user. */
const TOPICS = ['quotes:A', 'quotes:B', 'trades:A', 'trades:B', 'book:A', 'book:B', 'notes@u']
/**
 * The bound on topics. Shards of a Redis count alone, so with several of them no test depends on the total.
 */
const MAX_TOPICS = 6
const NO_BOUND = 1000
const MESSAGES = 5
const SECONDS = 60
const BYTES = 2600
const SHARDS = [1, 4]

interface Level { readonly price: string, readonly size: string }

type Step =
  | {
    readonly do: 'append'
    readonly items: ReadonlyArray<{
      topic: string
      levels: readonly Level[]
      replaces: boolean
      key: string | undefined
    }>
  }
  | { readonly do: 'sleep', readonly seconds: number }
  | { readonly do: 'restart', readonly losses: readonly number[] }

const level = fc.record({
  price: fc.constantFrom('1', '1.0', '2', '2.50', '2.5', '10'),
  size: fc.constantFrom('0', '0.00', '-0.0', '1', '2.5')
})
const append = fc.record({
  do: fc.constant('append' as const),
  items: fc.array(fc.record({
    topic: fc.constantFrom(...TOPICS),
    levels: fc.array(level, { maxLength: 3 }),
    replaces: fc.boolean(),
    key: fc.option(fc.constantFrom('k1', 'k2', 'k3'), { nil: undefined, freq: 4 })
  }), { minLength: 1, maxLength: 6 })
})
const sleep = fc.record({
  do: fc.constant('sleep' as const),
  seconds: fc.constantFrom(-5, 0.001, 1, 20, 59, 60, 601)
})
const restart = fc.record({
  do: fc.constant('restart' as const),
  losses: fc.array(fc.nat(8), { minLength: 4, maxLength: 4 })
})

const steps = (exact: boolean): fc.Arbitrary<Step[]> => fc.array(fc.oneof(
  { weight: 6, arbitrary: append },
  { weight: 1, arbitrary: restart },
  ...(exact ? [{ weight: 2, arbitrary: sleep }] : [])
), { maxLength: 40 })

interface ModelEntry extends Entry {
  dropped: boolean
  /** Counts the appends. */
  readonly call: number
}

/** The rules of the contract, written as plainly as possible. */
class Model {
  /** All messages that were appended and not lost, in order. */
  entries: ModelEntry[] = []
  readonly epochs: EpochStart[][]
  readonly told: Entry[] = []
  private keys: Array<{ name: string, result: AppendResult, entry: ModelEntry, until: number }> = []
  private time = 0
  private calls = 0

  constructor (
    private readonly shards: number,
    private readonly clock: ManualClock,
    private readonly overheadBytes: number | undefined,
    private readonly maxTopics: number,
    epochs: readonly EpochStart[][]
  ) {
    this.epochs = epochs.map(known => [...known])
  }

  of (topic: string): ModelEntry[] {
    return this.entries.filter(entry => entry.topic === topic)
  }

  offset (shard: number): number {
    return Math.max(0, ...this.entries.filter(entry => entry.shard === shard).map(({ offset }) => offset))
  }

  append (items: readonly AppendItem[], shardOf: (topic: string) => number): AppendResult[] {
    this.tick()
    this.keys = this.keys.filter(({ until }) => until > this.time)
    const call = ++this.calls
    const results = items.map((item): AppendResult => {
      const { topic, payload, replaces = false } = item
      const name = JSON.stringify([topic, item.idempotencyKey])
      const known = item.idempotencyKey === undefined ? undefined : this.keys.find(key => key.name === name)
      if (known !== undefined) return { ...known.result, repeated: true }
      const own = this.of(topic)
      const isRetained = ({ dropped }: ModelEntry): boolean => !dropped
      const topics = (): number => new Set(this.entries.filter(isRetained).map(entry => entry.topic)).size
      if (!own.some(isRetained) && topics() >= this.maxTopics) this.expire()
      if (!own.some(isRetained) && topics() >= this.maxTopics) return { error: 'overloaded' }
      const shard = shardOf(topic)
      const [sequence, offset] = [own.length + 1, this.offset(shard) + 1]
      const entry = {
        topic,
        shard,
        offset,
        sequence,
        previous: own.at(-1)?.offset ?? 0,
        timestamp: this.time,
        payload,
        replaces,
        dropped: false,
        call
      }
      this.entries.push(entry)
      this.told.push(entry)
      if (this.overheadBytes !== undefined) {
        for (const old of this.of(topic).slice(0, -MESSAGES)) old.dropped = true
      }
      const result = { sequence, offset, shard }
      if (item.idempotencyKey !== undefined) {
        this.keys.push({ name, result, entry, until: this.time + IDEMPOTENCY_SECONDS * 1000 })
      }
      return result
    })
    this.expire()
    return results
  }

  expire (): void {
    this.tick()
    this.expireAt(this.time)
  }

  private expireAt (time: number): void {
    const { overheadBytes } = this
    if (overheadBytes === undefined) return
    for (const entry of this.entries) if (entry.timestamp <= time - SECONDS * 1000) entry.dropped = true
    const held = this.entries
      .filter(({ dropped }) => !dropped)
      .sort((a, b) => a.timestamp - b.timestamp || a.offset - b.offset || a.shard - b.shard)
    let bytes = held.reduce((sum, { payload }) => sum + payload.length + overheadBytes, 0)
    for (const entry of held) {
      if (bytes <= BYTES) return
      entry.dropped = true
      bytes -= entry.payload.length + overheadBytes
    }
  }

  /**
   * Returns the lowest offset that a restart may keep: messages that retention has dropped cannot be lost any
   * more.
   */
  leastKept (shard: number): number {
    return Math.max(
      0,
      ...this.entries.filter(entry => entry.shard === shard && entry.dropped).map(({ offset }) => offset)
    )
  }

  restart (keep: readonly number[], epochs: readonly number[]): void {
    this.entries = this.entries.filter(({ shard, offset }) => offset <= keep[shard]!)
    this.keys = this.keys.filter(({ entry }) => this.entries.includes(entry))
    for (let shard = 0; shard < this.shards; shard++) {
      this.epochs[shard] = [
        ...this.epochs[shard]!,
        { epoch: epochs[shard]!, start: this.offset(shard) + 1 }
      ].slice(-32)
    }
  }

  /** Drops anew what a log drops that is given all messages again, append by append. */
  dropAnew (): void {
    const all = this.entries
    this.entries = []
    for (const entry of all) entry.dropped = false
    for (const [index, entry] of all.entries()) {
      this.entries.push(entry)
      for (const old of this.of(entry.topic).slice(0, -MESSAGES)) old.dropped = true
      if (all[index + 1]?.call !== entry.call) this.expireAt(entry.timestamp)
    }
  }

  state (topic: string): unknown {
    const own = this.of(topic)
    if (own.length === 0 || !/^(quotes|book):/.test(topic)) return undefined
    if (topic.startsWith('quotes')) return JSON.parse(own.at(-1)!.payload)
    const sides = { bids: new Map<number, string[]>(), asks: new Map<number, string[]>() }
    for (const { payload, replaces } of own) {
      const data = JSON.parse(payload) as { bids: string[][], asks: string[][] }
      for (const side of ['bids', 'asks'] as const) {
        if (replaces) sides[side].clear()
        for (const [price, size] of data[side] as Array<[string, string]>) {
          if (Number(size) === 0) sides[side].delete(Number(price))
          else sides[side].set(Number(price), [price, size])
        }
      }
    }
    const sorted = (side: Map<number, string[]>, sign: number) =>
      [...side].sort(([a], [b]) => sign * (a - b)).map(([, entry]) => entry)
    return { symbol: 'X', bids: sorted(sides.bids, -1), asks: sorted(sides.asks, 1) }
  }

  private tick (): void {
    this.time = Math.max(this.time, this.clock.time)
  }
}

/**
 * Makes a payload. A replacement lists each level once, none with size zero, and the best first, as the
 * schema demands.
 */
function payloadOf (n: number, topic: string, levels: readonly Level[], replaces: boolean): string {
  if (!topic.startsWith('book')) return JSON.stringify({ n })
  const distinct = [
    ...new Map(levels.map(({ price, size }) => [Number(price), [price, size] as const])).values()
  ].filter(([, size]) => Number(size) !== 0)
  const bids = replaces
    ? distinct.sort(([a], [b]) => Number(b) - Number(a))
    : levels.map(({ price, size }) => [price, size])
  return JSON.stringify({ symbol: 'X', bids, asks: [] })
}

function same (actual: unknown, expected: unknown, what: string): void {
  const [got, wanted] = [JSON.stringify(actual), JSON.stringify(expected)]
  if (got !== wanted) throw new Error(`${what}:\n  got      ${got}\n  expected ${wanted}`)
}

const plain = ({ topic, shard, offset, sequence, previous, timestamp, payload, replaces }: Entry): Entry =>
  ({ topic, shard, offset, sequence, previous, timestamp, payload, replaces })

async function run (backend: LogBackend, shards: number, taken: readonly Step[]): Promise<void> {
  const { exact } = backend
  const maxTopics = exact !== undefined || shards === 1 ? MAX_TOPICS : NO_BOUND
  const clock = new ManualClock()
  const opened = await backend.open({
    channels: standardChannels,
    shards,
    maxTopics,
    clock,
    retention: exact === undefined ? AMPLE : { messages: MESSAGES, seconds: SECONDS, bytes: BYTES }
  })
  const { log } = opened
  const heard: TailBatch[] = []
  await tailAll(log, batch => { heard.push(batch) })
  const model = new Model(
    shards,
    clock,
    exact?.overheadBytes,
    maxTopics,
    (await log.head()).map(({ epochs }) => [...epochs])
  )
  let n = 0

  async function compare (): Promise<void> {
    model.expire()
    for (const topic of TOPICS) {
      const own = model.of(topic)
      const kept = own.filter(({ dropped }) => !dropped)
      const shard = log.shardOf(topic)
      const last = own.length === 0 ? undefined : { sequence: own.length, offset: own.at(-1)!.offset }
      const page = await log.read(topic, { sequence: 0 }, 1000)
      // A backend with its own clock sets its own timestamps.
      const timed = (entry: Entry): Entry =>
        exact === undefined ? { ...plain(entry), timestamp: 0 } : plain(entry)
      same(page.entries.map(timed), kept.map(timed), `entries of ${topic}`)
      same(
        [page.last?.sequence, page.last?.offset, page.first, page.epoch],
        [last?.sequence, last?.offset, kept[0]?.sequence, model.epochs[shard]!.at(-1)!.epoch],
        `page of ${topic}`
      )
      for (const offset of new Set([0, n % 7, ...own.slice(-8).map(entry => entry.offset)])) {
        const partial = await log.read(topic, { offset }, 2)
        same(
          partial.entries.map(({ sequence }) => sequence),
          kept
            .filter(entry => entry.offset > offset)
            .slice(0, 2)
            .map(({ sequence }) => sequence),
          `${topic} after offset ${offset}`
        )
        same(
          wasLost(partial, offset),
          own.some(entry => entry.offset > offset && entry.dropped),
          `whether ${topic} lost anything after ${offset}`
        )
      }
      same(
        (await log.read(topic, { sequence: own.length - 2 }, 1)).entries.map(({ offset }) => offset),
        kept
          .filter(({ sequence }) => sequence > own.length - 2)
          .slice(0, 1)
          .map(({ offset }) => offset),
        `${topic} by sequence`
      )
      // Reads the state only now and then, so that states are folded in steps of different sizes.
      if ((n + topic.length) % 3 !== 0) continue
      const snapshot = await log.snapshot(topic)
      same(snapshot && JSON.parse(snapshot.payload), model.state(topic), `state of ${topic}`)
      if (snapshot !== undefined) {
        same(
          [snapshot.sequence, snapshot.asOf, snapshot.epoch],
          [own.length, model.offset(shard), page.epoch],
          `position of the state of ${topic}`
        )
      }
    }
    const known = [...await log.topics()].map(([topic, { sequence }]) => `${topic} ${sequence}`).sort()
    same(
      known,
      TOPICS.map(topic => `${topic} ${model.of(topic).length}`)
        .filter(text => !text.endsWith(' 0'))
        .sort(),
      'topics'
    )
    for (const [shard, head] of (await log.head()).entries()) {
      same(
        [head.offset, head.epoch, head.epochs],
        [model.offset(shard), model.epochs[shard]!.at(-1)!.epoch, model.epochs[shard]],
        `head of shard ${shard}`
      )
    }
  }

  try {
    for (const step of taken) {
      if (step.do === 'append') {
        const items = step.items.map(({ topic, levels, replaces, key }): AppendItem => ({
          topic,
          payload: payloadOf(++n, topic, levels, replaces),
          replaces,
          ...(key === undefined ? {} : { idempotencyKey: key })
        }))
        same(await log.append(items), model.append(items, topic => log.shardOf(topic)), 'answers')
      } else if (step.do === 'sleep') clock.sleep(step.seconds)
      else {
        const keep = Array.from({ length: shards }, (_, shard) =>
          Math.max(model.leastKept(shard), model.offset(shard) - step.losses[shard]!)
        )
        await opened.restart(keep)
        model.restart(keep, (await log.head()).map(({ epoch }) => epoch))
        if (backend.dropsAnew === true) model.dropAnew()
      }
      await compare()
    }
    if (exact === undefined) return
    for (let shard = 0; shard < shards; shard++) {
      const own = heard.filter(batch => batch.shard === shard)
      same(
        own.flatMap(({ entries }) => entries).map(plain),
        model.told.filter(entry => entry.shard === shard).map(plain),
        `told of shard ${shard}`
      )
      same(
        own.filter(({ entries }) => entries.length === 0).length,
        taken.filter(step => step.do === 'restart').length,
        `epochs told of shard ${shard}`
      )
    }
  } finally {
    await opened.close()
  }
}

const wanted = Number(process.env['FUZZ_RUNS'] ?? 200)
/** The share of runs for a backend that is another one's log over other connections. */
const SHARE_OVER_OTHERS = 0.1
const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() & 0x7FFFFFFF)

for (const backend of backends) {
  const runs = Math.ceil(backend.overOthers === true ? wanted * SHARE_OVER_OTHERS : wanted)
  for (const shards of SHARDS) {
    void test(`${backend.name}, ${shards} shards: does what the plain model does`, async (t: Test) => {
      t.comment(`FUZZ_SEED=${seed} FUZZ_RUNS=${runs}`)
      await fc.assert(
        fc.asyncProperty(steps(backend.exact !== undefined), taken => run(backend, shards, taken)),
        { numRuns: runs, seed }
      )
      t.pass(`${runs} sequences, FUZZ_SEED=${seed}`)
    })
  }
}
