import { type ChannelDefinition, channelOfKey, type Channels } from '@tickwire/protocol'
import type { Demand } from '../hub/audience/demand.js'
import { makeSelector, type Selector } from '../hub/audience/selector.js'
import { COMMON_SHARD, type Log, type TailBatch, type Tailing } from '../log/log.js'

/** How often items that have ended are looked for. */
const EXPIRY_MS = 60_000
const RETRY_MS = 1000
/** Topics in one read. */
const AT_A_TIME = 64

/** What an item of a user's list demands. */
export interface Wanted {
  readonly topics: ReadonlyArray<{ readonly channel: string, readonly symbol: string }>
  /** When it ends, in milliseconds since 1970. */
  readonly end: number
}

export interface ListDemandOptions {
  readonly log: Log
  readonly channels: Channels
  readonly demand: Pick<Demand, 'add' | 'remove'>
  /** The channel of the lists. It is in demand itself while any item is, so that what goes by it runs. */
  readonly channel: ChannelDefinition
  /** Returns what the items of a list demand. @param data of the list's message; null: there is none */
  readonly wants: (data: unknown) => readonly Wanted[]
  readonly onError: (error: unknown, message: string) => void
}

interface UserDemand {
  readonly wanted: readonly Wanted[]
  /** By key. */
  readonly selectors: ReadonlyMap<string, Selector>
}

/**
 * Makes the items of users' lists count as subscribers of what they watch: for lazy sources, and for what
 * goes by the lists, which runs only while there are any. Each node does so, as each hears of all lists.
 */
export class ListDemand {
  private readonly users = new Map<string, UserDemand>()
  /** By topic, the sequence of the message that was heard last. */
  private readonly heard = new Map<string, number>()
  private readonly timer: NodeJS.Timeout
  private tailing: Tailing | undefined
  private epoch: number | undefined
  private reading: Promise<void> = Promise.resolve()
  private closed = false

  private constructor (private readonly options: ListDemandOptions) {
    this.timer = setInterval(() => { this.expire() }, EXPIRY_MS).unref()
  }

  /** @throws ProtocolError `log_unavailable` */
  static async follow (options: ListDemandOptions): Promise<ListDemand> {
    const demand = new ListDemand(options)
    demand.tailing = await options.log.tail(COMMON_SHARD, batch => { demand.take(batch) })
    demand.epoch ??= demand.tailing.head.epoch
    await demand.readAll()
    return demand
  }

  /** How many items there are that demand something. */
  get items (): number {
    let count = 0
    for (const { wanted } of this.users.values()) count += wanted.length
    return count
  }

  close (): void {
    this.closed = true
    clearInterval(this.timer)
    this.tailing?.end()
  }

  private take ({ epoch: { epoch }, entries, hole }: TailBatch): void {
    const isAnew = hole !== undefined || (this.epoch !== undefined && epoch !== this.epoch)
    this.epoch = epoch
    if (isAnew) {
      this.heard.clear()
      this.readAnew()
    }
    for (const { topic, sequence, payload } of entries) {
      if (this.isList(topic)) this.set(topic, sequence, payload)
    }
  }

  private readAnew (): void {
    this.reading = this.reading.then(() => this.readAll()).catch((error: unknown) => {
      if (this.closed) return
      const { channel, onError } = this.options
      onError(error, `the server could not read ${channel.name}; it tries again in a second`)
      setTimeout(() => { this.readAnew() }, RETRY_MS).unref()
    })
  }

  private async readAll (): Promise<void> {
    const { log } = this.options
    const topics = [...(await log.topics(COMMON_SHARD)).keys()].filter(topic => this.isList(topic))
    const known = new Set(topics)
    // A topic may be newer than the list.
    for (const topic of this.users.keys()) {
      if (!known.has(topic) && !this.heard.has(topic)) this.want(topic, [])
    }
    for (let at = 0; at < topics.length; at += AT_A_TIME) {
      const some = topics.slice(at, at + AT_A_TIME)
      const states = await Promise.all(some.map(topic => log.snapshot(topic)))
      for (const [index, topic] of some.entries()) {
        const state = states[index]
        // A topic that was removed has no state, and no sequence to tell how old that is: its message comes.
        if (state !== undefined) this.set(topic, state.sequence, state.payload)
        else if (!this.heard.has(topic)) this.want(topic, [])
      }
    }
  }

  private set (topic: string, sequence: number, payload: string): void {
    // What was read may be older than what has come meanwhile.
    if (sequence < (this.heard.get(topic) ?? 0)) return
    this.heard.set(topic, sequence)
    this.want(topic, this.options.wants(JSON.parse(payload)))
  }

  private want (topic: string, items: readonly Wanted[]): void {
    const now = Date.now()
    const wanted = items.filter(({ end }) => end > now)
    const { channel: own, channels } = this.options
    const selectors = new Map<string, Selector>()
    if (wanted.length > 0) selectors.set(own.name, makeSelector(own, undefined, undefined))
    for (const { channel: name, symbol } of wanted.flatMap(({ topics }) => topics)) {
      const channel = channels.get(name)
      const key = `${name}:${symbol}`
      if (channel !== undefined && !selectors.has(key)) {
        selectors.set(key, makeSelector(channel, symbol, undefined))
      }
    }
    const before = this.users.get(topic)?.selectors ?? new Map<string, Selector>()
    for (const [key, selector] of selectors) if (!before.has(key)) this.options.demand.add(selector)
    for (const [key, selector] of before) if (!selectors.has(key)) this.options.demand.remove(selector)
    if (wanted.length === 0) this.users.delete(topic)
    else this.users.set(topic, { wanted, selectors })
  }

  private isList (topic: string): boolean {
    return channelOfKey(topic) === this.options.channel.name
  }

  private expire (): void {
    const now = Date.now()
    for (const [topic, { wanted }] of this.users) {
      if (wanted.some(({ end }) => end <= now)) this.want(topic, wanted)
    }
  }
}
