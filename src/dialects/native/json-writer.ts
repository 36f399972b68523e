import { type Channels, type ControlMessage, parseTopicKey, type ResetReason } from '@tickwire/protocol'
import type { MessageWriter, OutgoingMessage } from '../../hub/format.js'
import { isoTime } from '../../hub/iso-time.js'
import { writeNumbers } from './decimals.js'

/** How prices and sizes are written: as texts, or as JSON numbers of the same digits. */
export type Decimals = 'string' | 'number'

/** The parts of a topic's messages that are the same in all of them. */
interface TopicHead {
  /** A data message up to its sequence. */
  readonly data: string
  /** A reset up to its reason. */
  readonly reset: string
  /** Absent where the log's text is sent as it stands. */
  readonly rewrite: ((payload: string) => string) | undefined
}

/** How many topics' heads are kept. With one more, all are forgotten and made anew. */
const MAX_KEPT_HEADS = 200_000

const SNAPSHOT = ',"snapshot":true'

/** Writes messages as JSON texts. `data` is the log's own text, unless decimals are wanted as numbers. */
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
    const write = this.decimals === 'string' || definition === undefined ? undefined : writeNumbers(definition.schema)
    const name = `"channel":${JSON.stringify(channel)}` +
      (symbol === undefined ? '' : `,"symbol":${JSON.stringify(symbol)}`)
    return {
      data: `{"type":${type},${name},"sequence":`,
      reset: `{"type":"reset",${name}`,
      rewrite: write && (payload => write(JSON.parse(payload)))
    }
  }
}
