import { type BarInterval, barsChannel, topicKey } from '@tickwire/protocol'
import type { Log } from '../../log/log.js'
import { formatStart } from './instant.js'

/** Messages in one read, and between two turns: few milliseconds of work. */
const PAGE = 500
const START = '"start":"'
const START_LENGTH = 20

export interface BarsRequest {
  readonly symbol: string
  readonly interval: BarInterval
  /** Bars that start at it or later; milliseconds since 1970, as `to`. */
  readonly from: number | undefined
  /** Bars that start before it. */
  readonly to: number | undefined
  /** The newest so many of them. */
  readonly limit: number
}

export interface BarsFound {
  readonly shard: number
  /** The shard's epoch. */
  readonly epoch: number
  /** The topic's sequence that the bars have; what comes after it is news. */
  readonly sequence: number
  /** The newest message about each bar as JSON text, oldest bar first. */
  readonly bars: readonly string[]
}

/**
 * Returns recorded bars that start in a time, of each the newest message: the newest `limit` of them, oldest
 * first. Times are in milliseconds since 1970.
 */
export type ReadRecordedBars = (
  topic: { readonly channel: string, readonly symbol: string }, from: number, to: number, limit: number
) => Promise<ReadonlyArray<{ readonly data: string }>>

export type TakeTurn = () => Promise<void> | undefined

/** No bar starts before the first, or after the last: they bound what a Date holds. */
const [FIRST_MS, LAST_MS] = [-8.64e15, 8.64e15]

/**
 * Reads bars from where they are: what the log has of their topic, and what is recorded of those that the log
 * has dropped. A subscription after the sequence of the answer goes on without a gap and without a double.
 * @throws ProtocolError `log_unavailable`
 */
export async function readBars (
  log: Log, recorded: ReadRecordedBars, request: BarsRequest, takeTurn: TakeTurn
): Promise<BarsFound> {
  const { symbol, interval, from, to, limit } = request
  const channel = barsChannel(interval)
  const topic = topicKey({ channel, symbol })
  const { epoch, sequence, byStart } = await readRetained(log, topic, takeTurn)
  const rows = await recorded({ channel, symbol }, from ?? FIRST_MS, to ?? LAST_MS, limit)
  await takeTurn()
  for (const { data } of rows) {
    const start = startOf(data)
    // What the log retains of a bar is newer, or is what the sequence of the answer stands for.
    if (!byStart.has(start)) byStart.set(start, data)
  }
  const [first, end] = [startFrom(from ?? -Infinity), startFrom(to ?? Infinity)]
  const bars = [...byStart]
    .filter(([start]) => start >= first && start < end)
    .sort(([a], [b]) => a < b ? -1 : 1)
    .slice(-limit)
    .map(([, payload]) => payload)
  return { shard: log.shardOf(topic), epoch, sequence, bars }
}

interface Retained {
  readonly epoch: number
  readonly sequence: number
  /** The newest message about each bar. */
  readonly byStart: Map<string, string>
}

/** Reads all messages of a topic of bars. */
async function readRetained (log: Log, topic: string, takeTurn: TakeTurn): Promise<Retained> {
  const byStart = new Map<string, string>()
  let read: { readonly epoch: number, readonly sequence: number } | undefined
  for (;;) {
    await takeTurn()
    const { entries, epoch, last } = await log.read(topic, { sequence: read?.sequence ?? 0 }, PAGE)
    // The shard may have other messages now than those that were read.
    if (read !== undefined && epoch !== read.epoch) return await readRetained(log, topic, takeTurn)
    for (const entry of entries) byStart.set(startOf(entry.payload), entry.payload)
    const sequence = entries.at(-1)?.sequence ?? read?.sequence ?? last?.sequence ?? 0
    if (entries.length < PAGE) return { epoch, sequence, byStart }
    read = { epoch, sequence }
  }
}

/**
 * Finds the start in a payload without parsing it: ten thousand are read for one answer. No other field of a
 * bar can hold this text.
 */
function startOf (payload: string): string {
  const at = payload.indexOf(START) + START.length
  return payload.slice(at, at + START_LENGTH)
}

/** Returns the first start of a bar that is not before a time, as text; starts compare as texts. */
function startFrom (ms: number): string {
  if (ms === -Infinity) return ''
  return ms === Infinity ? '~' : formatStart(Math.ceil(ms / 1000) * 1000)
}
