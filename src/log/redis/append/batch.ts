import type { AppendItem, AppendResult, Entry, EpochStart, KeptOrigin, Origin, TopicPosition } from '../../log.js'

/** What append.lua is given of a batch, beside its keys. */
export interface BatchText {
  /** Each once, numbered from 1 in this order. */
  readonly topics: readonly string[]
  /** Each once, numbered from 1 in this order. */
  readonly onceKeys: readonly string[]
  /** Of each item the number of its topic, `r` where it replaces the state, `k` and the number of its idempotency key, `o` where it has an origin, and a comma. */
  readonly items: string
  /** A payload a line: JSON text of one value holds no line break. */
  readonly payloads: string
  /** The processor that all origins are of; absent where no item has one. */
  readonly processor: string | undefined
  /** A line for each item that has one, see {@link originText}. */
  readonly origins: string
}

/** An origin as Redis keeps it. */
const originText = ({ epoch, offset, part, processor, topic }: Origin): string => `${epoch}:${offset}:${part}:${processor}:${topic}`

const ORIGIN = /^(\d+):(\d+):(\d+):([^:]+):(.*)$/s

function parseOrigin (text: string): Origin {
  const [, epoch, offset, part, processor, topic] = ORIGIN.exec(text)!
  return { processor: processor!, topic: topic!, epoch: Number(epoch), offset: Number(offset), part: Number(part) }
}

const KEPT_ORIGIN = /^(\d+):(\d+):(.*)$/s

/** What append.lua keeps of the newest origin: sequence and offset of the message that had it, and the origin. */
export function parseKeptOrigin (text: string): KeptOrigin {
  const [, sequence, outputOffset, origin] = KEPT_ORIGIN.exec(text)!
  return { ...parseOrigin(origin!), sequence: Number(sequence), outputOffset: Number(outputOffset) }
}

/** @param onceKey the Redis key of a topic's idempotency key */
export function encodeBatch (items: readonly AppendItem[], onceKey: (topic: string, key: string) => string): BatchText {
  const topics = new Map<string, number>()
  const onceKeys = new Map<string, number>()
  const number = (numbers: Map<string, number>, name: string): number => {
    let found = numbers.get(name)
    if (found === undefined) numbers.set(name, found = numbers.size + 1)
    return found
  }
  let described = ''
  let payloads = ''
  let origins = ''
  let processor: string | undefined
  for (const { topic, payload, replaces, idempotencyKey, origin } of items) {
    described += `${number(topics, topic)}${replaces === true ? 'r' : ''}`
    if (idempotencyKey !== undefined) described += `k${number(onceKeys, onceKey(topic, idempotencyKey))}`
    if (origin !== undefined) {
      described += 'o'
      origins += originText(origin) + '\n'
      processor = origin.processor
    }
    described += ','
    payloads += payload + '\n'
  }
  return { topics: [...topics.keys()], onceKeys: [...onceKeys.keys()], items: described, payloads, processor, origins }
}

/** Before: sequence and offset of each topic. */
type Answer = [first: number, before: number[], exceptions: Array<[item: number, sequence: number, offset: number]>]

/** What append.lua answered, for each item in its place. */
export function parseAnswer (shard: number, items: readonly AppendItem[], { topics }: BatchText, text: string): AppendResult[] {
  const [first, before, exceptions] = JSON.parse(text) as Answer
  const sequences = new Map(topics.map((topic, index) => [topic, before[2 * index]!]))
  let offset = first
  let exception = 0
  return items.map(({ topic, origin }, index): AppendResult => {
    const other = exceptions[exception]
    if (other?.[0] === index) {
      exception++
      if (other[1] === 0) return { error: 'overloaded' }
      return { sequence: other[1], offset: other[2], shard, ...(origin === undefined ? {} : { repeated: true }) }
    }
    const sequence = sequences.get(topic)! + 1
    sequences.set(topic, sequence)
    return { sequence, offset: offset++, shard }
  })
}

/** A batch as the log tells it to every node, and keeps it among the recent entries. */
export interface Batch {
  readonly epoch: EpochStart
  readonly entries: readonly Entry[]
}

/** Before: sequence and offset of each topic. Items: as in {@link BatchText}. */
type Header = [epoch: number, start: number, first: number, time: number, topics: string[], before: number[], items: string]

/** The text that append.lua writes: a line of JSON, then a payload a line. */
export function parseBatch (shard: number, text: string): Batch {
  let at = text.indexOf('\n')
  const [epoch, start, first, timestamp, topics, before, items] = JSON.parse(text.slice(0, at)) as Header
  const entries: Entry[] = []
  for (let from = 0, offset = first, end: number; (end = items.indexOf(',', from)) >= 0; from = end + 1, offset++) {
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

/** Whether a position says that the topic has no messages any more. */
export const isDormant = (text: string): boolean => text.endsWith(',-')

/** The place of a topic's last message, as `seq` holds it. */
export function parsePosition (text: string): TopicPosition {
  const [sequence, offset] = text.split(',')
  return { sequence: Number(sequence), offset: Number(offset) }
}

/** An entry of a topic's stream, as Redis answers it. */
export type StreamEntry = [id: string, fields: string[]]

/** Of an entry: the topic's offset before it, when it was accepted, whether it replaces the state. */
const POSITION = /^(\d+):(\d+)(r?)$/

export function parseEntry (topic: string, shard: number, [id, [, position, , payload, , origin]]: StreamEntry): Entry {
  const [offset, sequence] = id.split('-')
  const [, previous, timestamp, replaces] = POSITION.exec(position!)!
  return {
    topic,
    shard,
    offset: Number(offset),
    sequence: Number(sequence),
    previous: Number(previous),
    timestamp: Number(timestamp),
    payload: payload!,
    replaces: replaces === 'r',
    ...(origin === undefined ? {} : { origin: parseOrigin(origin) })
  }
}
