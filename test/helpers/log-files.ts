import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Disk, type DiskFile, nodeDisk } from '../../src/log/file/disk.js'
import { FRAME_HEAD_BYTES, HEADER_BYTES, sealFrame } from '../../src/log/file/frames.js'
import { HAS_KEY, HAS_ORIGIN, HAS_STATE, Record, STATE_FAILED } from '../../src/log/file/record-kinds.js'

/** The files of a log, as a test looks at them and cuts them: written after their description alone. */

interface StoredRecord {
  readonly kind: number
  readonly bytes: Buffer
  /** Of a message: the number of its topic, and its offset. */
  readonly topic?: number
  readonly offset?: number
}

/** The file system of this machine, but nothing is synced: for tests that cut no power. */
export const quickDisk: Disk = {
  ...nodeDisk,
  async open (path, mode): Promise<DiskFile> {
    const file = await nodeDisk.open(path, mode)
    return {
      write: (bytes, position) => file.write(bytes, position),
      read: (buffer, position) => file.read(buffer, position),
      truncate: length => file.truncate(length),
      sync: async () => {},
      close: () => file.close()
    }
  },
  syncFolder: async () => {}
}

/** The segments in a folder, oldest first. */
export const segmentsOf = (folder: string): string[] =>
  readdirSync(folder).filter(name => name.endsWith('.log')).sort().map(name => join(folder, name))

/** Where the frames of a file end, the first after its header. */
export function frameEnds (file: Buffer): number[] {
  const ends: number[] = []
  for (let at = HEADER_BYTES; at + FRAME_HEAD_BYTES <= file.length;) {
    at += FRAME_HEAD_BYTES + file.readUInt32LE(at)
    ends.push(at)
  }
  return ends
}

/** Copies the files of a log as they stand, which is what a process that is killed leaves behind. */
export function copyLog (from: string, to: string): void {
  cpSync(from, to, { recursive: true, filter: path => !/\/(lock[^/]*|owner\.json)$/.test(path) })
}

/**
 * Takes the messages behind an offset of each shard out of a log that has one segment.
 * @param keep by shard
 */
export function loseBeyond (
  folder: string, keep: readonly number[], shardOf: (topic: string) => number
): void {
  const paths = segmentsOf(folder)
  if (paths.length !== 1) throw new Error(`the log has ${paths.length} segments; only one can be cut by shards`)
  const file = readFileSync(paths[0]!)
  const texts: string[] = []
  const parts: Buffer[] = [file.subarray(0, HEADER_BYTES)]
  let start = HEADER_BYTES
  for (const end of frameEnds(file)) {
    const records = recordsOf(file.subarray(start + FRAME_HEAD_BYTES, end))
    const left = records.filter(({ kind, bytes, topic, offset }) => {
      if (kind === Record.text) texts.push(bytes.toString('utf8', 5))
      return kind !== Record.message || offset! <= keep[shardOf(texts[topic!]!)]!
    })
    if (left.length > 0) {
      const bodies = left.map(({ bytes }) => bytes)
      parts.push(sealFrame(Buffer.concat([Buffer.alloc(FRAME_HEAD_BYTES), ...bodies])))
    }
    start = end
  }
  writeFileSync(paths[0]!, Buffer.concat(parts))
}

function recordsOf (body: Buffer): StoredRecord[] {
  const records: StoredRecord[] = []
  let at = 0
  const text = (): void => { at += 4 + body.readUInt32LE(at) }
  while (at < body.length) {
    const start = at
    const kind = body[at++]!
    let message: { topic: number, offset: number } | undefined
    switch (kind) {
      case Record.time: case Record.closed:
        at += 8
        break
      case Record.checkpointEnd: break
      case Record.key:
        at += 36
        text()
        break
      case Record.message: {
        const flags = body[at]!
        message = { topic: body.readUInt32LE(at + 1), offset: body.readDoubleLE(at + 5) }
        at += 29 + ((flags & HAS_ORIGIN) === 0 ? 0 : 32)
        if ((flags & HAS_KEY) !== 0) text()
        text()
        break
      }
      case Record.topic: {
        const flags = body[at]!
        at += 21
        if ((flags & (HAS_STATE | STATE_FAILED)) !== 0) {
          at += 16
          text()
        }
        at += 4 + 48 * body.readUInt32LE(at)
        break
      }
      case Record.text: case Record.shards: case Record.fence: case Record.opened:
        text()
        break
      default: throw new Error(`record ${kind} at ${start}`)
    }
    records.push({ kind, bytes: body.subarray(start, at), ...message })
  }
  return records
}
