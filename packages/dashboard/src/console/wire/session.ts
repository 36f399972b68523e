import { type Store, createStore } from '../../app/store.js'
import type { Frame, FrameKind, Message } from '../log/frame.js'
import { RowLog } from '../log/row-log.js'
import { type Action, actionOf } from '../schema/check.js'
import { type CredentialKind, Credentials, NoTicket } from './credentials.js'
import { openEventStream } from './event-stream.js'
import { openPolling } from './polling.js'
import { type Problem, problemOf, problemOfAnswer, problemOfError } from './problem.js'
import { actionsOf, queryOf, type Subscribed, Subscriptions } from './subscriptions.js'
import type { Twin } from './twin.js'
import { openWebSocket } from './websocket.js'
import { type Address, ask, type Wire } from './wire.js'

export const TRANSPORTS = ['tickwire.v1.json', 'tickwire.v1.batch', 'event-stream', 'polling'] as const
export type TransportName = typeof TRANSPORTS[number]

export const isWebSocket = (name: TransportName): boolean => name.startsWith('tickwire.')

export interface SessionState {
  readonly credential: CredentialKind
  readonly phase: 'idle' | 'connecting' | 'open' | 'cut' | 'ended'
  readonly transport: TransportName
  readonly cursor?: string
  readonly epoch?: string
  readonly user?: string
  readonly subscribed: readonly Subscribed[]
  /** The last one, until something is sent or connected again. */
  readonly problem?: Problem
}

const POLL_WAIT_SECONDS = 20
const JSON_TYPE = { 'Content-Type': 'application/json' }
const IDLE = { phase: 'idle', transport: 'tickwire.v1.json', subscribed: [] } as const

/**
 * Speaks with the server by hand: one connection at a time, which it never opens by itself again. It puts
 * everything that goes over the wire into the list, without credentials.
 */
export class Session {
  readonly log = new RowLog()
  readonly credentials = new Credentials()
  readonly state: Store<SessionState>
  readonly #subscriptions = new Subscriptions()
  readonly #now: () => number
  #wire: Wire | undefined
  /** Counts connections, so that what an earlier one still says is not heard. */
  #generation = 0
  /** What waits until the connection stands. */
  #waiting: string[] = []

  constructor (credential: CredentialKind, now = Date.now) {
    this.credentials.kind = credential
    this.state = createStore<SessionState>({ ...IDLE, credential })
    this.#now = now
  }

