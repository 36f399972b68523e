import type { LogContents } from '../memory/log-contents.js'
import { writeStart } from './checkpoint.js'
import type { Folder } from './folder.js'
import type { Journal } from './journal.js'
import { OldSegments } from './old-segments.js'
import type { FileLogSettings } from './open-files.js'
import type { RecordWriter } from './record-writer.js'

/** How long the log waits before it tries a failed write again. */
const RETRY_MS = 250
/** A segment that could not be followed by another grows by this share before the log tries again. */
const GROWTH_BEFORE_RETRY = 0.125
/** The next checkpoint comes after this many times its bytes at the earliest. */
const BYTES_PER_CHECKPOINT_BYTE = 2

export interface WritingOptions extends FileLogSettings {
  readonly folder: Folder
  readonly contents: LogContents
  readonly writer: RecordWriter
  readonly journal: Journal
  /** The files are in trouble, although nobody writes: `write` must be called. */
  readonly onTrouble: () => void
}

/** Writes frames until they are written, whatever the disk says, and syncs them as the settings want. */
export class Writing {
  isAvailable = true
  private readonly watchers = new Set<(available: boolean) => void>()
  private readonly old: OldSegments
  private syncTimer: NodeJS.Timeout | undefined
  private upkeep: Promise<void> = Promise.resolve()
  private nextRotation: number
  private hasGivenUp = false
  /** Whether something was applied that is in no file: the log cannot be closed in order any more. */
  private isIncomplete = false
  private endWait: (() => void) | undefined

  constructor (private readonly options: WritingOptions) {
    const { folder, contents, journal, segmentBytes } = options
    this.old = new OldSegments(folder, contents, journal, segmentBytes)
    this.nextRotation = segmentBytes
  }

  /** Whether a sync failed since the last write. */
  get isInTrouble (): boolean {
    return !this.options.journal.isGood
  }

  watch (onChange: (available: boolean) => void): () => void {
    this.watchers.add(onChange)
    return () => { this.watchers.delete(onChange) }
  }

  /** From now on a write that failed is tried once more, and no more after that. */
  giveUp (): void {
    this.hasGivenUp = true
    this.endWait?.()
  }

  /**
   * Writes a frame, and syncs it where each write is to be synced. If that fails, it tries again until it
   * succeeds.
   * @param frame undefined: only what is in trouble is repaired
   * @param onFailure is called at the first failure
   * @returns false if it has given up
   */
  async write (frame: Buffer | undefined, onFailure: () => void): Promise<boolean> {
    const { journal, fsync } = this.options
    let isWritten = frame === undefined
    let hasFailed = false
    for (;;) {
      const isLastTry = this.hasGivenUp
      try {
        if (!journal.isGood) await journal.repair()
        if (!isWritten) await journal.write(frame!)
        isWritten = true
        if (fsync === 'always') await journal.sync()
        if (hasFailed) this.recover()
        this.syncLater()
        return true
      } catch (error) {
        if (!hasFailed) {
          hasFailed = true
          this.fail(error)
          onFailure()
        }
        if (isLastTry) {
          this.isIncomplete = true
          return false
        }
        await this.wait()
      }
    }
  }

  /** Refuses all from now on: what was applied last may not be written. */
  abandon (error: unknown): void {
    this.isIncomplete = true
    this.fail(error)
  }

  /** Begins the next segment if the last one is long enough. @returns whether it did */
  async rotateIfDue (): Promise<boolean> {
    const { journal, contents, writer, segmentBytes } = this.options
    const { bytes } = journal.last
    if (bytes < this.nextRotation) return false
    const { texts } = writer
    try {
      await journal.sync()
      writer.texts = new Map()
      writeStart(writer, contents)
      await journal.rotate(contents.shards.map(({ offset }) => offset), writer.takeFrame())
      return true
    } catch (error) {
      // Only once the segment is there its texts are; a failed sync is repaired by the next write.
      if (writer.texts !== texts) writer.texts = texts
      this.nextRotation = bytes + segmentBytes * GROWTH_BEFORE_RETRY
      this.options.onError(error, 'the log could not begin another file, and goes on with the last one')
      return false
    }
  }

  /**
   * The checkpoint of the last segment is written: what is older is not needed any more, once it is synced.
   * @param bytes of the checkpoint
   */
  async endCheckpoint (bytes: number): Promise<void> {
    const { journal, segmentBytes } = this.options
    const { number, bytes: length } = journal.last
    this.nextRotation = Math.max(segmentBytes, length + BYTES_PER_CHECKPOINT_BYTE * bytes)
    try {
      await journal.sync()
    } catch {
      // The next write repairs it, and the next checkpoint tries again.
      return
    }
    this.upkeep = this.upkeep.then(() => this.old.remove(number)).catch((error: unknown) => {
      this.options.onError(error, 'the log could not remove files that it does not need any more')
    })
  }

  /** Says in the file that nothing is missing, and closes it. */
  async close (): Promise<void> {
    const { journal, writer, contents, onError } = this.options
    clearTimeout(this.syncTimer)
    await this.upkeep
    try {
      if (this.isIncomplete) throw new Error('what was appended last is not written')
      if (!journal.isGood) await journal.repair()
      writer.noteClosed(contents.now())
      await journal.write(writer.takeFrame())
      await journal.sync()
    } catch (error) {
      onError(error, 'the log could not be closed in order: at the next start its shards begin a new epoch')
    }
    await journal.close().catch((error: unknown) => {
      onError(error, 'the file of the log could not be closed')
    })
  }

  private syncLater (): void {
    const { fsync, journal } = this.options
    if (journal.needsSync) this.syncNow()
    else if (typeof fsync === 'number') {
      this.syncTimer ??= setTimeout(() => { this.syncNow() }, fsync).unref()
    }
  }

  private syncNow (): void {
    clearTimeout(this.syncTimer)
    this.syncTimer = undefined
    this.options.journal.sync().catch(() => { this.options.onTrouble() })
  }

  private fail (error: unknown): void {
    this.isAvailable = false
    this.options.onError(error, 'the log cannot write its files; it refuses appends until it can')
    for (const onChange of this.watchers) onChange(false)
  }

  private recover (): void {
    this.isAvailable = true
    for (const onChange of this.watchers) onChange(true)
  }

  private async wait (): Promise<void> {
    if (this.hasGivenUp) return
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, RETRY_MS)
      this.endWait = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.endWait = undefined
  }
}
