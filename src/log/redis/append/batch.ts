import type {
  AppendItem, AppendResult, Entry, KeptOrigin, Origin, TopicPosition
} from '../../log.js'

/** A batch as append.lua gets it, beside its keys. */
export interface BatchText {
  /** Each topic once, numbered from 1 in this order. */
  readonly topics: readonly string[]
  /** Each key once, numbered from 1 in this order. */
  readonly onceKeys: readonly string[]
  /**
   * For each item: the number of its topic, `r` if it replaces the state, `k` and the number of its
   * idempotency key if it has one, `o` if it has an origin, and a comma.
   */
  readonly items: string
  /** One payload a line: JSON text of one value has no line break. */
  readonly payloads: string
  /** The processor of all origins; undefined if no item has one. */
  readonly processor: string | undefined
  /** One line for each item that has an origin, see {@link originText}. */
  readonly origins: string
}

/** Writes an origin as Redis keeps it. */
const originText = ({ epoch, offset, part, processor, topic }: Origin): string =>
  `${epoch}:${offset}:${part}:${processor}:${topic}`

const ORIGIN = /^(\d+):(\d+):(\d+):([^:]+):(.*)$/s

function parseOrigin (text: string): Origin {
  const [, epoch, offset, part, processor = '', topic = ''] = ORIGIN.exec(text)!
  return { processor, topic, epoch: Number(epoch), offset: Number(offset), part: Number(part) }
}

const KEPT_ORIGIN = /^(\d+):(\d+):(.*)$/s

/**
 * Reads what append.lua keeps of the newest origin: sequence and offset of the message that has it, and the
 * origin.
 */
export function parseKeptOrigin (text: string): KeptOrigin {
  const [, sequence, outputOffset, origin] = KEPT_ORIGIN.exec(text)!
  return { ...parseOrigin(origin!), sequence: Number(sequence), outputOffset: Number(outputOffset) }
}

/** Writes a batch for append.lua. @param onceKey makes the Redis key of a topic's idempotency key */
export function encodeBatch (
  items: readonly AppendItem[],
  onceKey: (topic: string, key: string) => string
): BatchText {
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
  return {
    topics: [...topics.keys()],
    onceKeys: [...onceKeys.keys()],
    items: described,
    payloads,
    processor,
    origins
  }
}

/** `before` has the sequence and offset of each topic before the batch. */
type Answer = [first: number, before: number[], exceptions: Exception[]]
type Exception = [item: number, sequence: number, offset: number]

/** Reads the answer of append.lua. Returns a result for each item, at its index. */
export function parseAnswer (
  shard: number,
  items: readonly AppendItem[],
  { topics }: BatchText,
  text: string
): AppendResult[] {
  const [first, before, exceptions] = JSON.parse(text) as Answer
  const sequences = new Map(topics.map((topic, index) => [topic, before[2 * index]!]))
  let offset = first
  let exception = 0
  return items.map(({ topic }, index): AppendResult => {
    const other = exceptions[exception]
    if (other?.[0] === index) {
      exception++
      if (other[1] === 0) return { error: 'overloaded' }
      return { sequence: other[1], offset: other[2], shard, repeated: true }
    }
    const sequence = sequences.get(topic)! + 1
    sequences.set(topic, sequence)
    return { sequence, offset: offset++, shard }
  })
}

/** Whether the position in `seq` says that the topic has no messages any more. */
export const isDormant = (text: string): boolean => text.endsWith(',-')

/** Reads the position of a topic's last message, as `seq` has it. */
export function parsePosition (text: string): TopicPosition {
  const [sequence, offset] = text.split(',')
  return { sequence: Number(sequence), offset: Number(offset) }
}

/** An entry of a topic's stream, as Redis answers. */
export type StreamEntry = [id: string, fields: string[]]

/**
 * Field `p` of an entry: the topic's offset before it, when the log accepted it, and whether it replaces the
 * state.
 */
const POSITION = /^(\d+):(\d+)(r?)$/

export function parseEntry (topic: string, shard: number, [id, fields]: StreamEntry): Entry {
  const [, position, , payload, , origin] = fields
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
