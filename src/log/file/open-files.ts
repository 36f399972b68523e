import { LogSetupError } from '../setup-error.js'
import type { LogContents } from '../memory/log-contents.js'
import { emptyContents, type MemoryLogOptions } from '../memory/memory-log.js'
import { writeStart } from './checkpoint.js'
import { type Disk, nodeDisk } from './disk.js'
import { Folder } from './folder.js'
import { hasChecksum } from './frames.js'
import { Journal } from './journal.js'
import { FolderLock } from './lock.js'
import { RecordWriter } from './record-writer.js'
import { Recovery } from './recovery.js'

export const SEGMENT_BYTES = 64 * 1024 * 1024

export interface FileLogSettings {
  /**
   * When what was written is made to outlast a power cut: before it is acknowledged, within so many
   * milliseconds, or when the system does.
   */
  readonly fsync: 'always' | 'never' | number
  /** A segment has about this many bytes. */
  readonly segmentBytes: number
  readonly onError: (error: unknown, message: string) => void
}

export interface FileLogOptions extends MemoryLogOptions, FileLogSettings {
  /** The folder. */
  readonly path: string
  /** Default: the file system of this machine. */
  readonly disk?: Disk | undefined
}

/** What was there when the log was opened. */
export interface Found {
  readonly messages: number
  readonly topics: number
  readonly segments: number
  readonly bytes: number
  /** Whether nothing is missing: the shards go on in their epochs. */
  readonly isEpochKept: boolean
  /** Whether the log begins: there was none, or it could not be read. */
  readonly isNew: boolean
  /** Damaged parts of files, which are kept under these names. */
  readonly aside: readonly string[]
  /** How long opening took, in milliseconds. */
  readonly tookMs: number
}

export interface Opened {
  readonly contents: LogContents
  readonly writer: RecordWriter
  readonly journal: Journal
  readonly folder: Folder
  readonly lock: FolderLock
  readonly found: Found
  /** Whether the last segment has a whole checkpoint. */
  readonly hasCheckpoint: boolean
}

/** Takes a folder, and brings back the log that it has. @throws LogSetupError */
export async function openFiles (options: FileLogOptions): Promise<Opened> {
  const { path, disk = nodeDisk } = options
  if (!hasChecksum()) {
    throw new LogSetupError('LOG_PATH needs Node 20.15 or newer, or 22.2 or newer: ' +
      `this is ${process.version}, which lacks zlib.crc32`)
  }
  const folder = new Folder(disk, path)
  try {
    await folder.create()
    const lock = await FolderLock.take(path)
    try {
      return { ...await restore(folder, options), folder, lock }
    } catch (error) {
      await lock.release()
      throw error
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    throw new LogSetupError(`LOG_PATH: ${path} cannot be used: ${error.message}`)
  }
}

async function restore (
  folder: Folder, options: FileLogOptions
): Promise<Omit<Opened, 'folder' | 'lock'>> {
  const began = performance.now()
  const { shards = 1, channels } = options
  const makeContents = (): LogContents => emptyContents(options)
  const recovered = await new Recovery({ folder, shards, channels, makeContents }).run()
  const { contents, segments, next, isClosed, aside } = recovered
  const writer = new RecordWriter()
  const isNew = segments.length === 0
  let journal: Journal
  if (isNew) {
    writeStart(writer, contents)
    writer.noteCheckpointEnd()
    noteOpened(writer, contents)
    const start = contents.shards.map(({ offset }) => offset)
    journal = await Journal.begin(folder, shards, { number: next, start }, writer.takeFrame())
  } else {
    if (!isClosed) contents.beginEpochs()
    writer.texts = new Map(recovered.texts.map((text, id) => [text, id]))
    journal = await Journal.reopen(folder, shards, segments)
    // Without it a log that lost everything after this would seem to have been closed in order.
    noteOpened(writer, contents)
    await journal.write(writer.takeFrame())
    await journal.sync()
  }
  const { topics } = contents
  let messages = 0
  for (const { size } of topics.histories.values()) messages += size
  const found: Found = {
    messages,
    topics: topics.histories.size + topics.dormant.size,
    segments: segments.length,
    bytes: journal.bytes,
    isEpochKept: isClosed,
    isNew,
    aside,
    tookMs: Math.round(performance.now() - began)
  }
  return { contents, writer, journal, found, hasCheckpoint: isNew || recovered.hasCheckpoint }
}

function noteOpened (writer: RecordWriter, { shards, time }: LogContents): void {
  writer.noteOpened({ time, epochs: shards.map(({ epochs }) => epochs) })
}
