import { isSet, kindOf, type Message, named, type Reset } from '../channels.js'
import type { Client } from '../client.js'
import { policyOf } from '../retry.js'
import { parameterOf } from '../selectors.js'
import type { State } from '../state.js'
import { subscribeTo } from '../subscribe-to.js'
import type { Rejected, Subscription } from '../subscription.js'
import { errorText, refusalOf } from '../transports/refusals.js'
import type { End, ServerMessage } from '../transports/transport.js'
import { Recorded } from './record.js'
import {
  comparePositions, covers, type DistributiveOmit, type FromLeader, type FromTab, type Item, type Position,
  type SubscribeAction, type UnsubscribeAction
} from './wire.js'

/** In so many milliseconds from its start, a leader begins again for a tab that is behind its start. */
const YOUNG_MS = 10_000
/** For how long the leader stays subscribed for a tab that has left: it often comes back at once. */
const LINGER_MS = 2000
/** After how long the leader asks again, if the server cannot be asked. */
const AGAIN_MS = 1000
/** So many symbols go into one poll. */
const SYMBOLS_OF_POLL = 100
/** The most messages that a server gives of the past of a topic. */
const MAX_LAST = 10_000

export interface RelayHost {
  readonly term: number
  /** For how long to wait for the positions of all tabs that live. */
  readonly gatherMs: number
  /** Whose tabs these are. */
  readonly user: string | undefined
  /** Makes the client that has the connection. @param after the cursor from which it goes on */
  makeClient: (after: string | undefined) => Client
  post: (message: DistributiveOmit<FromLeader, 'to' | 'term'>) => void
  livingTabs: () => Promise<string[]>
  whenGone: (tab: string, signal: AbortSignal, onGone: () => void) => void
  /** Begins a term anew: all tabs say again where they are. */
  leadAnew: () => void
}

/** One connection of a tab to the leader. */
interface Session {
  readonly tab: string
  readonly link: string
  readonly position: Position | undefined
  /** By selector, what keeps the leader subscribed. */
  readonly readers: Map<string, Subscription>
  hasAsked: boolean
  over: boolean
}

interface Asked {
  readonly session: Session
  readonly action: SubscribeAction
}

/** A selector that the leader is subscribed to, for whatever tabs. */
interface Shared {
  readonly sessions: Set<Session>
  /** The number of the cursor after which the leader was subscribed to it. */
  readonly since: number
}

type Symbol = string | undefined
/** How a tab begins with a selector: where it was, with what the server has now, or with all that came. */
type Beginning = { readonly from: number } | 'polled' | 'new'

const keyOf = (channel: string, symbol: Symbol): string => `${channel}:${symbol ?? ''}`

/**
 * The leader's side: one client for all tabs. Each event is told to all at once; what a single tab needs to
 * begin, or to come back, is given to that tab behind it.
 */
export class Relay {
  readonly #host: RelayHost
  readonly #sessions = new Map<string, Session>()
  readonly #shared = new Map<string, Shared>()
  readonly #abort = new AbortController()
  readonly #began = Date.now()
  /** What tabs have asked for while the leader does not know yet where to begin. */
  #gathering: Asked[] | undefined = []
  #gatherer: ReturnType<typeof setTimeout> | undefined
  #inner: Client | undefined
  #recorded: Recorded
  #epoch: string | undefined
  #cursor: Position | undefined
  #last: Message | Reset | undefined
  #untold: Item[] = []

  constructor (host: RelayHost) {
    this.#host = host
    this.#recorded = new Recorded(host.term, undefined)
    host.post({ kind: 'lead' })
  }

