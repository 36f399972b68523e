import { type ChannelKind, type Message, named, type Reset, topicOf } from './channels.js'
import type { Connector } from './connector.js'
import { policyOf } from './retry.js'
import { groupsOf, parameterOf, type Selector, type Selectors, symbolsOf } from './selectors.js'
import type { Reader } from './reader.js'
import type { Rejected } from './subscription.js'
import type { End, Environment, Request, ServerMessage, Transport } from './transports/transport.js'

/** After how long the client asks again for what the server had no room for, if the server does not say. */
const AGAIN_MS = 1000

/** Codes that may be about one subscription of a query, and not about the whole request. */
const OF_A_SELECTOR = [
  'unknown_symbol', 'unknown_channel', 'forbidden', 'not_throttleable', 'bad_request', 'disabled',
  'too_many_subscriptions', 'message_too_big'
]

/**
 * Keeps what the present connection was asked for, and the cursor: what the cursor covers is resumed, and
 * everything else begins anew (PROTOCOL.md, Client → server).
 */
export class Roster {
  readonly #selectors: Selectors
  readonly #connector: Connector
  readonly #forget: (topic: string) => void
  #cursor: string | undefined
  /** Whether the cursor is another client's: it covers what is subscribed before the first connection. */
  #isGiven: boolean
  #id = 0
  /** By id, what the server has not answered yet. */
  readonly #asked = new Map<unknown, readonly Selector[]>()
  /** What stands in the query of a request, and whether the cursor covered it then. */
  readonly #inQuery = new WeakMap<Request, ReadonlyMap<Selector, boolean>>()
  /** What nobody reads any more, while the server may still send it. */
  #leaving: Selector[] = []

  /** @param forget forgets the position in a topic, which is no longer subscribed */
  constructor (
    selectors: Selectors, connector: Connector, forget: (topic: string) => void, after: string | undefined
  ) {
    this.#selectors = selectors
    this.#connector = connector
    this.#forget = forget
    this.#cursor = after
    this.#isGiven = after !== undefined
  }

  /** Whether the server has answered everything that it was asked for. */
  get isAnswered (): boolean {
    return this.#asked.size === 0
  }

