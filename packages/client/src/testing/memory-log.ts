import { reduceBook } from '@tickwire/protocol/book-levels'
import type { Bar, Book } from '@tickwire/protocol'
import {
  type ChannelKind, kindOf, kindOfOwn, type Message, named, type OwnChannel, topicOf
} from '../channels.js'

/** The `type` of messages, where it is not the channel's name. */
const TYPES: Readonly<Record<string, string>> = {
  quotes: 'quote',
  trades: 'trade',
  'bars.1s': 'bar',
  'bars.1m': 'bar',
  'bars.5m': 'bar',
  'heatmap.book': 'heatmap',
  market: 'market_status',
  orders: 'order',
  alerts: 'alert'
}

type Reduce = (state: unknown, data: unknown, replaces: boolean) => unknown

const FOLDED: Readonly<Record<string, Reduce>> = {
  book: (state, data, replaces) => reduceBook(state as Book | undefined, data as Book, replaces),
  bar: (state, data, replaces) => {
    const [newest, bar] = [state as Bar | undefined, data as Bar]
    return newest === undefined || replaces || bar.start >= newest.start ? bar : newest
  }
}

/** A channel of an application's own, as far as a log must know it. */
export type LoggedChannel = Pick<OwnChannel, 'name' | 'type' | 'reduce'>

/** Where a client stands: a cursor says it as text. */
interface Place {
  readonly epoch: number
  readonly offset: number
}

/** The messages of all topics in one order, with their sequences, states and epochs. */
export class MemoryLog {
  readonly #channels: ReadonlyMap<string, LoggedChannel>
  readonly #messages: Message[] = []
  /** The offset at which each epoch began. */
  readonly #epochs: number[] = [0]
  /** How many messages from the beginning are not retained. */
  #expired = 0

  constructor (channels: readonly LoggedChannel[]) {
    this.#channels = new Map(channels.map(own => [own.name, own]))
  }

  get epoch (): string {
    return `epoch-${this.#epochs.length}`
  }

  /** The position behind all messages. */
  get cursor (): string {
    return `t.${this.#epochs.length}.${this.#messages.length}`
  }

  get length (): number {
    return this.#messages.length
  }

  append (channel: string, symbol: string | undefined, data: unknown, replaces: boolean): Message {
    const type = this.#channels.get(channel)?.type ?? TYPES[channel] ?? channel
    const sequence = this.#sequenceOf(topicOf({ channel, symbol })) + 1
    const message: Message = {
      type,
      channel,
      ...named(symbol),
      sequence,
      timestamp: new Date().toISOString(),
      ...(replaces ? { snapshot: true } : {}),
      data: structuredClone(data)
    }
    this.#messages.push(message)
    return message
  }

  /** Forgets what is retained; the states of topics stay. */
  expire (): void {
    this.#expired = this.#messages.length
  }

  /** Begins a new epoch, in which the newest messages are lost. @returns the topics that lost some */
  beginEpoch (lost: number): Set<string> {
    const gone = this.#messages.splice(Math.max(0, this.#messages.length - lost))
    this.#epochs.push(this.#messages.length)
    this.#expired = Math.min(this.#expired, this.#messages.length)
    return new Set(gone.map(topicOf))
  }

  /** Returns the place of a cursor; undefined if it is none of this server's. */
  placeOf (cursor: string): Place | undefined {
    const [, epoch, offset] = /^t\.(\d+)\.(\d+)$/.exec(cursor) ?? []
    return epoch === undefined ? undefined : { epoch: Number(epoch), offset: Number(offset) }
  }

  /** Returns why a place cannot be resumed; undefined if it can. */
  faultOf ({ epoch, offset }: Place): 'epoch_changed' | 'history_lost' | undefined {
    const next = this.#epochs[epoch]
    if (epoch > this.#epochs.length || (next !== undefined && offset > next)) return 'epoch_changed'
    return offset < this.#expired ? 'history_lost' : undefined
  }

  /** Returns the retained messages of the topics that a filter chooses. */
  retained (filter: (message: Message) => boolean, offset = 0): Message[] {
    return this.#messages.slice(Math.max(offset, this.#expired)).filter(filter)
  }

  /** Returns the topics that have a message. */
  topics (): Map<string, Message> {
    return new Map(this.#messages.map(message => [topicOf(message), message]))
  }

  /** Returns the state of a topic as a message; undefined if it has none. */
  stateOf (topic: string): Message | undefined {
    const messages = this.#messages.filter(message => topicOf(message) === topic)
    const last = messages.at(-1)
    if (last === undefined || this.kindOf(last.channel) === 'history') return undefined
    let state: unknown
    const reduce = this.#reduceOf(last)
    for (const { data, snapshot } of messages) state = reduce(state, data, snapshot === true)
    return { ...last, snapshot: true, data: structuredClone(state) }
  }

  kindOf (channel: string): ChannelKind {
    const own = this.#channels.get(channel)
    return own === undefined ? kindOf(channel) : kindOfOwn(own)
  }

  #reduceOf ({ channel, type }: Message): Reduce {
    const own = this.#channels.get(channel)?.reduce
    if (typeof own === 'function') {
      return (state, data, replaces) => own(state, structuredClone(data), replaces)
    }
    return FOLDED[type] ?? ((_, data) => data)
  }

  #sequenceOf (topic: string): number {
    return this.#messages.findLast(message => topicOf(message) === topic)?.sequence ?? 0
  }
}