  stop (): void {
    this.#abort.abort()
    clearTimeout(this.#gatherer)
    this.#inner?.close()
    for (const session of this.#sessions.values()) session.over = true
  }

  take (message: FromTab): void {
    if (this.#abort.signal.aborted) return
    if (message.kind === 'ping') return this.#host.post({ kind: 'alive' })
    if (message.kind === 'join') return this.#join(message.tab, message.link, message.position)
    const session = this.#sessions.get(message.link)
    if (session === undefined) return
    if (message.kind === 'leave') return this.#leave(session)
    const { action } = message
    if (action.action === 'unsubscribe') return this.#unsubscribe(session, action)
    session.hasAsked = true
    if (this.#gathering !== undefined) {
      this.#gathering.push({ session, action })
      this.#gatherer ??= setTimeout(() => { this.#begin() }, this.#host.gatherMs)
      void this.#gather()
    } else void this.#serve({ session, action })
  }

  #join (tab: string, link: string, position: Position | undefined): void {
    for (const former of [...this.#sessions.values()]) if (former.tab === tab) this.#leave(former)
    const session: Session = { tab, link, position, readers: new Map(), hasAsked: false, over: false }
    this.#sessions.set(link, session)
    this.#host.whenGone(tab, this.#abort.signal, () => { this.#leave(session) })
    const now = this.#inner?.serverNow() ?? Date.now()
    const { user, term } = this.#host
    this.#give(session, [{
      type: 'welcome',
      connection_id: this.#inner?.inspect().connectionId ?? String(term),
      server_time: new Date(now).toISOString(),
      ...(user === undefined ? {} : { user_id: user })
    }])
    // A tab that comes has a reason to try.
    if (this.#inner?.state.name === 'offline') this.#inner.connect()
    else if (this.#inner !== undefined) this.#tellState(this.#inner.state)
  }

  #leave (session: Session): void {
    if (session.over) return
    session.over = true
    this.#sessions.delete(session.link)
    setTimeout(() => { for (const key of session.readers.keys()) this.#release(session, key) }, LINGER_MS)
  }

  #unsubscribe (session: Session, { channel, symbols }: UnsubscribeAction): void {
    for (const symbol of symbols ?? [undefined]) this.#release(session, keyOf(channel, symbol))
  }

  #release (session: Session, key: string): void {
    session.readers.get(key)?.close()
    session.readers.delete(key)
    const shared = this.#shared.get(key)
    if (shared?.sessions.delete(session) === true && shared.sessions.size === 0) this.#shared.delete(key)
  }

  /** Begins once all tabs that live have said what they want. */
  async #gather (): Promise<void> {
    const living = await this.#host.livingTabs()
    const known = new Set([...this.#sessions.values()].filter(one => one.hasAsked).map(({ tab }) => tab))
    if (living.every(tab => known.has(tab))) this.#begin()
  }

  /** Connects from the position of the tab that is furthest behind. */
  #begin (): void {
    if (this.#gathering === undefined || this.#abort.signal.aborted) return
    const asked = this.#gathering.filter(({ session }) => !session.over)
    clearTimeout(this.#gatherer)
    this.#gatherer = undefined
    // Whoever asks next begins it.
    if (asked.length === 0) return
    this.#gathering = undefined
    const resumed = asked.filter(({ action }) => action.after !== undefined)
    const positions = resumed.map(positionOf).sort(comparePositions)
    // The cursor of an earlier session cannot be compared with the others; it counts where it is alone.
    const start = positions.find(({ term }) => term > 0) ?? positions[0]
    this.#recorded = new Recorded(this.#host.term, start)
    const inner = this.#inner = this.#host.makeClient(start?.cursor)
    inner.on('state', state => { this.#tellState(state) })
    inner.on('epoch', epoch => {
      if (this.#epoch !== epoch) this.#tell({ type: 'epoch', epoch })
      this.#epoch = epoch
    })
    inner.on('cursor', cursor => { this.#keep(cursor) })
    const fresh = asked.filter(({ action }) => action.after === undefined)
    for (const one of resumed) void this.#serve(one, 0)
    const serveFresh = (): void => { for (const one of fresh) void this.#serve(one) }
    if (resumed.length === 0) return serveFresh()
    // The cursor covers what the client is subscribed to before it connects, and nothing else must be.
    const stop = inner.on('cursor', () => {
      stop()
      serveFresh()
    })
  }

  #keep (cursor: string): void {
    const number = ++this.#recorded.number
    this.#cursor = { term: this.#host.term, number, cursor }
    this.#tell(this.#cursorItem()!)
    this.#flush()
  }

  #cursorItem (): Extract<Item, { type: 'heartbeat' }> | undefined {
    if (this.#cursor === undefined) return undefined
    const { number, cursor } = this.#cursor
    return { type: 'heartbeat', cursor, number, timestamp: new Date(this.#inner!.serverNow()).toISOString() }
  }

  #tellState ({ name, reason, code }: State): void {
    if (name === 'idle') return
    this.#flush()
    if (name !== 'closed') return this.#host.post({ kind: 'state', name, reason })
    if (this.#abort.signal.aborted) return
    const end: End = { reason: reason ?? 'the connection was closed', code }
    this.#host.post({ kind: 'end', end })
    // A tab that comes back has another token, or a user who wants to try again.
    this.#host.leadAnew()
  }

  #take (event: Message | Reset): void {
    // The subscriptions of several tabs bring the same event one after another.
    if (event === this.#last) return
    this.#last = event
    this.#recorded.add(event)
    this.#tell(event)
  }

  #tell (item: Item): void {
    if (this.#untold.push(item) === 1) queueMicrotask(() => { this.#flush() })
  }

  #flush (): void {
    if (this.#untold.length > 0) this.#host.post({ kind: 'tell', items: this.#untold.splice(0) })
  }

  #give (session: Session, messages: ServerMessage[]): void {
    this.#flush()
    this.#host.post({ kind: 'give', link: session.link, messages })
  }

  /**
   * Subscribes for a tab, and gives the tab what it begins with.
   * @param since the number since which the leader has what it is not subscribed to yet
   */
  async #serve (asked: Asked, since = Infinity): Promise<void> {
    const { session, action } = asked
    const { channel, symbols = [undefined], id } = action
    const behind = action.after === undefined ? undefined : this.#recorded.numberOf(positionOf(asked))
    const isBehind = behind === undefined && action.after !== undefined
    if (isBehind && action.after === session.position?.cursor && this.#isYoung) return this.#host.leadAnew()
    const mark = this.#recorded.mark
    const beginnings = new Map<Symbol, Beginning>()
    const answers: Array<Promise<readonly Rejected[]>> = []
    for (const symbol of symbols) {
      const key = keyOf(channel, symbol)
      const shared = this.#shared.get(key)
      const isResumed = behind !== undefined && (shared?.since ?? since) <= behind
      const isLive = shared !== undefined || action.after !== undefined
      beginnings.set(symbol, isResumed ? { from: behind } : isLive ? 'polled' : 'new')
      if (action.action === 'subscribe') answers.push(this.#subscribe(session, key, symbol, action))
    }
    const rejected = (await Promise.all(answers)).flat()
    for (const { symbol } of rejected) {
      beginnings.delete(symbol)
      this.#release(session, keyOf(channel, symbol))
    }
    const granted = [...beginnings.keys()]
    const polledSymbols = granted.filter(symbol => beginnings.get(symbol) === 'polled')
    let polled: ServerMessage[] | undefined
    try {
      this.#epoch ??= await this.#askEpoch(channel, granted)
      polled = await this.#poll(action, polledSymbols)
    } catch (error) {
      return this.#refuse(asked, since, error)
    }
    if (session.over || this.#abort.signal.aborted) return
    const named = action.symbols === undefined ? {} : { symbols: granted }
    const resets = action.after === undefined ? [] : resetsOf(channel, polledSymbols, polled)
    const upTo = new Map(polled.map(message => [message.symbol as Symbol, Number(message.sequence)]))
    const events = this.#recorded.from(mark, ({ event, number }, isSince) => {
      if (event.channel !== channel) return false
      for (const [symbol, beginning] of beginnings) {
        if (!covers(symbol, event.symbol)) continue
        if (typeof beginning === 'object') return number >= beginning.from
        // The server's answer may be behind what the leader was sent already.
        return isSince || (event.type !== 'reset' && event.sequence! > (upTo.get(event.symbol) ?? Infinity))
      }
      return false
    })
    const answer = action.action === 'subscribe'
      ? { type: 'subscribed', id, channel, ...named, rejected, epoch: this.#epoch }
      : { type: 'done', id }
    const messages = [answer, ...resets, ...polled, ...events] as ServerMessage[]
    const cursor = this.#cursorItem()
    this.#give(session, cursor === undefined ? messages : [...messages, cursor as unknown as ServerMessage])
  }

  /** Whether beginning anew costs little, and may give a tab what it would lose otherwise. */
  get #isYoung (): boolean {
    return this.#recorded.isWhole && Date.now() - this.#began < YOUNG_MS
  }

  #subscribe (
    session: Session, key: string, symbol: Symbol, action: SubscribeAction
  ): Promise<readonly Rejected[]> {
    const { channel, depth, last } = action
    const options = given({ throttleMs: action.throttle_ms, depth, last })
    const symbols = symbol === undefined ? undefined : [symbol]
    const reader = subscribeTo(this.#inner!, channel, symbols, options)
    // What the client holds already is no news to the tabs.
    reader.latest(symbol)
    reader.listen(event => { this.#take(event) })
    session.readers.get(key)?.close()
    session.readers.set(key, reader)
    const shared = this.#shared.get(key) ?? { sessions: new Set<Session>(), since: this.#recorded.number }
    this.#shared.set(key, shared)
    shared.sessions.add(session)
    return reader.result.then(({ rejected }) => rejected)
  }

  /** A tab is told of what is final; the leader tries again what may pass, so that no cursor overtakes it. */
  #refuse (asked: Asked, since: number, error: unknown): void {
    const { session, action: { id } } = asked
    const end = endOf(error)
    const serveAgain = (): void => {
      if (!session.over && !this.#abort.signal.aborted) void this.#serve(asked, since)
    }
    if (policyOf(end) !== 'stop') setTimeout(serveAgain, end.retryAfterMs ?? AGAIN_MS)
    else this.#give(session, [{ type: 'error', id, code: end.code, message: end.reason }])
  }

  /** A server that is polled names no epoch unless it is asked for it (PROTOCOL.md, The client's rule, 5). */
  async #askEpoch (channel: string, symbols: readonly Symbol[]): Promise<string | undefined> {
    const symbol = symbols.find(symbol => !isSet(symbol))
    if (symbols.length === 0 || (symbol === undefined && symbols[0] !== undefined)) return undefined
    const topic = encodeURIComponent(symbol === undefined ? channel : `${channel}:${symbol}`)
    const response = await this.#inner!.fetch(`v1/history?topic=${topic}&limit=1`)
    return (await response.json() as { epoch?: string }).epoch
  }

  /** Asks the server for what a subscription to topics begins with that the leader reads already. */
  async #poll (action: SubscribeAction, symbols: readonly Symbol[]): Promise<ServerMessage[]> {
    const { channel, depth } = action
    // What follows on a reset of a history is what the server still has of it.
    const last = action.after !== undefined && kindOf(channel) === 'history' ? MAX_LAST : action.last
    const options = given({ throttle_ms: action.throttle_ms, depth, last })
    const messages: ServerMessage[] = []
    for (let at = 0; at < symbols.length; at += SYMBOLS_OF_POLL) {
      const selectors = symbols.slice(at, at + SYMBOLS_OF_POLL).map(symbol => ({ symbol }))
      const parameter = parameterOf({ channel, selectors, options, covered: false }, false)
      const response = await this.#inner!.fetch(`v1/stream?${parameter}&limit=${MAX_LAST}`)
      // The error is the server's refusal, with its code.
      if (!response.ok) throw await refusalOf(response)
      messages.push(...(await response.json() as { messages: ServerMessage[] }).messages)
    }
    return messages
  }
}

/** Returns what was thrown as an end: a refusal of the server is one already. */
const endOf = (error: unknown): End =>
  typeof (error as Partial<End>).reason === 'string' ? error as End : { reason: errorText(error) }

/** Returns where a tab stands; its application may also have given it the cursor of an earlier session. */
function positionOf ({ session: { position }, action: { after = '' } }: Asked): Position {
  return position?.cursor === after ? position : { term: 0, number: 0, cursor: after }
}

/** Returns a reset for each topic whose past cannot be given. */
function resetsOf (channel: string, symbols: readonly Symbol[], polled: readonly ServerMessage[]): Reset[] {
  const alone = symbols.filter(symbol => !isSet(symbol))
  const topics = new Set([...alone, ...polled.map(({ symbol }) => symbol as Symbol)])
  return [...topics].map(symbol =>
    ({ type: 'reset', channel, ...named(symbol), reason: 'history_lost' }))
}

/** Returns the options that an action gives. */
const given = <Options extends object> (
  options: Options
): { [Name in keyof Options]?: NonNullable<Options[Name]> } =>
    Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never
