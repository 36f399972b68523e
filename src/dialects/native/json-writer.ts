import { type Channels, type ControlMessage, parseTopicKey, type ResetReason } from '@tickwire/protocol'
import type { MessageWriter, OutgoingMessage } from '../../hub/format.js'
import { isoTime } from '../../hub/iso-time.js'
import { writeNumbers } from './decimals.js'

/** How prices and sizes are written: as JSON strings, or as JSON numbers with the same digits. */
export type Decimals = 'string' | 'number'

/** The parts that are the same in all messages of a topic. */
interface TopicHead {
  /** The start of a data message, up to its sequence. */
  readonly data: string
  /** The start of a reset, up to its reason. */
  readonly reset: string
  /** Rewrites the data of a message. Undefined if the text of the log is sent as it stands. */
  readonly rewrite: ((payload: string) => string) | undefined
}

/** How many heads of topics are kept. When one more is needed, all are dropped and made again on demand. */
const MAX_KEPT_HEADS = 200_000

const SNAPSHOT = ',"snapshot":true'

/**
 * Writes messages as JSON texts. The field `data` is the text of the log, unless decimals are to be numbers.
 */
export class JsonWriter implements MessageWriter {
  private readonly heads = new Map<string, TopicHead>()

  constructor (private readonly channels: Channels, private readonly decimals: Decimals) {}

  data ({ topic, sequence, timestamp, replaces, payload, prev }: OutgoingMessage): string {
    const { data, rewrite } = this.head(topic)
    const more = (replaces ? SNAPSHOT : '') + (prev === undefined ? '' : `,"prev":${prev}`)
    const value = rewrite === undefined ? payload : rewrite(payload)
    return `${data}${sequence},"timestamp":"${isoTime(timestamp)}"${more},"data":${value}}`
  }

  reset (topic: string, reason: ResetReason): string {
    return `${this.head(topic).reset},"reason":"${reason}"}`
  }

  control (message: ControlMessage): string {
    return JSON.stringify(message)
  }

  private head (key: string): TopicHead {
    let head = this.heads.get(key)
    if (head === undefined) {
      head = this.makeHead(key)
      if (this.heads.size >= MAX_KEPT_HEADS) this.heads.clear()
      this.heads.set(key, head)
    }
    return head
  }

  private makeHead (key: string): TopicHead {
    const { channel, symbol } = parseTopicKey(key)
    const definition = this.channels.get(channel)
    const type = JSON.stringify(definition?.type ?? channel)
    const isRewritten = this.decimals === 'number' && definition !== undefined
    const write = isRewritten ? writeNumbers(definition.schema) : undefined
    const name = `"channel":${JSON.stringify(channel)}` +
      (symbol === undefined ? '' : `,"symbol":${JSON.stringify(symbol)}`)
    return {
      data: `{"type":${type},${name},"sequence":`,
      reset: `{"type":"reset",${name}`,
      rewrite: write && (payload => write(JSON.parse(payload)))
    }
  }
}
