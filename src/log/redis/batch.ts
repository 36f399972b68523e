import type { Entry, EpochStart } from '../log.js'

/** A batch as the log tells it to every node, and keeps it among the recent entries. */
export interface Batch {
  readonly epoch: EpochStart
  readonly entries: readonly Entry[]
}

type Header = [epoch: number, start: number, first: number, time: number, heads: Array<[topic: string, sequence: number, previous: number, replaces: 0 | 1]>]

/** The text that append.lua writes: a line of JSON, then a payload a line. */
export function parseBatch (shard: number, text: string): Batch {
  const lines = text.split('\n')
  const [epoch, start, first, timestamp, heads] = JSON.parse(lines[0]!) as Header
  const entries = heads.map(([topic, sequence, previous, replaces], index): Entry => (
    { topic, shard, offset: first + index, sequence, previous, timestamp, payload: lines[index + 1]!, replaces: replaces === 1 }
  ))
  return { epoch: { epoch, start }, entries }
}

/** An entry of a topic's stream, as Redis answers it. */
export type StreamEntry = [id: string, fields: string[]]

export function parseEntry (topic: string, shard: number, [id, fields]: StreamEntry): Entry {
  const [offset, sequence] = id.split('-')
  return {
    topic, shard, offset: Number(offset), sequence: Number(sequence), previous: Number(fields[1]), timestamp: Number(fields[3]), payload: fields[7]!, replaces: fields[5] === '1'
  }
}
