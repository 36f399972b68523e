import { type ErrorCode, errorTable } from '@tickwire/protocol/errors'
import {
  type KeyedChannels, type Message, type OwnChannel, type OwnMessage, type PlainChannels, type Reset, topicOf
} from '../channels.js'
import type { ClientOptions } from '../options.js'
import type { End, Environment, Transport } from '../transports/transport.js'
import { Connection, type ConnectionHost } from './connection.js'
import { type LoggedChannel, MemoryLog } from './memory-log.js'

export interface TestServerOptions {
  /** The application's own channels that have a state. */
  readonly channels?: readonly LoggedChannel[]
  /** The members of sets: `{ '@market/KOSPI': ['005930'] }`. `*` holds all symbols. */
  readonly sets?: Readonly<Record<string, readonly string[]>>
}

/** How a message is emitted. */
export interface EmitOptions {
  /** The message replaces the topic's state. */
  readonly snapshot?: boolean
}

/** Keeps the waits of clients at a hundredth of what they are: 8 ms for the first, 300 ms for the longest. */
const LITTLE = 0.01
const URL_OF_NOTHING = 'http://tickwire.test'

/**
 * A server in memory, for the tests of an application: the client is the real one, and there are no sockets.
 * What a test does is at the client when the call returns, unless the client has to connect first.
 */
export class TestServer {
  readonly #log: MemoryLog
  readonly #sets: Readonly<Record<string, readonly string[]>>
  readonly #connections = new Set<Connection>()
  readonly #rejections = new Map<string, string>()
  readonly #answers = new Map<string, { readonly body: unknown, readonly status: number }>()
  #refusal: End | undefined
  #isCut = false
  #opened = 0

  constructor ({ channels = [], sets = {} }: TestServerOptions = {}) {
    this.#log = new MemoryLog(channels)
    this.#sets = sets
  }

  /** The options of a client of this server; it waits for milliseconds only before it tries again. */
  get options (): Pick<ClientOptions, 'url' | 'transports' | 'environment'> {
    const environment = { random: () => LITTLE, storage: undefined, fetch: this.#fetch }
    return { url: URL_OF_NOTHING, transports: [this.transport], environment }
  }

  /** Connections that clients have opened so far. */
  get opened (): number {
    return this.#opened
  }

  /** Connections that are open. */
  get connections (): number {
    return this.#open().length
  }

  /** The transport of a client of this server. */
  readonly transport: Transport = {
    name: 'websocket',
    duplex: true,
    isStream: true,
    // Nothing is lost on the way, and a test may stop the clock.
    probeAfterMs: Infinity,
    deadAfterMs: Infinity,
    open: (_request, events) => {
      const connection = new Connection(events, this.#host())
      this.#connections.add(connection)
      queueMicrotask(() => {
        if (this.#refusal !== undefined) return connection.end(this.#refusal)
        if (this.#isCut) return connection.end({ reason: 'the test has cut the network' })
        connection.welcome(`test-${++this.#opened}`)
      })
      return {
        send: action => { connection.take(action as Parameters<Connection['take']>[0]) },
        probe: () => {},
        close: () => {
          connection.close()
          this.#connections.delete(connection)
        }
      }
    }
  }

  /** Appends a message to the log, and sends it to those who read its topic. */
  emit<Name extends keyof KeyedChannels> (
    channel: Name, symbol: string, data: KeyedChannels[Name]['data'], options?: EmitOptions
  ): Message
  /** Appends a message of a channel without symbols. */
  emit<Name extends keyof PlainChannels> (channel: Name, data: PlainChannels[Name]['data']): Message
  /** Appends a message of a channel of the application's own. */
  emit<Definition extends OwnChannel> (
    channel: Definition,
    symbol: string | undefined,
    data: OwnMessage<Definition>['data'],
    options?: EmitOptions
  ): Message
  emit (channel: string | OwnChannel, symbolOrData: unknown, data?: unknown, options?: EmitOptions): Message {
    const name = typeof channel === 'string' ? channel : channel.name
    const isPlain = typeof symbolOrData === 'object'
    const symbol = isPlain ? undefined : symbolOrData as string | undefined
    const message = this.#log.append(name, symbol, isPlain ? symbolOrData : data, options?.snapshot === true)
    for (const connection of this.#open()) connection.published(message)
    return message
  }

  /** Cuts all connections. Clients come back at once, or after {@link mend} if `stays`. */
  cut ({ stays = false }: { readonly stays?: boolean } = {}): void {
    this.#isCut = stays
    for (const connection of this.#open()) connection.end({ reason: 'the test has cut the network' })
  }

  /** Ends what {@link cut} and {@link refuse} began. Clients come back with their next attempt. */
  mend (): void {
    this.#isCut = false
    this.#refusal = undefined
  }

  /** Says that messages of a topic are lost; its state follows, or what the log has of it. */
  reset (channel: string, symbol?: string, reason: Reset['reason'] = 'history_lost'): void {
    for (const connection of this.#open()) connection.reset(topicOf({ channel, symbol }), reason)
  }

  /** Says that clients read too slowly, and holds back what comes until they are no longer (`lag(0)`). */
  lag (behind: number): void {
    for (const connection of this.#open()) connection.lag(behind)
  }

  /** Refuses all connections with a code of the table of errors, until {@link mend}. */
  refuse (code: ErrorCode, retryAfterMs?: number): void {
    const end = this.#refusal = { code, retryAfterMs, reason: errorTable[code].message }
    for (const connection of this.#open()) connection.end(end)
  }

  /** Refuses subscriptions to a symbol from now on, as with `unknown_symbol` or `forbidden`. */
  reject (channel: string, symbol: string | undefined, code: ErrorCode = 'unknown_symbol'): void {
    this.#rejections.set(topicOf({ channel, symbol }), code)
  }

  /** Begins a new epoch of the log. @param lost how many of the newest messages it has lost */
  epoch (lost = 0): void {
    const topics = this.#log.beginEpoch(lost)
    for (const connection of this.#open()) connection.epochBegan(topics)
  }

  /** Forgets the messages so far, but not the states: a client that comes back behind them gets `reset`. */
  expire (): void {
    this.#log.expire()
  }

  /** Answers requests to a path, such as `GET v1/bars`, with a body as JSON. */
  answer (request: string, body: unknown, status = 200): void {
    this.#answers.set(request, { body, status })
  }

  /** Ends all connections; clients find nobody any more. */
  close (): void {
    this.cut({ stays: true })
  }

  readonly #fetch: Environment['fetch'] = async (input, init) => {
    const { pathname } = new URL(input instanceof Request ? input.url : input)
    const request = `${init?.method ?? 'GET'} ${pathname.slice(1)}`
    if (this.#isCut) throw new TypeError('the test has cut the network')
    const message = `the test has no answer to ${request}; give it one: answer('${request}', …)`
    const missing = { code: 'not_found', message }
    const { body, status } = this.#answers.get(request) ?? { body: missing, status: 404 }
    return Response.json(body, { status })
  }

  /** Ending a connection opens others, which are not of this turn. */
  #open (): Connection[] {
    return [...this.#connections].filter(({ isOver }) => !isOver)
  }

  #host (): ConnectionHost {
    return {
      log: this.#log,
      refusalOf: (channel, symbol) => {
        const isUnknown = symbol?.startsWith('@') === true && this.#sets[symbol] === undefined
        return isUnknown ? 'unknown_symbol' : this.#rejections.get(topicOf({ channel, symbol }))
      },
      isMember: (set, symbol) => set === '*' || this.#sets[set]?.includes(String(symbol)) === true
    }
  }
}
