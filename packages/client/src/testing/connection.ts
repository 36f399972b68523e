import { isSet, type Message, named, type Reset, splitTopic, topicOf } from '../channels.js'
import type { End, LinkEvents, ServerMessage } from '../transports/transport.js'
import type { MemoryLog } from './memory-log.js'

/** What a connection asks of its server. */
export interface ConnectionHost {
  readonly log: MemoryLog
  /** Why a selector is refused: a code of the table of errors. */
  refusalOf: (channel: string, symbol: string | undefined) => string | undefined
  /** Whether a symbol is in a set, such as `@market/KOSPI`. */
  isMember: (set: string, symbol: string | undefined) => boolean
}

interface Action {
  readonly action: string
  readonly id?: unknown
  readonly channel: string
  readonly symbols?: readonly string[]
  readonly after?: string
  readonly last?: number
}

/** One connection of a client, from `welcome` on; it follows PROTOCOL.md as far as a client can see it. */
export class Connection {
  readonly #host: ConnectionHost
  readonly #events: LinkEvents
  /** By channel, the selectors. */
  readonly #selectors = new Map<string, Set<string | undefined>>()
  /** The topics that this connection is sent. */
  readonly #topics = new Set<string>()
  /** While the client lags: from which offset on it must still be sent what came. */
  #lagsFrom: number | undefined
  /** What is not done yet: it came in this turn, or waits until the client is live again. */
  #waiting: Action[] = []
  #isScheduled = false
  #over = false

  constructor (events: LinkEvents, host: ConnectionHost) {
    this.#events = events
    this.#host = host
  }

  get isOver (): boolean {
    return this.#over
  }

