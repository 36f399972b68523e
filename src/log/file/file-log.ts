import { ProtocolError } from '@tickwire/protocol'
import type {
  AppendItem, AppendOptions, AppendResult, Entry, Fence, KeptOrigin, KeyedMessage, Log, Page, ReadFrom,
  ShardHead, Snapshot, TailBatch, Tailing, TopicPosition
} from '../log.js'
import { type Applied, MemoryLog } from '../memory/memory-log.js'
import { Checkpoint } from './checkpoint.js'
import type { FolderLock } from './lock.js'
import { type FileLogOptions, type Found, type Opened, openFiles } from './open-files.js'
import { Writing } from './writing.js'

/** Characters of payload that may wait: how far publishers may be ahead of the disk. */
const MOST_WAITING = 64 * 1024 * 1024
/** A group of appends that is written at once ends beyond this many bytes. */
const GROUP_BYTES = 1024 * 1024
/** Bytes of a checkpoint that go with one group: this is how long the others wait for it. */
const CHECKPOINT_BYTES = 256 * 1024
const MAY_HAVE = 'the log could not write the message to its file; it may have the message or not'

/** One append, or one fence that is raised. */
interface Waiting {
  readonly characters: number
  /** Changes what the log holds. */
  apply (): void
  /** Says that what was applied is written. */
  settle (): void
  /** @param isApplied whether the log may have it all the same */
  refuse (isApplied: boolean): void
  fail (error: unknown): void
}

/**
 * The log of a single process that outlives it: what it holds is in memory, as in a `MemoryLog`, and each
 * change is in a file before anybody is told of it. Changes that come while a write is under way are written
 * together (ADR 63).
 */
export class FileLog implements Log {
  readonly shards: number
  /** What was there when the log was opened. */
  readonly found: Found
  private readonly memory: MemoryLog
  private readonly writing: Writing
  private readonly lock: FolderLock
  private waiting: Waiting[] = []
  private waitingCharacters = 0
  /** What was applied and is not written yet. */
  private underWay: readonly Waiting[] = []
  private whenSettled: Promise<boolean> = Promise.resolve(true)
  private checkpoint: Checkpoint | undefined
  private isRunning = false
  private running: Promise<void> | undefined
  private closing: Promise<void> | undefined

  private constructor (private readonly opened: Opened, private readonly options: FileLogOptions) {
    const { contents, writer, journal, folder, lock, found, hasCheckpoint } = opened
    this.shards = contents.shards.length
    this.found = found
    this.lock = lock
    this.memory = new MemoryLog(options, contents, writer)
    this.writing = new Writing({
      ...options, contents, writer, journal, folder, onTrouble: () => { this.run() }
    })
    if (!hasCheckpoint) this.beginCheckpoint()
  }

  /**
   * Opens the log of a folder, or begins one there.
   * @throws LogSetupError
   */
  static async open (options: FileLogOptions): Promise<FileLog> {
    const log = new FileLog(await openFiles(options), options)
    log.run()
    return log
  }

  shardOf (topic: string): number {
    return this.memory.shardOf(topic)
  }

  async append (items: readonly AppendItem[], options?: AppendOptions): Promise<readonly AppendResult[]> {
    const characters = items.reduce((sum, { payload }) => sum + payload.length, 0)
    return await new Promise((resolve, reject) => {
      let applied: Applied | undefined
      this.enqueue({
        characters,
        apply: () => { applied = this.memory.apply(items, options) },
        settle: () => {
          this.memory.deliver(applied!.delivery)
          resolve(applied!.results)
        },
        refuse (isApplied) {
          if (isApplied) resolve(applied!.results.map(result => 'error' in result ? result : mayHave()))
          else reject(new ProtocolError('log_unavailable'))
        },
        fail: reject
      })
    })
  }

  async raise (source: string): Promise<Fence> {
    return await new Promise((resolve, reject) => {
      let fence: Fence | undefined
      this.enqueue({
        characters: 0,
        apply: () => {
          fence = this.memory.raiseFence(source)
          this.opened.writer.noteFence(fence)
        },
        settle: () => { resolve(fence!) },
        refuse: () => { reject(new ProtocolError('log_unavailable')) },
        fail: reject
      })
    })
  }

  /** Waits until what it tells of is written: a publisher takes it for an answer to its append. */
  async find (topic: string, idempotencyKey: string): Promise<KeyedMessage | undefined> {
    const found = await this.memory.find(topic, idempotencyKey)
    await this.written()
    return found
  }