  /** Adds a subscription to its selectors, and gives it what is held of their topics. */
  join (reader: Reader, kind: ChannelKind): void {
    const unknown: Selector[] = []
    for (const selector of reader.selectors) {
      const isNew = selector.readers.size === 0 && selector.sent === undefined
      selector.readers.add(reader)
      if (isNew && this.#isGiven) selector.covered = true
      if (selector.rejected !== undefined) reader.answered(selector, selector.rejected)
      else if (selector.confirmed) reader.answered(selector)
      if (kind === 'history') continue
      const held = this.#selectors.held(selector)
      if (kind === 'folded' && held.length > 0) unknown.push(selector)
      // The server sends no state of a topic that it sends already.
      else for (const message of held) reader.deliver({ ...message, snapshot: true })
    }
    if (unknown.length > 0) this.#askForState(unknown)
  }

  /** Makes the request for a transport. */
  request (origin: Omit<Request, 'query'>): Request {
    const selectors = this.#wanted().filter(({ rejected }) => rejected === undefined)
    const query = this.#query(selectors)
    const request = { ...origin, query }
    this.#inQuery.set(request, new Map(selectors.map(selector => [selector, selector.covered])))
    return request
  }

  /** Whether a request resumes all that the cursor covers. Over a duplex transport that is asked later. */
  resumes (request: Request, { duplex }: Transport): boolean {
    if (duplex) return true
    return [...this.#inQuery.get(request)!].every(([selector, before]) => before || !selector.covered)
  }

  /** A query that brings messages only if the connection should have brought them; '': there is none. */
  get probe (): string {
    const isState = ({ options }: Selector): boolean =>
      options.throttle_ms !== undefined || options.depth !== undefined
    const states = new Set(this.#wanted().filter(isState).map(({ channel }) => channel))
    // A throttled channel answers with its state, whether something is new or not.
    const selectors = this.#wanted().filter(one => one.covered && one.confirmed && !states.has(one.channel))
    return selectors.length === 0 || this.#cursor === undefined ? '' : this.#query(selectors)
  }

  /**
   * A connection begins.
   * @returns the topics that it cannot resume, although something of them is held
   */
  begin (request: Request, { duplex }: Transport): Set<string> {
    this.#asked.clear()
    this.#isGiven = false
    for (const selector of this.#selectors.all()) {
      selector.sent = undefined
      selector.confirmed = false
      if (duplex) selector.rejected = undefined
    }
    for (const selector of this.#leaving.splice(0)) this.#leave(selector)
    const fresh = new Set(this.#uncovered().map(topicOf))
    if (duplex) return fresh
    // The server refuses a query as a whole, or grants all of it.
    for (const selector of this.#inQuery.get(request)?.keys() ?? []) {
      selector.sent = textOf(selector)
      selector.confirmed = selector.begun = true
      for (const reader of selector.readers) reader.answered(selector)
    }
    return fresh
  }

  /** Brings the connection to what the application wants now. */
  update (): void {
    const { transport } = this.#connector
    if (transport === undefined) return
    const added: Selector[] = []
    const gone: Selector[] = []
    for (const selector of this.#selectors.all()) {
      if (selector.readers.size === 0) gone.push(selector)
      else if (selector.isWaiting) continue
      else if (selector.sent !== textOf(selector) && (transport.duplex || selector.rejected === undefined)) {
        added.push(selector)
      }
    }
    const wasSent = gone.filter(({ sent }) => sent !== undefined)
    if (!transport.duplex) {
      if (added.length + wasSent.length > 0) this.#connector.renew('the subscriptions changed')
    } else {
      for (const group of groupsOf(wasSent)) {
        this.#connector.send({ action: 'unsubscribe', channel: group.channel, ...symbolsOf(group) })
      }
      this.#subscribe(added)
    }
    for (const selector of gone) {
      this.#selectors.remove(selector)
      if (selector.sent === undefined) this.#leave(selector)
      else this.#leaving.push(selector)
    }
  }

  #subscribe (selectors: readonly Selector[]): void {
    for (const group of groupsOf(selectors)) {
      const { channel, options, covered } = group
      const id = ++this.#id
      // Only the first subscribe of a connection goes on from the cursor; a later one changes the options.
      const isFirst = group.selectors.every(({ sent }) => sent === undefined)
      const after = covered && isFirst && this.#cursor !== undefined ? { after: this.#cursor } : {}
      this.#asked.set(id, group.selectors)
      for (const selector of group.selectors) selector.sent = textOf(selector)
      this.#connector.send({ action: 'subscribe', id, channel, ...symbolsOf(group), ...options, ...after })
    }
  }

  /** The server has answered a subscribe. */
  confirmed (message: ServerMessage): void {
    const { id, rejected } = message as { id?: unknown, rejected?: readonly Rejected[] }
    const refusals = new Map(rejected?.map(one => [one.symbol, one]))
    for (const selector of this.#answered(id)) {
      const refusal = refusals.get(selector.symbol)
      if (refusal === undefined) {
        selector.confirmed = selector.begun = true
        for (const reader of selector.readers) reader.answered(selector)
      } else this.#reject(selector, { ...refusal, symbol: selector.symbol })
    }
  }

  /** The server has refused an action. */
  refused (id: unknown, { code, reason, retryAfterMs }: End): void {
    const selectors = this.#answered(id)
    if (selectors.length === 0) return
    if (['stop', 'renew'].includes(policyOf({ code }))) {
      for (const selector of selectors) {
        this.#reject(selector, { symbol: selector.symbol, code: code!, message: reason })
      }
      return
    }
    setTimeout(() => {
      for (const selector of selectors) if (!selector.confirmed) selector.sent = undefined
      this.update()
    }, retryAfterMs ?? AGAIN_MS)
  }

  /** The server sends nothing more of what was unsubscribed. */
  left ({ channel, symbols }: ServerMessage): void {
    const names: ReadonlyArray<string | undefined> = Array.isArray(symbols) ? symbols as string[] : []
    const isNamed = (selector: Selector): boolean =>
      selector.channel === channel && (selector.symbol === undefined || names.includes(selector.symbol))
    const gone = this.#leaving.filter(isNamed)
    this.#leaving = this.#leaving.filter(selector => !isNamed(selector))
    for (const selector of gone) this.#leave(selector)
  }

  /** Forgets the topics of a selector, except those that another one resumes. */
  #leave ({ channel, symbol, isSet }: Selector): void {
    for (const each of isSet ? this.#selectors.symbolsOf(channel) : [symbol]) {
      if (isSet && this.#selectors.covering(channel, each).some(({ covered }) => covered)) continue
      this.#selectors.forget(channel, each)
      this.#forget(topicOf({ channel, symbol: each }))
    }
  }

  /** Whether everything is resumed that the kept cursor covers; until then it must not be replaced. */
  get isResumed (): boolean {
    for (const { readers, covered, confirmed } of this.#selectors.all()) {
      if (readers.size > 0 && covered && !confirmed) return false
    }
    return true
  }

  /** A cursor came, which covers what the connection has confirmed. */
  cover (cursor: string): void {
    this.#cursor = cursor
    for (const selector of this.#selectors.all()) if (selector.confirmed) selector.covered = true
  }

  /** Begins anew with everything, for another user. */
  restart (onReset: (reset: Reset) => void): void {
    this.#cursor = undefined
    for (const selector of this.#selectors.all()) selector.covered = false
    for (const { channel, symbol } of this.#uncovered()) {
      onReset({ type: 'reset', channel, ...named(symbol), reason: 'user_changed' })
    }
  }

  /** Forgets everything, since nothing is subscribed. */
  clear (): void {
    this.#cursor = undefined
    this.#asked.clear()
    this.#leaving = []
    for (const topic of this.#selectors.clear()) this.#forget(topic)
  }

  /** Finds what the server refuses of a query, and asks for the rest. @returns whether that can help */
  async narrow (
    end: End, request: Request, transport: Transport, environment: Environment
  ): Promise<boolean> {
    const selectors = [...this.#inQuery.get(request)?.keys() ?? []]
    if (transport.findRefused === undefined || !OF_A_SELECTOR.includes(String(end.code))) return false
    const queries = selectors.map(selector => parameterOf(groupsOf([selector])[0]!, false))
    const refused = await transport.findRefused(request, queries, environment)
    for (const [at, { code, reason }] of refused) {
      const selector = selectors[at]!
      this.#reject(selector, { symbol: selector.symbol, code: String(code), message: reason })
    }
    return refused.size > 0 && refused.size < selectors.length
  }

  #wanted (): Selector[] {
    return [...this.#selectors.all()].filter(({ readers, isWaiting }) => readers.size > 0 && !isWaiting)
  }

  #query (selectors: readonly Selector[]): string {
    const hasCursor = this.#cursor !== undefined && selectors.some(({ covered }) => covered)
    const parameters = groupsOf(selectors).map(group => parameterOf(group, hasCursor))
    return [...parameters, ...(hasCursor ? [`after=${this.#cursor!}`] : [])].join('&')
  }

  #answered (id: unknown): readonly Selector[] {
    const selectors = this.#asked.get(id) ?? []
    this.#asked.delete(id)
    return selectors
  }

  #reject (selector: Selector, rejected: Rejected): void {
    selector.rejected = rejected
    selector.covered = selector.confirmed = false
    for (const reader of selector.readers) reader.answered(selector, rejected)
  }

  /** Returns the last messages of the topics that are held, and that no covered selector resumes. */
  #uncovered (): Message[] {
    return [...this.#selectors.all()].filter(({ covered }) => !covered)
      .flatMap(selector => this.#selectors.held(selector))
      .filter(({ channel, symbol }) => this.#selectors.covering(channel, symbol).every(one => !one.covered))
  }

  /** Asks for the state of topics that the connection sends already. */
  #askForState (selectors: readonly Selector[]): void {
    if (!this.#connector.isDuplex) {
      for (const selector of selectors) {
        selector.covered = false
        selector.sent = undefined
      }
      return
    }
    for (const group of groupsOf(selectors)) {
      const alone = group.selectors.filter(({ isSet }) => !isSet)
      const held = group.selectors.filter(({ isSet }) => isSet)
        .flatMap(set => this.#selectors.held(set).map(({ symbol }) => symbol!))
      const symbols = [...new Set([...alone.map(({ symbol }) => symbol!), ...held])]
      const { channel } = group
      this.#connector.send({ action: 'snapshot', channel, ...(symbols[0] === undefined ? {} : { symbols }) })
    }
  }
}

/** Returns the options of a selector as text, to compare them. */
const textOf = ({ options }: Selector): string => JSON.stringify(options)
