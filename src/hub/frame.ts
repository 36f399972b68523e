import { type Channels, parseTopicKey, type ResetReason } from '@tickwire/protocol'
import type { Entry, Snapshot } from '../log/log.js'

/**
 * How a transport puts messages on its wire. The hub makes each window's bytes once per format and topic and gives
 * the same buffer to all who read it so.
 */
export interface Format {
  readonly name: string
  /** `messages` are JSON texts, in order. */
  encode (messages: readonly string[]): Buffer
  /** The commit mark of the format: all that came before it has been sent. */
  encodeCursor (cursor: string): Buffer
}

/** The part of a data message that is the same for all messages of a topic, made once per topic. */
interface TopicHead {
  /** Up to the sequence. */
  readonly data: string
  /** A reset, up to the reason. */
  readonly reset: string
}

const MAX_CACHED_HEADS = 200_000

/** Writes data messages and resets as JSON text; `data` is taken from the log as it stands. */
export class MessageEncoder {
  private readonly heads = new Map<string, TopicHead>()

  constructor (private readonly channels: Channels) {}

  entry (entry: Entry): string {
    const replaces = entry.replaces ? ',"snapshot":true' : ''
    return `${this.head(entry.topic).data}${entry.sequence},"timestamp":"${isoTime(entry.timestamp)}"${replaces},"data":${entry.payload}}`
  }

  snapshot (snapshot: Snapshot): string {
    return `${this.head(snapshot.topic).data}${snapshot.sequence},"timestamp":"${isoTime(snapshot.timestamp)}","snapshot":true,"data":${snapshot.payload}}`
  }

  reset (topic: string, reason: ResetReason): string {
    return `${this.head(topic).reset},"reason":"${reason}"}`
  }

  private head (key: string): TopicHead {
    let head = this.heads.get(key)
    if (head === undefined) {
      const { channel, symbol } = parseTopicKey(key)
      const type = this.channels.get(channel)?.type ?? channel
      const name = `"channel":${JSON.stringify(channel)}` + (symbol === undefined ? '' : `,"symbol":${JSON.stringify(symbol)}`)
      head = { data: `{"type":${JSON.stringify(type)},${name},"sequence":`, reset: `{"type":"reset",${name}` }
      if (this.heads.size >= MAX_CACHED_HEADS) this.heads.clear()
      this.heads.set(key, head)
    }
    return head
  }
}

let lastTime = -1
let lastText = ''

/** ISO 8601 UTC with milliseconds; many messages share a millisecond. */
export function isoTime (milliseconds: number): string {
  if (milliseconds !== lastTime) {
    lastTime = milliseconds
    lastText = new Date(milliseconds).toISOString()
  }
  return lastText
}
