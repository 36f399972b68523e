import { type Channels, parseTopicKey, type ResetReason } from '@tickwire/protocol'
import type { Entry, Snapshot } from '../log/log.js'
import { writeNumbers } from './decimals.js'

/** How prices and sizes are written: as texts, or as JSON numbers of the same digits. */
export type Decimals = 'string' | 'number'

/**
 * How a transport puts messages on its wire. The hub makes each window's bytes once per format and topic and gives
 * the same buffer to all who read it so.
 */
export interface Format {
  readonly name: string
  readonly decimals: Decimals
  /** `messages` are JSON texts, in order. */
  encode (messages: readonly string[]): Buffer
  /** The commit mark of the format: all that came before it has been sent. */
  encodeCursor (cursor: string): Buffer
}

const numberFormats = new Map<Format, Format>()

/** A format with its decimals as asked for; the same object for the same question, so that its bytes are shared. */
export function withDecimals (format: Format, decimals: Decimals): Format {
  if (format.decimals === decimals) return format
  let variant = numberFormats.get(format)
  if (variant === undefined) numberFormats.set(format, variant = { ...format, decimals })
  return variant
}

/** Some messages of a topic joined into one: all after a sequence, up to the last of them. */
export interface Merged {
  /** The sequence before the first of them. */
  readonly before: number
  readonly last: Entry
  readonly replaces: boolean
  /** What they come to; absent where it is what the last one says. */
  readonly data?: unknown
}

/** The part of a data message that is the same for all messages of a topic, made once per topic. */
interface TopicHead {
  /** Up to the sequence. */
  readonly data: string
  /** A reset, up to the reason. */
  readonly reset: string
  /** Absent where the log's text is sent as it stands. */
  readonly rewrite: ((payload: string) => string) | undefined
}

const MAX_CACHED_HEADS = 200_000

/** An encoder for each way to write decimals. */
export type Encoders = Readonly<Record<Decimals, MessageEncoder>>

/** Writes data messages and resets as JSON text; `data` is taken from the log as it stands, but for its decimals. */
export class MessageEncoder {
  private readonly heads = new Map<string, TopicHead>()

  constructor (private readonly channels: Channels, private readonly decimals: Decimals) {}

  entry ({ topic, sequence, timestamp, replaces, payload }: Entry): string {
    return this.message(topic, sequence, timestamp, replaces ? SNAPSHOT : '', payload)
  }

  snapshot ({ topic, sequence, timestamp, payload }: Snapshot): string {
    return this.message(topic, sequence, timestamp, SNAPSHOT, payload)
  }

  merged ({ before, last: { topic, sequence, timestamp, payload }, replaces, data }: Merged): string {
    const prev = before === sequence - 1 ? '' : `,"prev":${before}`
    return this.message(topic, sequence, timestamp, (replaces ? SNAPSHOT : '') + prev, data === undefined ? payload : JSON.stringify(data))
  }

  reset (topic: string, reason: ResetReason): string {
    return `${this.head(topic).reset},"reason":"${reason}"}`
  }

  private message (topic: string, sequence: number, timestamp: number, more: string, payload: string): string {
    const { data, rewrite } = this.head(topic)
    return `${data}${sequence},"timestamp":"${isoTime(timestamp)}"${more},"data":${rewrite === undefined ? payload : rewrite(payload)}}`
  }

  private head (key: string): TopicHead {
    let head = this.heads.get(key)
    if (head === undefined) {
      const { channel, symbol } = parseTopicKey(key)
      const definition = this.channels.get(channel)
      const type = definition?.type ?? channel
      const write = this.decimals === 'string' || definition === undefined ? undefined : writeNumbers(definition.schema)
      const name = `"channel":${JSON.stringify(channel)}` + (symbol === undefined ? '' : `,"symbol":${JSON.stringify(symbol)}`)
      head = { data: `{"type":${JSON.stringify(type)},${name},"sequence":`, reset: `{"type":"reset",${name}`, rewrite: write && (payload => write(JSON.parse(payload))) }
      if (this.heads.size >= MAX_CACHED_HEADS) this.heads.clear()
      this.heads.set(key, head)
    }
    return head
  }
}

const SNAPSHOT = ',"snapshot":true'

/** Milliseconds of which the text is kept: a window has few, but not in their order. A power of two. */
const KEPT_TIMES = 64
const keptTimes = new Float64Array(KEPT_TIMES).fill(-1)
const keptTexts = new Array<string>(KEPT_TIMES).fill('')

/** ISO 8601 UTC with milliseconds; many messages share a millisecond. */
export function isoTime (milliseconds: number): string {
  const place = milliseconds & (KEPT_TIMES - 1)
  if (keptTimes[place] !== milliseconds) {
    keptTexts[place] = new Date(milliseconds).toISOString()
    keptTimes[place] = milliseconds
  }
  return keptTexts[place]!
}
