/** The client's rule, written after PROTOCOL.md, with faults that can be built in. */

export interface Message {
  readonly type: string
  readonly channel?: string
  readonly symbol?: string
  readonly sequence?: number
  readonly prev?: number
  readonly snapshot?: boolean
  readonly epoch?: string
  readonly reason?: string
  readonly cursor?: string
  readonly code?: string
  readonly retry_after_ms?: number
  readonly symbols?: string[]
  readonly rejected?: Array<{ symbol: string, code: string, message: string }>
  readonly data?: unknown
}

export type Fault =
  | 'ignores-resets' | 'gives-duplicates' | 'forgets-its-cursor' | 'ignores-epochs' | 'covers-too-early'
  | 'takes-half-a-cursor' | 'never-stops' | 'asks-for-what-it-dropped' | 'applies-gaps' | 'hammers'
  | 'is-impatient' | 'never-renews' | 'falls-back-at-refusals'

const HISTORIES = ['trades', 'news', 'system', 'orders', 'alerts']

export interface Told {
  give (message: Message): void
  reset (topic: Topic, reason: string, to?: number): void
  gap (message: Message): void
  /** The state of a topic may be that of lost messages: it must be subscribed to anew. */
  startAnew (topic: Topic): void
}

export interface Topic {
  readonly channel: string
  readonly symbol?: string
}

const nameOf = ({ channel, symbol }: Topic): string => JSON.stringify([channel, symbol])
const topicOf = (name: string): Topic => {
  const [channel, symbol] = JSON.parse(name) as [string, string | null]
  return { channel, ...(symbol === null ? {} : { symbol }) }
}

export class SmallRule {
  epoch: string | undefined
  private readonly last = new Map<string, number>()
  private readonly covered = new Map<string, number>()
  private readonly here = new Map<string, number>()
  /** Topics with a gap, and their last sequence before it. */
  private readonly gaps = new Map<string, number>()

  constructor (private readonly told: Told, private readonly fault: Fault | undefined) {}

  connected (): void {
    this.here.clear()
  }

  /** A cursor covers all that this connection has sent. */
  cursor (): void {
    for (const [name, sequence] of this.here) this.covered.set(name, sequence)
    this.here.clear()
  }

  forget (topic: Topic): void {
    const name = nameOf(topic)
    for (const map of [this.last, this.covered, this.here, this.gaps]) map.delete(name)
  }

  /** All topics of a channel that it has. */
  topicsOf (channel: string): Topic[] {
    return [...this.last.keys()].map(topicOf).filter(topic => topic.channel === channel)
  }

  get hasBeyondCursor (): boolean {
    return [...this.last].some(([name, last]) => (this.covered.get(name) ?? 0) < last)
  }

  /** Takes a message. @returns false if messages are missing before it */
  take (message: Message): boolean {
    const { channel, symbol, sequence, prev, snapshot } = message
    if (channel === undefined || message.type === 'acknowledged') return true
    const topic = { channel, ...(symbol === undefined ? {} : { symbol }) }
    const name = nameOf(topic)
    if (message.type === 'reset') {
      if (this.fault === 'ignores-resets') return true
      this.last.delete(name)
      this.here.set(name, 0)
      this.told.reset(topic, String(message.reason))
      return true
    }
    if (sequence === undefined || message.data === undefined) return true
    const last = this.last.get(name)
    const isDuplicate = last !== undefined && (snapshot === true ? sequence < last : sequence <= last)
    if (!isDuplicate && last !== undefined && snapshot !== true && (prev ?? sequence - 1) > last &&
      this.fault !== 'applies-gaps') {
      if (this.gaps.get(name) !== last) {
        this.gaps.set(name, last)
        this.told.gap(message)
        return false
      }
      this.told.reset(topic, 'history_lost')
    }
    this.here.set(name, sequence)
    if (isDuplicate && this.fault !== 'gives-duplicates') return true
    this.gaps.delete(name)
    this.last.set(name, sequence)
    this.told.give(message)
    return true
  }

  enterEpoch (epoch: string): void {
    const before = this.epoch
    this.epoch = epoch
    if (before === undefined || before === epoch || this.fault === 'ignores-epochs') return
    for (const [name, last] of this.last) {
      const sure = this.here.get(name) ?? this.covered.get(name) ?? 0
      if (sure >= last) continue
      const topic = topicOf(name)
      if (HISTORIES.includes(topic.channel)) {
        if (sure === 0) this.last.delete(name)
        else this.last.set(name, sure)
        this.told.reset(topic, 'epoch_changed', sure === 0 ? undefined : sure)
      } else {
        this.forget(topic)
        this.told.reset(topic, 'epoch_changed')
        this.told.startAnew(topic)
      }
    }
  }
}
