import {
  type ChannelKind, type ChannelName, type KeyedChannels, kindOf, kindOfOwn, type OwnChannel, type OwnMessage,
  type PlainChannels, type ThrottledChannel
} from './channels.js'
import { ServerClock } from './clock.js'
import { Connector } from './connector.js'
import type { ConnectorHost } from './connector-host.js'
import { Delivery } from './delivery.js'
import type { ClientEvents } from './events.js'
import { EventLog, type Inspection } from './inspection.js'
import { readMembers } from './members.js'
import { baseOf, checkOptions, type ClientOptions, environmentOf, transportsOf } from './options.js'
import { Reader } from './reader.js'
import { Roster } from './roster.js'
import { type Selector, Selectors } from './selectors.js'
import type { State } from './state.js'
import type { SubscribeOptions, Subscription } from './subscription.js'
import { watchPage } from './surroundings.js'
import { endOf, errorText } from './transports/refusals.js'
import type { Environment, ServerMessage, Transport } from './transports/transport.js'

/** How long the client keeps what nobody reads any more: a page often unsubscribes and subscribes again. */
const LINGER_MS = 250

export type OptionsOf<Channel> =
  Omit<SubscribeOptions, 'throttleMs' | 'depth'> &
  (Channel extends ThrottledChannel ? Pick<SubscribeOptions, 'throttleMs'> : unknown) &
  (Channel extends 'book' ? Pick<SubscribeOptions, 'depth'> : unknown)

/** A client of one server: one connection for all that the application subscribes to. */
export class Client {
  readonly #base: string
  readonly #options: ClientOptions
  readonly #environment: Environment
  readonly #kinds: ReadonlyMap<string, ChannelKind>
  readonly #connector: Connector
  readonly #selectors = new Selectors()
  readonly #roster: Roster
  readonly #delivery: Delivery
  readonly #listeners = new Map<string, Set<(value: never) => void>>()
  readonly #clock: ServerClock
  readonly #log: EventLog
  readonly #stopWatching: () => void
  #user: unknown
  #connectionId: string | undefined
  #flush: 'no' | 'soon' | 'lingering' = 'no'
  #lingering: ReturnType<typeof setTimeout> | undefined
  #connections = 0
  #bytes = 0

