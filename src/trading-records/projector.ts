import { setTimeout as delay } from 'node:timers/promises'
import { channelOfKey } from '@tickwire/protocol'
import { wordsOf } from '../errors.js'
import type { Entry, Log, ShardHead } from '../log/log.js'
import { readTopic, ShardInputs, untilAborted } from '../processors/shard-inputs.js'
import type { SourceLogger } from '../sources/source.js'
import type { Store, StoreAccess } from '../store/store.js'
import { newestTradingTimestamp, readTradingPosition } from '../store/trading-rows.js'
import { lostMessages, offsetBehind } from './retained.js'
import { tradingRows, type TradingRows, WRITTEN } from './rows.js'

/** What is written, and waited for, at a time: of all shards together less than may wait in the store. */
const BATCH = 1000
/** For how long messages are gathered into one batch. */
const LINGER_MS = 200
/** How long it waits for messages before it looks whether it must end. */
const IDLE_MS = 1000
/** For how long it waits at a time until a batch is written. */
const FLUSH_MS = 1000
/** The pause before the store is asked again, if it did not answer. */
const RETRY_MS = 1000

const PROJECTED: ReadonlySet<string> = new Set(['orders', 'accounts', 'strategies'])

export interface ProjectorOptions {
  readonly log: Log
  readonly store: StoreAccess
  readonly logger: SourceLogger
  readonly lingerMs?: number | undefined
}

/**
 * Writes what the log has of orders, accounts and strategies to the store. It reads the log as a processor
 * does. Its position is in the store, and moves when the store has written everything up to it. So a store
 * that is away costs nothing but time: the log keeps what waits. A restart, or another server, goes on from
 * the position.
 */
export class TradingProjector {
  /** By shard, the least timestamp of rows, once it was found out. */
  private readonly floors = new Map<number, number>()

  constructor (private readonly options: ProjectorOptions) {}

  /** Follows the log until the signal is aborted. @throws ProtocolError `log_unavailable` */
  async run (signal: AbortSignal): Promise<void> {
    await this.eachShard(async shard => {
      await untilAborted(signal, () => new ShardProjection(shard, this.options, this.floors, signal).follow())
    })
  }

  /**
   * Writes what the log has now: for a log in memory that is about to end.
   * @throws the reason of the signal, if it is aborted before that is done
   */
  async finish (signal: AbortSignal): Promise<void> {
    await this.eachShard(async shard => {
      const done = new AbortController()
      await untilAborted(done.signal, async () => {
        signal.throwIfAborted()
        await new ShardProjection(shard, this.options, this.floors, signal).catchUpOnce()
        done.abort()
      })
    })
  }

  private async eachShard (work: (shard: number) => Promise<void>): Promise<void> {
    await Promise.all(Array.from({ length: this.options.log.shards }, (_, shard) => work(shard)))
  }
}

/** Where a shard's messages go. */
interface Target {
  readonly store: Store
  /** Everything up to this offset is written. */
  readonly offset: number
  /** The least timestamp of rows. */
  readonly floor: number
}

/** One run on one shard. It ends with BeginAnew if the log has begun an epoch, or is too far ahead. */
class ShardProjection {
  private target: Target | undefined

  constructor (
    private readonly shard: number,
    private readonly options: ProjectorOptions,
    private readonly floors: Map<number, number>,
    private readonly signal: AbortSignal
  ) {}

  async follow (): Promise<void> {
    const { signal, options: { log, lingerMs = LINGER_MS } } = this
    const inputs = await ShardInputs.follow(log, this.shard, PROJECTED)
    try {
      await this.catchUp(inputs)
      while (!signal.aborted) {
        const entries = [...await inputs.next(IDLE_MS, signal)]
        if (entries.length === 0) continue
        if (entries.length < BATCH) {
          await delay(lingerMs, undefined, { signal }).catch(() => {})
          entries.push(...await inputs.next(0, signal))
        }
        await this.write(entries, inputs.head)
        this.move(inputs.head, entries.at(-1)!)
      }
    } finally {
      inputs.end()
    }
  }