  /** Waits until what it tells of is written: a processor goes on from there. */
  async origins (processor: string, shard?: number): Promise<ReadonlyMap<string, KeptOrigin>> {
    const origins = await this.memory.origins(processor, shard)
    await this.written()
    return origins
  }

  async read (topic: string, from: ReadFrom, limit: number): Promise<Page> {
    return await this.memory.read(topic, from, limit)
  }

  async tail (shard: number, onBatch: (batch: TailBatch) => void): Promise<Tailing> {
    return await this.memory.tail(shard, onBatch)
  }

  /** Calls back when the files cannot be written, and when they can again. */
  watch (onChange: (available: boolean) => void): () => void {
    return this.writing.watch(onChange)
  }

  /** Returns none: the one node that has this log has passed on itself all that came since it started. */
  async recent (): Promise<readonly Entry[]> {
    return []
  }

  async head (shards?: Iterable<number>): Promise<readonly ShardHead[]> {
    return await this.memory.head(shards)
  }

  async topics (shard?: number): Promise<ReadonlyMap<string, TopicPosition>> {
    return await this.memory.topics(shard)
  }

  async snapshot (topic: string): Promise<Snapshot | undefined> {
    return await this.memory.snapshot(topic)
  }

  /** Writes what waits, and that nothing is missing, and gives the folder free. */
  async close (): Promise<void> {
    this.closing ??= this.closeNow()
    await this.closing
  }

  private async closeNow (): Promise<void> {
    this.writing.giveUp()
    await this.running
    await this.memory.close()
    await this.writing.close()
    await this.lock.release()
  }

  private enqueue (change: Waiting): void {
    if (this.closing !== undefined || !this.writing.isAvailable) {
      change.refuse(false)
      return
    }
    if (this.waitingCharacters > MOST_WAITING) {
      change.fail(new ProtocolError('overloaded'))
      return
    }
    this.waitingCharacters += change.characters
    this.waiting.push(change)
    this.run()
  }

  private async written (): Promise<void> {
    if (!this.writing.isAvailable || !await this.whenSettled) throw new ProtocolError('log_unavailable')
  }

  private run (): void {
    if (this.isRunning) return
    this.isRunning = true
    this.running = this.writeAll().catch((error: unknown) => {
      this.writing.abandon(error)
      for (const change of this.underWay) change.refuse(true)
      this.refuseWaiting()
    })
  }

  /** Writes group after group, until nothing waits. */
  private async writeAll (): Promise<void> {
    try {
      // What is appended in the same turn goes together.
      await Promise.resolve()
      while (this.waiting.length > 0 || this.checkpoint !== undefined || this.writing.isInTrouble) {
        await this.writeGroup()
        if (this.closing !== undefined && this.waiting.length === 0) return
      }
    } finally {
      this.isRunning = false
    }
  }

  private async writeGroup (): Promise<void> {
    const { writing, opened: { writer } } = this
    const { checkpoint } = this
    const group = this.applyGroup()
    checkpoint?.write(writer, CHECKPOINT_BYTES)
    let settle: (isWritten: boolean) => void = () => {}
    this.whenSettled = new Promise(resolve => { settle = resolve })
    this.underWay = group
    const isWritten = await writing.write(writer.bytes === 0 ? undefined : writer.takeFrame(), () => {
      settle(false)
      for (const change of group) change.refuse(true)
      this.refuseWaiting()
    })
    this.underWay = []
    settle(isWritten)
    if (!isWritten) return
    // It may have failed at first, and been told so.
    this.whenSettled = Promise.resolve(true)
    for (const change of group) change.settle()
    if (checkpoint?.hasEnded === true) {
      this.checkpoint = undefined
      await writing.endCheckpoint(checkpoint.bytes)
    } else if (checkpoint === undefined && await writing.rotateIfDue()) this.beginCheckpoint()
  }

  private refuseWaiting (): void {
    for (const change of this.waiting) change.refuse(false)
    this.waiting = []
    this.waitingCharacters = 0
  }

  private beginCheckpoint (): void {
    this.checkpoint = new Checkpoint(this.opened.contents)
  }

  /** Applies what waits, up to the size of a group. */
  private applyGroup (): readonly Waiting[] {
    const { opened: { writer } } = this
    const group: Waiting[] = []
    let taken = 0
    for (; taken < this.waiting.length && writer.bytes < GROUP_BYTES; taken++) {
      const change = this.waiting[taken]!
      this.waitingCharacters -= change.characters
      try {
        change.apply()
        group.push(change)
      } catch (error) {
        change.fail(error)
      }
    }
    this.waiting = this.waiting.slice(taken)
    return group
  }
}

const mayHave = (): AppendResult => ({ error: 'log_unavailable', message: MAY_HAVE })