  /** @throws TypeError if an option is misspelt or wrong */
  constructor (options: ClientOptions, known: readonly Transport[]) {
    checkOptions(options)
    this.#options = options
    this.#base = baseOf(options)
    const environment = this.#environment = environmentOf(options)
    this.#kinds = new Map(options.channels?.map(own => [own.name, kindOfOwn(own)]))
    this.#clock = new ServerClock(environment.now)
    this.#log = new EventLog(environment.now, isDebugged(environment))
    this.#connector = new Connector(
      this.#base, transportsOf(options, known), environment, this.#connectorHost()
    )
    const forget = (topic: string): void => { this.#delivery.rule.forget(topic) }
    this.#roster = new Roster(this.#selectors, this.#connector, forget, options.after)
    this.#delivery = new Delivery(this.#selectors, this.#roster, name => this.#kindOf(name), {
      now: environment.now,
      note: text => { this.#log.note(text) },
      renew: reason => { this.#connector.renew(reason, true) },
      gap: gap => { this.#emit('gap', gap) },
      entered: channel => {
        for (const selector of this.#selectors.all()) {
          if (selector.channel === channel && selector.members !== undefined) void this.#readMembers(selector)
        }
      }
    })
    this.#stopWatching = watchPage({
      onWake: reason => { this.#connector.wake(reason) },
      onHide: () => { this.#connector.pause('the page is put away') }
    })
  }

  /** The state of the connection. */
  get state (): State {
    return this.#connector.state
  }

  /**
   * Subscribes to topics of a channel: symbols, or sets such as `*` and `@market/KOSPI`. The answer is in
   * {@link Subscription.result}; what comes is given to listeners, and to a loop over the subscription.
   */
  subscribe<Name extends keyof KeyedChannels> (
    channel: Name, symbols: readonly string[], options?: OptionsOf<Name>
  ): Subscription<KeyedChannels[Name]>
  /** Subscribes to a channel without symbols. */
  subscribe<Name extends keyof PlainChannels> (
    channel: Name, options?: OptionsOf<Name>
  ): Subscription<PlainChannels[Name]>
  /** Subscribes to a channel of the application's own, as `defineChannel` returned it. */
  subscribe<Definition extends OwnChannel> (
    channel: Definition, symbols?: readonly string[], options?: SubscribeOptions
  ): Subscription<OwnMessage<Definition>>
  subscribe (
    channel: ChannelName | OwnChannel,
    symbolsOrOptions?: readonly string[] | SubscribeOptions,
    given: SubscribeOptions = {}
  ): unknown {
    const name = typeof channel === 'string' ? channel : channel.name
    const isKeyed = Array.isArray(symbolsOrOptions)
    const symbols = isKeyed ? [...new Set(symbolsOrOptions as readonly string[])] : undefined
    const options = isKeyed ? given : symbolsOrOptions as SubscribeOptions | undefined ?? {}
    if (symbols?.length === 0) throw new TypeError('symbols is empty; a channel without symbols takes none')
    const kind = typeof channel === 'string' ? this.#kindOf(name) : kindOfOwn(channel)
    const selectors = this.#selectors.select(name, symbols)
    const reader = new Reader(name, selectors, options, {
      latest: (channel, symbol) => this.#selectors.latest(channel, symbol),
      close: reader => { this.#leave(reader) },
      failed: error => { this.#failed(error) }
    })
    for (const selector of selectors) if (selector.isNewSet) void this.#readMembers(selector, true)
    this.#roster.join(reader, kind)
    this.#flushSoon()
    return reader
  }

  /** Calls a listener with each event of a kind. @returns a function that takes it away */
  on<Name extends keyof ClientEvents> (
    event: Name, listener: (value: ClientEvents[Name]) => void
  ): () => void {
    const listeners = this.#listeners.get(event) ?? new Set()
    this.#listeners.set(event, listeners.add(listener))
    return () => { listeners.delete(listener) }
  }

  /** Tries at once, also after the server refused the client for good. */
  connect (): void {
    if (this.state.name === 'closed') {
      for (const selector of this.#selectors.all()) selector.rejected = undefined
      if (!this.#selectors.isEmpty) this.#connector.start()
    } else this.#connector.wake('connect() was called')
  }

  /** Ends the connection and all subscriptions. */
  close (): void {
    this.#stopWatching()
    clearTimeout(this.#lingering)
    this.#connector.stop('closed', { reason: 'the application closed the client' })
    for (const selector of [...this.#selectors.all()]) {
      for (const reader of [...selector.readers]) reader.close()
    }
  }

  /**
   * Asks an endpoint of the server, such as `v1/bars?symbol=AAPL&interval=1m`, with the client's token.
   * @param path relative to the address of the server
   */
  async fetch (path: string, init: RequestInit = {}): Promise<Response> {
    const token = await this.#token()
    const headers = new Headers(init.headers)
    if (token !== undefined) headers.set('Authorization', `Bearer ${token}`)
    return await this.#environment.fetch(this.#base + path, { ...init, headers })
  }

  /** The time of the server, in milliseconds since 1970, as far as the client can know it. */
  serverNow (): number {
    return this.#clock.serverNow()
  }

  /** What the client has done, and its last events as text. */
  inspect (): Inspection {
    const { latest, latestAt } = this.#delivery
    return {
      ...this.#delivery.counts,
      state: this.state,
      connectionId: this.#connectionId,
      topics: Object.fromEntries(this.#delivery.rule.positions()),
      connections: this.#connections,
      bytes: this.#bytes,
      latencyMs: latest === undefined ? undefined : this.#clock.between(latest.timestamp, latestAt),
      events: this.#log.text
    }
  }

  #kindOf (channel: string): ChannelKind {
    return this.#kinds.get(channel) ?? kindOf(channel)
  }

  #emit<Name extends keyof ClientEvents> (event: Name, value: ClientEvents[Name]): void {
    for (const listener of this.#listeners.get(event) ?? []) {
      try {
        (listener as (value: ClientEvents[Name]) => void)(value)
      } catch (error) {
        if (event !== 'error') this.#failed(error)
      }
    }
  }

  /** An error of the application's own is the application's: the client goes on. */
  #failed (error: unknown): void {
    this.#log.note(`a listener threw: ${errorText(error)}`)
    if ((this.#listeners.get('error')?.size ?? 0) > 0) return this.#emit('error', error)
    queueMicrotask(() => { throw error })
  }

  #leave (reader: Reader): void {
    for (const { readers } of reader.selectors) readers.delete(reader)
    if (this.#flush !== 'no') return
    this.#flush = 'lingering'
    this.#lingering = setTimeout(() => { this.#flushNow() }, LINGER_MS)
  }

  #flushSoon (): void {
    if (this.#flush === 'soon') return
    this.#flush = 'soon'
    queueMicrotask(() => { this.#flushNow() })
  }

  /** The server may send a set once the client knows who belongs to it. */
  async #readMembers (selector: Selector, isNew = false): Promise<void> {
    selector.isWaiting = isNew
    const members = await readMembers(selector, path => this.fetch(path))
    selector.members = members ?? selector.members
    selector.isWaiting = false
    this.#flushSoon()
  }

  /** Brings the connection to what the application subscribes to now. */
  #flushNow (): void {
    clearTimeout(this.#lingering)
    this.#flush = 'no'
    if (this.state.name === 'closed') return
    if (this.#selectors.isEmpty) {
      this.#roster.clear()
      this.#connector.stop('idle', { reason: 'nothing is subscribed' })
      return
    }
    this.#connector.start()
    this.#roster.update()
  }

  async #token (): Promise<string | undefined> {
    return await this.#options.getToken?.() ?? this.#options.token
  }

  #connectorHost (): ConnectorHost {
    return {
      canRenew: this.#options.getToken !== undefined,
      token: async () => await this.#token(),
      request: token => this.#roster.request({
        base: this.#base,
        token,
        uncertain: this.#delivery.rule.beyondCursor(),
        getToken: async () => await this.#token()
      }),
      resumes: (request, transport) => this.#roster.resumes(request, transport),
      probe: () => this.#roster.probe,
      adopted: (request, transport) => {
        this.#connections++
        this.#delivery.begin(this.#roster.begin(request, transport))
        if (transport.duplex && request.token !== undefined) this.#authenticate(request.token)
        this.#roster.update()
      },
      message: message => { this.#take(message) },
      narrowed: async (end, request, transport) =>
        await this.#roster.narrow(end, request, transport, this.#environment),
      changed: state => {
        this.#log.note(`${state.name}: ${state.reason ?? ''}`)
        this.#emit('state', state)
      },
      heard: bytes => { this.#bytes += bytes },
      note: text => { this.#log.note(text) }
    }
  }

  #authenticate (token: string): void {
    this.#connector.send({ action: 'auth', id: 'auth', token })
  }

  #take (message: ServerMessage): void {
    switch (message.type) {
      case 'welcome':
        this.#connectionId = String(message['connection_id'])
        this.#clock.saw(message['server_time'])
        return this.#entered(message['user_id'])
      case 'authenticated':
        return this.#entered(message['user_id'])
      case 'auth_expiring':
        void this.#renewToken()
        return
      case 'heartbeat':
      case 'pong':
        this.#clock.saw(message['timestamp'])
        if (message['cursor'] !== undefined) this.#keep(String(message['cursor']))
        return
      case 'cursor':
        return this.#keep(String(message['cursor']))
      case 'lagging':
        return this.#connector.catchUp(message['behind'] === 0)
      case 'error': {
        const end = endOf(message)
        this.#log.note(`the server answered: ${end.reason}`)
        if (message['id'] === 'auth') this.#connector.fail(end)
        else this.#roster.refused(message['id'], end)
        return
      }
      default:
        if (message['epoch'] !== undefined) this.#emit('epoch', String(message['epoch']))
        this.#delivery.take(message)
    }
  }

  #keep (cursor: string): void {
    this.#connector.settle()
    // The server refused a subscription for now: this cursor would skip what it has missed.
    if (!this.#roster.isResumed) return
    this.#delivery.rule.cursor()
    this.#roster.cover(cursor)
    if (this.state.name === 'catching_up' && this.#roster.isAnswered) this.#connector.catchUp(true)
    this.#emit('cursor', cursor)
  }

  /** Another user must not see what the former one was sent. */
  #entered (user: unknown): void {
    if (user === undefined) return
    const isOther = this.#user !== undefined && this.#user !== user
    this.#user = user
    if (!isOther) return
    this.#roster.restart(reset => { this.#delivery.reset(reset) })
    this.#connector.renew('the user changed', true)
  }

  async #renewToken (): Promise<void> {
    try {
      const token = await this.#options.getToken?.()
      if (token === undefined) return
      if (this.#connector.isDuplex) this.#authenticate(token)
      else this.#connector.renew('the token expires')
    } catch (error) {
      this.#log.note(`there is no new token: ${errorText(error)}`)
    }
  }
}

/** Whether somebody asked for the client's events on the console: `localStorage.tickwire = 'debug'`. */
function isDebugged ({ storage }: Environment): boolean {
  try {
    return storage?.getItem('tickwire') === 'debug'
  } catch {
    return false
  }
}