  #set (change: Partial<SessionState> | { readonly problem: undefined }): void {
    const { problem, ...rest } = { ...this.state.get(), ...change }
    const subscribed = this.#subscriptions.list()
    this.state.set({ ...rest, subscribed, ...(problem === undefined ? {} : { problem }) })
  }

  choose (transport: TransportName): void {
    this.#set({ transport })
  }

  /** Chooses whom the next connection, and the next request, speaks for. */
  speakFor (credential: CredentialKind): void {
    this.credentials.kind = credential
    this.#set({ credential })
  }

  /** Connects anew: what is subscribed begins as if for the first time. */
  connect (): void {
    this.#subscriptions.forgetCursor()
    const { cursor, epoch, user, ...rest } = this.state.get()
    this.state.set(rest)
    this.#open('connect')
  }

  /** Connects again, from the last cursor on. */
  resume (): void {
    this.#open('resume')
  }

  /** Drops the connection, as a network does. */
  cut (): void {
    this.#drop()
    this.#add('out', 'note', '', 'cut')
    this.#set({ phase: 'cut' })
  }

  #drop (): void {
    this.#generation++
    this.#wire?.close()
    this.#wire = undefined
    this.#waiting = []
  }

  close (): void {
    this.#drop()
  }

  #add (direction: Frame['direction'], kind: FrameKind, text: string, type?: string): void {
    const shown = this.credentials.hide(text)
    const frame = { at: this.#now(), direction, kind, text: shown, ...(type === undefined ? {} : { type }) }
    const isOfStream = direction === 'in' && kind !== 'note' && kind !== 'answer'
    for (const { message } of this.log.add(frame)) {
      if (message !== undefined && isOfStream) this.#heard(message)
    }
  }

  #open (how: 'connect' | 'resume'): void {
    this.#wire?.close()
    const generation = ++this.#generation
    const { transport } = this.state.get()
    this.#subscriptions.connected()
    this.#add('out', 'note', transport, how)
    this.#set({ phase: 'connecting', problem: undefined })
    this.#begin(generation, transport).catch((error: unknown) => {
      if (generation !== this.#generation) return
      this.#end(error instanceof NoTicket ? error.problem : problemOfError(error))
    })
  }

  async #begin (generation: number, transport: TransportName): Promise<void> {
    const isCurrent = (): boolean => generation === this.#generation
    const events = {
      onOpen: () => { if (isCurrent()) this.#set({ phase: 'open' }) },
      onFrame: (kind: FrameKind, text: string) => { if (isCurrent()) this.#add('in', kind, text) },
      onEnd: (problem: Problem | undefined) => { if (isCurrent()) this.#end(problem) }
    }
    if (transport === 'polling') {
      this.#wire = openPolling(async isFirst => await this.#request(isFirst ? 0 : POLL_WAIT_SECONDS), events)
      return
    }
    if (transport === 'event-stream') {
      const address = await this.#request()
      if (isCurrent()) this.#wire = openEventStream(address, events)
      return
    }
    const address = await this.credentials.addressOf(streamUrl())
    const token = this.credentials.kind === 'ticket' ? undefined : await this.credentials.token()
    if (!isCurrent()) return
    this.#add('out', 'request', requestText(address))
    const onOpen = (): void => {
      if (!isCurrent()) return
      events.onOpen()
      if (token !== undefined) this.#sendText(JSON.stringify({ action: 'auth', token }))
      const { cursor } = this.state.get()
      const actions = actionsOf(this.#subscriptions.list(), cursor).map(action => JSON.stringify(action))
      for (const text of [...actions, ...this.#waiting.splice(0)]) this.#sendText(text)
    }
    this.#wire = openWebSocket(address, transport, { ...events, onOpen })
  }

  /** Returns the next request for the stream, over HTTP. */
  async #request (waitSeconds = 0): Promise<Address> {
    const wait = waitSeconds === 0 ? [] : [`wait=${waitSeconds}`]
    const query = queryOf(this.#subscriptions.list(), this.state.get().cursor)
    const url = streamUrl([...query, ...wait].join('&'))
    const address = await this.credentials.addressOf(url)
    this.#add('out', 'request', requestText(address))
    return address
  }

  #end (problem: Problem | undefined): void {
    this.#wire = undefined
    this.#waiting = []
    const { transport, problem: before } = this.state.get()
    if (!isWebSocket(transport) && problem?.status !== undefined) this.#subscriptions.removeUncovered()
    const { status, close, words = '' } = problem ?? {}
    this.#add('in', 'note', [status ?? close ?? '', words].join(' ').trim(), 'end')
    // A close says less than the `closing` before it.
    const shown = problem?.close !== undefined && before?.code !== undefined ? before : problem
    this.#set({ phase: 'ended', ...(shown === undefined ? {} : { problem: shown }) })
  }

  #heard (message: Message): void {
    const { type, cursor, epoch, user_id: user } = message
    this.#subscriptions.heard(message)
    const change: { -readonly [Key in keyof SessionState]?: SessionState[Key] } = {}
    if (typeof cursor === 'string') change.cursor = cursor
    if (typeof epoch === 'string') change.epoch = epoch
    if (typeof user === 'string') change.user = user
    if (type === 'error' || type === 'closing') change.problem = problemOf(message)
    const rejected = type === 'subscribed' || type === 'published' ? message['rejected'] : undefined
    if (Array.isArray(rejected) && rejected.length > 0) change.problem = problemOf(rejected[0])
    if (Object.keys(change).length > 0 || type === 'unsubscribed') this.#set(change)
  }

  /**
   * Sends a message as it was written. Over a WebSocket it goes as it is; elsewhere `subscribe` and
   * `unsubscribe` change the request for the stream.
   * @param action what the text means; undefined: it is not JSON
   */
  send (text: string, action: Action | undefined): void {
    const { phase, transport } = this.state.get()
    this.#set({ problem: undefined })
    if (isWebSocket(transport)) {
      if (phase === 'open') this.#sendText(text)
      else {
        this.#waiting.push(text)
        if (phase !== 'connecting') this.#goOn()
      }
      return
    }
    if (action?.['action'] === 'subscribe') this.#subscriptions.add(action)
    else if (action?.['action'] === 'unsubscribe') this.#leave(action)
    else return
    if (phase === 'open' || phase === 'connecting') this.#again()
    else if (action['action'] === 'subscribe') this.#goOn()
    else this.#set({})
  }

  /** Connects for something that is sent: what came before is not lost by that. */
  #goOn (): void {
    if (this.state.get().cursor === undefined) this.connect()
    else this.resume()
  }

  /** Takes a subscription away. */
  leave ({ channel, symbols }: Subscribed): void {
    const action = { action: 'unsubscribe', channel, ...(symbols === undefined ? {} : { symbols }) }
    const { phase, transport } = this.state.get()
    if (isWebSocket(transport) && phase === 'open') this.#sendText(JSON.stringify(action))
    else {
      this.#leave(action)
      if (phase === 'open') this.#again()
      else this.#set({})
    }
  }

  #leave (action: Action): void {
    const topics = this.#subscriptions.remove(action)
    if (topics.length > 0) this.#add('out', 'note', topics.join(' '), 'leave')
  }

  /** Goes on with another request for the stream. */
  #again (): void {
    if (this.#subscriptions.list().length > 0) this.#open('resume')
    else this.cut()
  }

  #sendText (text: string): void {
    const action = actionOf(text)
    if (action !== undefined) this.#subscriptions.sent(action)
    this.#add('out', 'message', text)
    this.#wire?.send(text)
  }

  /** Does over HTTP what an action does. */
  async request ({ method, path, body }: Twin): Promise<void> {
    this.#set({ problem: undefined })
    const text = body === undefined ? undefined : JSON.stringify(body)
    this.#add('out', 'request', `${method} /${path}${text === undefined ? '' : `\n\n${text}`}`)
    try {
      const headers = await this.credentials.headers()
      const [init, type] = text === undefined ? [{}, {}] : [{ body: text }, JSON_TYPE]
      const answer = await ask({ url: new URL(path, document.baseURI), headers }, { method, ...init }, type)
      const said = await answer.text()
      this.#add('in', 'answer', said, String(answer.status))
      if (!answer.ok) this.#set({ problem: problemOfAnswer(answer.status, said) })
    } catch (error) {
      this.#set({ problem: problemOfError(error) })
    }
  }
}

const streamUrl = (query = ''): URL => {
  const url = new URL('v1/stream', document.baseURI)
  url.search = query
  return url
}

const requestText = ({ url }: Address): string => `GET ${url.pathname}${url.search}`
