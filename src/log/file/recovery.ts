import type { Channels } from '@tickwire/protocol'
import type { LogContents } from '../memory/log-contents.js'
import { LogSetupError } from '../setup-error.js'
import type { DiskFile } from './disk.js'
import type { Folder } from './folder.js'
import { HEADER_BYTES, readFrames, readHeader, VERSION } from './frames.js'
import { Restorer } from './restorer.js'

/** A segment of the log. */
export interface Segment {
  readonly number: number
  /** By shard, the last offset before it. */
  readonly start: readonly number[]
  bytes: number
}

export interface Recovered {
  readonly contents: LogContents
  /** Oldest first; none if the log begins anew. */
  readonly segments: readonly Segment[]
  /** The number that the next segment may have. */
  readonly next: number
  /** The texts of the last segment, by number. */
  readonly texts: readonly string[]
  /** Whether the last segment has a whole checkpoint. */
  readonly hasCheckpoint: boolean
  /** Whether the process before had closed the log, so that nothing is missing. */
  readonly isClosed: boolean
  /** What was damaged, and kept aside: names of files. */
  readonly aside: readonly string[]
}

export interface RecoveryOptions {
  readonly folder: Folder
  readonly shards: number
  readonly channels: Channels
  readonly makeContents: () => LogContents
}

interface Read {
  /** Where the last good frame ends. */
  readonly end: number
  readonly size: number
  /** Whether a good frame cannot follow what came before it. */
  readonly isInconsistent: boolean
  readonly hasHeader: boolean
}

/**
 * Reads what the files of a folder hold. It cuts a damaged file at its first bad record, and keeps the rest
 * aside. If a later segment has a whole checkpoint, the log goes on from there, and only messages before it
 * are missing, as if retention had dropped them; otherwise the log ends at the cut.
 */
export class Recovery {
  private readonly aside: string[] = []
  /** The segments that began elsewhere than the ones before them ended. */
  private readonly gaps = new Set<number>()

  constructor (private readonly options: RecoveryOptions) {}

  /** @throws LogSetupError for files of another version, or of a log with other shards */
  async run (): Promise<Recovered> {
    await this.options.folder.sweep()
    for (;;) {
      const recovered = await this.attempt()
      if (recovered !== undefined) return recovered
    }
  }

  /** @returns undefined if it has cut something, so that all must be read again */
  private async attempt (): Promise<Recovered | undefined> {
    const { folder, channels, makeContents } = this.options
    const { segments: all, kept } = await folder.numbers()
    // Messages were kept from the segments before this one, because those were to be removed.
    const first = kept.filter(number => all.includes(number)).at(-1) ?? 0
    const numbers = all.filter(number => number >= first)
    const next = Math.max(0, ...all) + 1
    const contents = makeContents()
    const restorer = new Restorer(contents, channels)
    this.gaps.clear()
    if (first > 0) {
      const { end, size } = await this.readFile(folder.kept(first), restorer, true)
      if (end < size) await this.cut(folder.kept(first), end)
    }
    const segments: Segment[] = []
    let isClosed = false
    for (let index = 0; index < numbers.length; index++) {
      const number = numbers[index]!
      const path = folder.segment(number)
      const { end, size, isInconsistent, hasHeader } = await this.readFile(path, restorer, false)
      const isLast = index === numbers.length - 1
      if (isInconsistent) {
        await this.cut(path, end)
        return undefined
      }
      if (!hasHeader || restorer.start === undefined) {
        // The process ended before it had begun the segment; or nothing of it can be read.
        await this.cut(path, 0)
        return undefined
      }
      segments.push({ number, start: restorer.start, bytes: end })
      isClosed = restorer.isClosed && end === size
      if (end === size) continue
      await this.cut(path, end)
      if (isLast) break
      const whole = await this.nextWhole(numbers.slice(index + 1))
      const gone = numbers.slice(index + 1).filter(later => whole === undefined || later < whole)
      for (const later of gone) await this.cut(folder.segment(later), 0)
      if (whole === undefined) return undefined
      restorer.noteGap()
      index += gone.length
    }
    if (!restorer.isWhole && numbers.length > 0) {
      // No checkpoint ends behind the last gap: the log ends before it, or it begins anew.
      const from = Math.max(0, segments.findLastIndex(({ number }) => this.gaps.has(number)))
      for (const { number } of segments.slice(from)) await this.cut(folder.segment(number), 0)
      return undefined
    }
    for (const old of all.filter(number => number < first)) await folder.disk.remove(folder.segment(old))
    for (const old of kept.filter(number => number !== first)) await folder.disk.remove(folder.kept(old))
    if (numbers.length > 0) restorer.finish()
    const { texts, hasCheckpoint } = restorer
    return { contents, segments, next, texts, hasCheckpoint, isClosed, aside: this.aside }
  }

  private async readFile (path: string, restorer: Restorer, isKept: boolean): Promise<Read> {
    const { folder: { disk } } = this.options
    restorer.beginSegment(isKept)
    const size = await disk.size(path)
    const file = await disk.open(path, 'existing')
    try {
      const number = await this.checkHeader(file, path)
      if (number === undefined) return { end: 0, size, isInconsistent: false, hasHeader: false }
      let isInconsistent = false
      const end = await readFrames(file, size, body => {
        isInconsistent = !restorer.apply(body)
        return !isInconsistent
      })
      if (restorer.beganElsewhere) this.gaps.add(number)
      return { end, size, isInconsistent, hasHeader: true }
    } finally {
      await file.close()
    }
  }

  /** Returns the number in the header; undefined if there is no header. */
  private async checkHeader (file: DiskFile, path: string): Promise<number | undefined> {
    const buffer = Buffer.alloc(HEADER_BYTES)
    const header = readHeader(buffer.subarray(0, await file.read(buffer, 0)))
    if (header === undefined) return undefined
    if (header.version !== VERSION) {
      throw new LogSetupError(`LOG_PATH: ${path} was written by another version of Tickwire (its layout is ` +
        `${header.version}, this version's is ${VERSION}), and this version cannot read it; choose another ` +
        'folder, where a new log begins and clients get a reset, or start the other version')
    }
    if (header.shards !== this.options.shards) {
      throw new LogSetupError(`LOG_SHARDS: the log in ${this.options.folder.path} was made with ` +
        `${header.shards} shards, which cannot be changed; set LOG_SHARDS=${header.shards}, or choose ` +
        'another LOG_PATH')
    }
    return header.number
  }

  /** Finds the first of some segments that has a whole checkpoint. */
  private async nextWhole (numbers: readonly number[]): Promise<number | undefined> {
    const { folder, channels, makeContents } = this.options
    for (const number of numbers) {
      const restorer = new Restorer(makeContents(), channels)
      const { isInconsistent } = await this.readFile(folder.segment(number), restorer, false)
      if (restorer.hasCheckpoint && !isInconsistent) return number
    }
    return undefined
  }

  /** Keeps the end of a file aside and cuts it off; a file that is cut off as a whole is removed. */
  private async cut (path: string, end: number): Promise<void> {
    const { folder } = this.options
    const name = await folder.setAside(path, end)
    if (name !== undefined) this.aside.push(name)
    if (end === 0) await folder.disk.remove(path)
    else {
      const file = await folder.disk.open(path, 'existing')
      try {
        await file.truncate(end)
        await file.sync()
      } finally {
        await file.close()
      }
    }
    await folder.disk.syncFolder(folder.path)
  }
}
