import type { Entry, EpochStart } from './log.js'

/**
 * Consecutive messages of a shard as text, on their way to those who follow it: a line of JSON, then one
 * payload a line. JSON text of one value has no line break.
 */

/** A batch as a log publishes it to every node, and keeps it among the recent entries. */
export interface Batch {
  readonly epoch: EpochStart
  readonly entries: readonly Entry[]
}

/**
 * `before` has the sequence and offset of each topic before the batch. `items` has for each item the number
 * of its topic, from 1, `r` if it replaces the state, and a comma; other letters in it mean nothing here.
 */
type Header = [
  epoch: number, start: number, first: number, time: number, topics: string[], before: number[], items: string
]

/** Reads a batch, as append.lua and {@link batchText} write it. */
export function parseBatch (shard: number, text: string): Batch {
  let at = text.indexOf('\n')
  const [epoch, start, first, timestamp, topics, before, items] = JSON.parse(text.slice(0, at)) as Header
  const entries: Entry[] = []
  let offset = first
  for (let from = 0, end: number; (end = items.indexOf(',', from)) >= 0; from = end + 1, offset++) {
    const item = items.slice(from, end)
    const index = Number.parseInt(item) - 1
    const next = text.indexOf('\n', at + 1)
    entries.push({
      topic: topics[index]!,
      shard,
      offset,
      sequence: ++before[2 * index]!,
      previous: before[2 * index + 1]!,
      timestamp,
      payload: text.slice(at + 1, next),
      replaces: item.includes('r')
    })
    before[2 * index + 1] = offset
    at = next
  }
  return { epoch: { epoch, start }, entries }
}

/** Whether a batch may have an entry behind another: it has one time, and no gap. */
export const canFollow = (entry: Entry, before: Entry): boolean =>
  entry.offset === before.offset + 1 && entry.timestamp === before.timestamp

/** Writes a batch. @param entries without a gap, and of one time; none to announce an epoch */
export function batchText ({ epoch, start }: EpochStart, entries: readonly Entry[]): string {
  const numbers = new Map<string, number>()
  const before: number[] = []
  let items = ''
  let payloads = ''
  for (const { topic, sequence, previous, payload, replaces } of entries) {
    let number = numbers.get(topic)
    if (number === undefined) {
      numbers.set(topic, number = numbers.size + 1)
      before.push(sequence - 1, previous)
    }
    items += replaces ? `${number}r,` : `${number},`
    payloads += payload + '\n'
  }
  const [first] = entries
  const header: Header = [
    epoch, start, first?.offset ?? start, first?.timestamp ?? 0, [...numbers.keys()], before, items
  ]
  return `${JSON.stringify(header)}\n${payloads}`
}