  async catchUpOnce (): Promise<void> {
    const inputs = await ShardInputs.follow(this.options.log, this.shard, PROJECTED)
    inputs.end()
    await this.catchUp(inputs)
  }

  /** Writes what the log has up to the head at which following began, topic after topic. */
  private async catchUp (inputs: ShardInputs): Promise<void> {
    const { head } = inputs
    const topics = [...await this.options.log.topics(this.shard)].filter(([topic]) => inputs.isInput(topic))
    // Nobody trades: then no store is needed.
    if (topics.length === 0) return
    const { offset } = await this.begin(head)
    let newest: Entry | undefined
    let missed = 0
    for (const [topic, last] of topics) {
      if (last.offset <= offset) continue
      for await (const page of readTopic(this.options.log, topic, offset, head)) {
        // Of states, only the newest counts.
        if (page[0]!.missed && offset > 0 && channelOfKey(topic) === 'orders') missed++
        const entries = page.map(({ entry }) => entry)
        await this.write(entries, head)
        const latest = entries.at(-1)!
        if (newest === undefined || latest.offset > newest.offset) newest = latest
      }
    }
    if (newest !== undefined) this.move(head, newest)
    if (missed === 0) return
    this.options.logger.error({ event: 'store', shard: this.shard, users: missed },
      'the log had dropped messages of orders before the store could be written: the store is without them')
  }

  /** Opens the store, and finds out where to go on. */
  private async begin (head: ShardHead): Promise<Target> {
    if (this.target !== undefined) return this.target
    const { shard, floors } = this
    const store = await this.options.store.opened(this.signal)
    this.target = await this.untilAvailable(async () => {
      const position = await readTradingPosition(store, shard)
      const offset = offsetBehind(position, head)
      const isKnown = head.epochs.some(({ epoch }) => epoch === position?.epoch)
      // Rows of lost messages would keep those that are left from coming back.
      if (isKnown && offset === 0) await store.deleteLost(lostMessages(head))
      let floor = floors.get(shard) ?? 0
      // Another log wrote the rows, and its clock may have been ahead.
      if (!isKnown && !floors.has(shard)) floor = (await newestTradingTimestamp(store) ?? -1) + 1
      floors.set(shard, floor)
      return { store, floor, offset }
    })
    return this.target
  }

  /** Writes entries, and waits until they are written. @throws the reason of the signal, if it is aborted */
  private async write (entries: readonly Entry[], head: ShardHead): Promise<void> {
    const { store, floor } = await this.begin(head)
    for (let at = 0; at < entries.length; at += BATCH) {
      await this.put(store, tradingRows(entries.slice(at, at + BATCH), head, floor))
    }
  }

  /** Writes rows until the store has them all, but for those that the database refuses. */
  private async put (store: Store, rows: TradingRows): Promise<void> {
    const sum = (count: 'dropped' | 'waiting'): number => {
      const { state, tables } = store.health()
      if (state === 'closed') throw new Error('the store is closed')
      return WRITTEN.reduce((total, table) => total + tables[table][count], 0)
    }
    for (;;) {
      const before = sum('dropped')
      for (const table of WRITTEN) store.write(table, rows[table])
      while (!await store.flush(FLUSH_MS)) {
        this.signal.throwIfAborted()
        if (sum('waiting') === 0) break
      }
      // Rows of others may have taken the room of these.
      if (sum('dropped') === before) return
      this.signal.throwIfAborted()
    }
  }

  private move (head: ShardHead, { offset, timestamp }: Entry): void {
    const { store, floor } = this.target!
    store.write('trading_positions', {
      shard: this.shard, epoch: head.epoch, log_offset: offset, timestamp: Math.max(timestamp, floor)
    })
  }

  private async untilAvailable<Result> (work: () => Promise<Result>): Promise<Result> {
    for (let isSaid = false; ; isSaid = true) {
      try {
        return await work()
      } catch (error) {
        this.signal.throwIfAborted()
        if (!isSaid) {
          this.options.logger.warn({ event: 'store', shard: this.shard, error: wordsOf(error) },
            'the store does not say up to where it has orders; the server asks again')
        }
        await delay(RETRY_MS, undefined, { signal: this.signal })
      }
    }
  }
}
