import type { DiskFile } from './disk.js'
import type { Folder } from './folder.js'
import { HEADER_BYTES, headerBytes, VERSION } from './frames.js'
import type { Segment } from './recovery.js'

/**
 * What was written and is not known to outlast a power cut stays in memory, for the case that the file system
 * loses it. After this many bytes it is synced, whatever the setting; after the second number writing waits.
 */
const MOST_UNSYNCED_BYTES = 16 * 1024 * 1024
const UNSYNCED_BYTES_THAT_WAIT = 64 * 1024 * 1024
const COPY_BYTES = 1024 * 1024

interface Unsynced {
  readonly frame: Buffer
  readonly position: number
}

/** Where the last segment stands. */
export interface JournalStart {
  readonly file: DiskFile
  readonly segments: readonly Segment[]
}

/**
 * The segments of a log, of which the last is written. After a failure nothing is written until `repair` has
 * brought the file back to what it was before:
 * - A write that failed may have left a part of a frame. The file is cut where its last frame ends.
 * - After a sync that failed nobody knows what the disk has: the system may have given up what it was to
 *   write, and the next sync would say that all is well. So the segment is written anew, in another file, and
 *   what was not synced before comes from memory.
 */
export class Journal {
  readonly segments: Segment[]
  private file: DiskFile
  private synced: number
  private unsynced: Unsynced[] = []
  private unsyncedBytes = 0
  private state: 'good' | 'cut-needed' | 'suspect' = 'good'
  private syncing: Promise<void> = Promise.resolve()

  private constructor (
    private readonly folder: Folder, private readonly shards: number, { file, segments }: JournalStart
  ) {
    this.file = file
    this.segments = [...segments]
    this.synced = this.last.bytes
  }

  /** Goes on in the last segment, which ends with a good frame. */
  static async reopen (folder: Folder, shards: number, segments: readonly Segment[]): Promise<Journal> {
    const file = await folder.disk.open(folder.segment(segments.at(-1)!.number), 'existing')
    return new Journal(folder, shards, { file, segments })
  }

  /** Begins with a first segment. @param frame what it begins with */
  static async begin (
    folder: Folder, shards: number, segment: Omit<Segment, 'bytes'>, frame: Buffer
  ): Promise<Journal> {
    const { file, bytes } = await createSegment(folder, shards, segment.number, frame)
    return new Journal(folder, shards, { file, segments: [{ ...segment, bytes }] })
  }

  /** The segment that is written. */
  get last (): Segment {
    return this.segments.at(-1)!
  }

  get isGood (): boolean {
    return this.state === 'good'
  }

  /** Whether something was written that is not synced. */
  get isDirty (): boolean {
    return this.synced < this.last.bytes
  }

  /** Whether so much is not synced that it should be, whatever the setting. */
  get needsSync (): boolean {
    return this.unsyncedBytes > MOST_UNSYNCED_BYTES
  }

  /** The bytes of all segments. */
  get bytes (): number {
    return this.segments.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** Writes a frame. If it fails, the log is not {@link isGood} until it is repaired. */
  async write (frame: Buffer): Promise<void> {
    if (this.unsyncedBytes > UNSYNCED_BYTES_THAT_WAIT) await this.sync()
    const { last } = this
    const position = last.bytes
    try {
      await this.file.write(frame, position)
    } catch (error) {
      if (this.state === 'good') this.state = 'cut-needed'
      throw error
    }
    last.bytes += frame.length
    this.unsynced.push({ frame, position })
    this.unsyncedBytes += frame.length
  }

  /** Makes what was written until now outlast a power cut. Syncs run one after another. */
  async sync (): Promise<void> {
    const sync = this.syncing.then(() => this.syncNow())
    this.syncing = sync.catch(() => {})
    await sync
  }

  private async syncNow (): Promise<void> {
    if (this.state === 'suspect') throw new Error('what was written must be written anew')
    const end = this.last.bytes
    if (end === this.synced) return
    try {
      await this.file.sync()
    } catch (error) {
      this.state = 'suspect'
      throw error
    }
    this.noteSynced(end)
  }

  /** Brings the last segment back to its last frame. May be tried again and again. */
  async repair (): Promise<void> {
    await this.syncing
    if (this.state === 'cut-needed') {
      try {
        await this.file.truncate(this.last.bytes)
        this.state = 'good'
      } catch {
        this.state = 'suspect'
      }
    }
    if (this.state === 'suspect') await this.rewrite()
  }

  /**
   * Begins the next segment, once the last one is synced. If that fails, the last one goes on, unless it was
   * the sync.
   * @param frame what it begins with
   */
  async rotate (start: readonly number[], frame: Buffer): Promise<void> {
    const number = this.last.number + 1
    const { file, bytes } = await createSegment(this.folder, this.shards, number, frame)
    await this.file.close().catch(() => {})
    this.file = file
    this.segments.push({ number, start, bytes })
    this.synced = bytes
    this.unsynced = []
    this.unsyncedBytes = 0
  }

  /** Removes the segments before one. */
  async removeBefore (number: number): Promise<void> {
    const { folder, segments } = this
    while (segments[0]!.number < number) {
      await folder.disk.remove(folder.segment(segments[0]!.number))
      segments.shift()
    }
    await folder.disk.syncFolder(folder.path)
  }

  async close (): Promise<void> {
    await this.syncing
    await this.file.close()
  }

  /** Writes the last segment into a new file: what was synced from the old one, the rest from memory. */
  private async rewrite (): Promise<void> {
    const { folder: { disk, path: folder }, last } = this
    const path = this.folder.segment(last.number)
    const temporary = `${path}.new`
    await disk.remove(temporary)
    const file = await disk.open(temporary, 'create')
    try {
      const buffer = Buffer.alloc(COPY_BYTES)
      for (let at = 0; at < this.synced;) {
        const part = buffer.subarray(0, Math.min(buffer.length, this.synced - at))
        if (await this.file.read(part, at) < part.length) throw new Error(`${path} is shorter than it was`)
        await file.write(part, at)
        at += part.length
      }
      for (const { frame, position } of this.unsynced) await file.write(frame, position)
      await file.sync()
      await disk.rename(temporary, path)
    } catch (error) {
      await file.close().catch(() => {})
      await disk.remove(temporary).catch(() => {})
      throw error
    }
    await this.file.close().catch(() => {})
    this.file = file
    await disk.syncFolder(folder)
    this.noteSynced(last.bytes)
    this.state = 'good'
  }

  private noteSynced (end: number): void {
    this.synced = end
    this.unsynced = this.unsynced.filter(({ position }) => position >= end)
    this.unsyncedBytes = this.unsynced.reduce((sum, { frame }) => sum + frame.length, 0)
  }
}

async function createSegment (
  folder: Folder, shards: number, number: number, frame: Buffer
): Promise<{ file: DiskFile, bytes: number }> {
  const { disk } = folder
  const path = folder.segment(number)
  const temporary = `${path}.new`
  await disk.remove(temporary)
  const file = await disk.open(temporary, 'create')
  try {
    await file.write(headerBytes({ version: VERSION, shards, number }), 0)
    await file.write(frame, HEADER_BYTES)
    await file.sync()
    await disk.rename(temporary, path)
    await disk.syncFolder(folder.path)
  } catch (error) {
    await file.close().catch(() => {})
    await disk.remove(temporary).catch(() => {})
    throw error
  }
  return { file, bytes: HEADER_BYTES + frame.length }
}
