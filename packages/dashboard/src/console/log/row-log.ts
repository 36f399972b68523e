import { ClientRule, type Verdict } from '@tickwire/protocol/rule'
import { type Store, createStore } from '../../app/store.js'
import { type Frame, type Message, type Part, partsOf } from './frame.js'

/** The most rows that are kept: the newest. */
export const MOST_ROWS = 2000
/** For how long rows are gathered before the page shows them. */
const GATHER_MS = 100

/** What a message means to a client; `snapshot`: it is new and replaces the state. */
export type Validity = Verdict | 'snapshot'

export interface Row {
  /** Grows by one with each row. */
  readonly id: number
  readonly frame: Frame
  readonly text: string
  readonly type: string
  readonly topic: string
  readonly sequence?: number
  /** How long the message was under way, in milliseconds, by the server's clock. */
  readonly latencyMs?: number
  /** In bytes of UTF-8. */
  readonly size: number
  readonly validity?: Validity
  /** Its place in a frame of many messages, from 1. */
  readonly place?: { readonly index: number, readonly of: number }
}

/** How many messages of each kind came. */
export type Counts = Readonly<Record<Validity, number>>

export interface Rows {
  readonly rows: readonly Row[]
  /** Since the list was cleared. */
  readonly total: Counts
  /** Since the last connection began. */
  readonly here: Counts
  /** Whether that connection resumed. */
  readonly resumed: boolean
}

const NOTHING: Counts = { new: 0, snapshot: 0, duplicate: 0, gap: 0, reset: 0, control: 0 }
const EMPTY: Rows = { rows: [], total: NOTHING, here: NOTHING, resumed: false }
const encoder = new TextEncoder()

/** Returns what a message is about: its topic, or what it asks for. */
function topicOf ({ channel, symbol, symbols }: Message): string {
  if (typeof channel !== 'string') return ''
  const names = Array.isArray(symbols) && symbols.length > 0 ? symbols.join(',') : symbol
  return typeof names === 'string' ? `${channel}:${names}` : channel
}

/** The list of frames: judges each message by the client's rule, and keeps the newest. */
export class RowLog {
  readonly store: Store<Rows> = createStore(EMPTY)
  #rows: Row[] = []
  #total = { ...NOTHING }
  #here = { ...NOTHING }
  #resumed = false
  #lastId = 0
  #rule = new ClientRule()
  /** Milliseconds by which the server's clock is ahead: by the message that was under way the shortest. */
  #ahead: number | undefined
  #timer: ReturnType<typeof setTimeout> | undefined

  /** Adds a frame. @returns its messages */
  add (frame: Frame): readonly Part[] {
    const parts = partsOf(frame)
    this.#noteOf(frame)
    for (const [index, { text, message }] of parts.entries()) {
      this.#rows.push({
        id: ++this.#lastId,
        frame,
        text,
        size: encoder.encode(text).length,
        ...(parts.length > 1 ? { place: { index: index + 1, of: parts.length } } : {}),
        ...this.#read(frame, message)
      })
    }
    if (this.#rows.length > 2 * MOST_ROWS) this.#rows = this.#newest()
    this.#timer ??= setTimeout(() => { this.flush() }, GATHER_MS)
    return parts
  }

  /** Shows what was gathered. */
  flush (): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const [total, here] = [{ ...this.#total }, { ...this.#here }]
    this.store.set({ rows: this.#newest(), total, here, resumed: this.#resumed })
  }

  clear (): void {
    this.#rows = []
    this.#total = { ...NOTHING }
    this.#here = { ...NOTHING }
    this.flush()
  }

  /** Returns the kept frames, whole. */
  frames (): readonly Frame[] {
    return [...new Set(this.#newest().map(({ frame }) => frame))]
  }

  #newest (): Row[] {
    return this.#rows.slice(-MOST_ROWS)
  }

  /** A connection begins, or topics are left: both change what the rule expects. */
  #noteOf (frame: Frame): void {
    if (frame.kind !== 'note') return
    if (frame.type === 'connect' || frame.type === 'resume') {
      this.#here = { ...NOTHING }
      this.#resumed = frame.type === 'resume'
      if (!this.#resumed) this.#rule = new ClientRule()
      this.#rule.connected()
    } else if (frame.type === 'leave') {
      for (const topic of frame.text.split(' ')) this.#forget(topic)
    }
  }

  #forget (selector: string): void {
    const [channel = '', ...rest] = selector.split(':')
    const symbol = rest.join(':')
    const isSet = symbol === '*' || symbol.startsWith('@')
    // The members of a set are not known here. To forget too much only means to expect less.
    for (const topic of [...this.#rule.positions().keys()]) {
      if (topic === selector || (isSet && topic.startsWith(`${channel}:`))) this.#rule.forget(topic)
    }
  }

  #read (frame: Frame, message: Message | undefined): Omit<Row, 'id' | 'frame' | 'text' | 'size'> {
    if (message === undefined) return { type: '?', topic: '' }
    const { type, sequence, timestamp, server_time: serverTime } = message
    const row = { type, topic: topicOf(message), ...(typeof sequence === 'number' ? { sequence } : {}) }
    if (frame.direction === 'out' || frame.kind === 'note' || frame.kind === 'answer') return row
    if (type === 'cursor' || type === 'heartbeat') this.#rule.cursor()
    const sent = timestamp ?? serverTime
    if (typeof sent === 'string') {
      this.#ahead = Math.max(this.#ahead ?? -Infinity, Date.parse(sent) - frame.at)
    }
    const validity = this.#judge(message)
    // A state may be old: its time is that of the last message in it.
    const isAged = typeof timestamp === 'string' && validity !== 'snapshot'
    const latencyMs = isAged ? frame.at + (this.#ahead ?? 0) - Date.parse(timestamp) : undefined
    return { ...row, validity, ...(latencyMs === undefined ? {} : { latencyMs }) }
  }

  #judge (message: Message): Validity {
    if (message.type === 'unsubscribed') {
      const { channel, symbols } = message
      const names = Array.isArray(symbols) && symbols.length > 0 ? symbols : [undefined]
      for (const symbol of names) this.#forget(topicOf({ type: '', channel, symbol }))
    }
    const verdict = this.#rule.take(message)
    const validity = verdict === 'new' && message['snapshot'] === true ? 'snapshot' : verdict
    this.#total[validity]++
    this.#here[validity]++
    return validity
  }
}