  welcome (id: string): void {
    this.#send({
      type: 'welcome', protocol: 'tickwire.v1', connection_id: id, server_time: new Date().toISOString()
    })
  }

  /** Actions take effect behind the turn in which they came, as over a network. */
  take (action: Action): void {
    this.#waiting.push(action)
    if (this.#isScheduled) return
    this.#isScheduled = true
    queueMicrotask(() => { this.#performAll() })
  }

  #performAll (): void {
    this.#isScheduled = false
    const actions = this.#waiting
    this.#waiting = []
    for (const action of actions) this.#perform(action)
    if (this.#waiting.length === 0) this.#sendCursor()
  }

  #perform (action: Action): void {
    const { id } = action
    switch (action.action) {
      case 'auth':
        return this.#send({ type: 'authenticated', id })
      case 'ping':
        return this.#send({ type: 'pong', id, timestamp: new Date().toISOString() })
      case 'unsubscribe':
        return this.#unsubscribe(action)
    }
    if (this.#lagsFrom !== undefined) this.#waiting.push(action)
    else if (action.action === 'subscribe') this.#subscribe(action)
    else {
      this.#sendStates(action.channel, action.symbols ?? [undefined])
      this.#send({ type: 'done', id })
    }
  }

  /** The log has a new message. */
  published (message: Message): void {
    if (this.#over || this.#lagsFrom !== undefined || !this.#reads(message)) return
    this.#topics.add(topicOf(message))
    this.#send(message)
    this.#sendCursor()
  }

  /** Messages of a topic are lost. */
  reset (topic: string, reason: Reset['reason']): void {
    const [channel, symbol] = splitTopic(topic)
    if (this.#over || !this.#reads({ channel, symbol })) return
    this.#send({ type: 'reset', channel, ...named(symbol), reason })
    this.#sendBeginning(topic)
    this.#sendCursor()
  }

  /** @param behind how many messages the client has still to read; 0: it has read everything */
  lag (behind: number): void {
    if (this.#over) return
    this.#send({ type: 'lagging', behind })
    if (behind > 0) {
      this.#lagsFrom ??= this.#host.log.length
      return
    }
    const from = this.#lagsFrom
    this.#lagsFrom = undefined
    if (from === undefined) return
    for (const message of this.#host.log.retained(message => this.#reads(message), from)) this.#send(message)
    this.#sendCursor()
    this.#performAll()
  }

  epochBegan (lost: ReadonlySet<string>): void {
    if (this.#over) return
    for (const topic of lost) this.reset(topic, 'epoch_changed')
    this.#send({ type: 'epoch', epoch: this.#host.log.epoch })
    if (this.#lagsFrom !== undefined) this.#lagsFrom = Math.min(this.#lagsFrom, this.#host.log.length)
    this.#sendCursor()
  }

  end (end: End): void {
    if (this.#over) return
    this.#over = true
    this.#events.onEnd(end)
  }

  close (): void {
    this.#over = true
  }

  #subscribe ({ id, channel, symbols, after, last }: Action): void {
    const { log, refusalOf } = this.#host
    const place = after === undefined ? undefined : log.placeOf(after)
    if (after !== undefined && place === undefined) {
      const message = 'this is not a cursor of this server'
      return this.#send({ type: 'error', id, code: 'bad_cursor', message })
    }
    const rejected = (symbols ?? [undefined]).flatMap(symbol => {
      const code = refusalOf(channel, symbol)
      return code === undefined ? [] : [{ ...named(symbol), code, message: `the test refuses it: ${code}` }]
    })
    const granted = (symbols ?? [undefined]).filter(symbol => refusalOf(channel, symbol) === undefined)
    const fault = place === undefined ? undefined : log.faultOf(place)
    this.#send({
      type: 'subscribed',
      id,
      channel,
      ...(symbols === undefined ? {} : { symbols: granted }),
      rejected,
      epoch: log.epoch,
      ...(place === undefined ? {} : { recovered: fault === undefined })
    })
    const selectors = this.#selectors.get(channel) ?? new Set()
    this.#selectors.set(channel, selectors)
    for (const symbol of granted) selectors.add(symbol)
    const isNew = (topic: string): boolean => !this.#topics.has(topic)
    const fresh = this.#topicsOf(channel, granted).filter(isNew)
    for (const topic of fresh) this.#topics.add(topic)
    if (place !== undefined && fault === undefined) {
      const isFresh = new Set(fresh)
      for (const message of log.retained(one => isFresh.has(topicOf(one)), place.offset)) this.#send(message)
    } else for (const topic of fresh) this.#begin(topic, fault, last)
  }

  /** Sends what a topic begins with. @param fault why the client's position is of no use */
  #begin (topic: string, fault: Reset['reason'] | undefined, last: number | undefined): void {
    const [channel, symbol] = splitTopic(topic)
    if (fault !== undefined) {
      this.#send({ type: 'reset', channel, ...named(symbol), reason: fault })
      return this.#sendBeginning(topic)
    }
    // Nobody has acknowledged anything here.
    const count = channel === 'orders' || channel === 'alerts' ? Infinity : last ?? 0
    const past = this.#host.log.retained(message => topicOf(message) === topic)
    for (const message of past.slice(Math.max(0, past.length - count))) this.#send(message)
    this.#sendStates(channel, [symbol])
  }

  /** Sends the state of a topic, or what is retained of a history. */
  #sendBeginning (topic: string): void {
    const { log } = this.#host
    const state = log.stateOf(topic)
    const messages = state === undefined ? log.retained(message => topicOf(message) === topic) : [state]
    for (const message of messages) this.#send(message)
  }

  #sendStates (channel: string, symbols: ReadonlyArray<string | undefined>): void {
    for (const symbol of symbols) {
      const state = this.#host.log.stateOf(topicOf({ channel, symbol }))
      if (state !== undefined) this.#send(state)
    }
  }

  #unsubscribe ({ id, channel, symbols }: Action): void {
    for (const symbol of symbols ?? [undefined]) this.#selectors.get(channel)?.delete(symbol)
    for (const topic of this.#topics) {
      const [of, symbol] = splitTopic(topic)
      if (of === channel && !this.#reads({ channel, symbol })) this.#topics.delete(topic)
    }
    this.#send({ type: 'unsubscribed', id, channel, symbols })
  }

  /** Returns the topics of selectors; those of sets as far as they have messages. */
  #topicsOf (channel: string, selectors: ReadonlyArray<string | undefined>): string[] {
    const topics = new Set<string>()
    for (const selector of selectors) {
      if (!isSet(selector)) topics.add(topicOf({ channel, symbol: selector }))
      else {
        for (const [topic, { channel: of, symbol }] of this.#host.log.topics()) {
          if (of === channel && this.#host.isMember(selector, symbol)) topics.add(topic)
        }
      }
    }
    return [...topics]
  }

  #reads ({ channel, symbol }: Parameters<typeof topicOf>[0]): boolean {
    const selectors = this.#selectors.get(channel)
    if (selectors === undefined || selectors.has(symbol)) return selectors !== undefined
    return [...selectors].some(selector => isSet(selector) && this.#host.isMember(selector, symbol))
  }

  /** A cursor covers what waits, too, and so it comes behind it. */
  #sendCursor (): void {
    const isAllSent = this.#lagsFrom === undefined && this.#waiting.length === 0
    if (isAllSent) this.#send({ type: 'cursor', cursor: this.#host.log.cursor })
  }

  #send (message: object): void {
    if (this.#over) return
    this.#events.onLife(0)
    // As over a network: what the client changes is its own.
    this.#events.onMessage(structuredClone(message) as ServerMessage)
  }
}
