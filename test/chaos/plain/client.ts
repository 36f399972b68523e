import { randomUUID } from 'node:crypto'
import { type ErrorCode, errorTable } from '@tickwire/protocol'
import { type Message, openWire, type TransportName, type Wire } from '../../helpers/wires.js'
import type { Connecting, DriverEvent, Subscription, Transport } from '../events.js'
import type { Broken } from './broken.js'
import { Memory } from './memory.js'

const WIRES: Readonly<Record<Transport, TransportName>> =
  { websocket: 'ws-json', 'event-stream': 'sse', polling: 'poll' }
/** How long an attempt may take until something comes. */
const WELCOME_MS = 3000
/** How long nothing may come. A poll is held for 5 s. */
const SILENCE_MS: Readonly<Record<Transport, number>> = { websocket: 3000, 'event-stream': 6000, polling: 8000 }
const PING_MS = 1500
const LOOK_MS = 250
const POLL_PAUSE_MS = 50
const EPOCH_MS = 3000
/** Subscriptions that come together share a connection. */
const GATHER_MS = 20
const BASE_MS = 800
const MOST_MS = 30_000
const STABLE_MS = 10_000
const ABOVE_RETRY_MS = 250

interface Refusal {
  readonly code?: string
  readonly retry_after_ms?: number
}

/**
 * A small client of PROTOCOL.md, to try the chaos runs with. It subscribes in the URL, and connects anew for
 * whatever does not go on.
 */
export class PlainClient {
  private readonly memory: Memory
  private readonly subscriptions: Subscription[] = []
  private readonly requestId = randomUUID()
  private connecting: Connecting | undefined
  private tokensUsed = 0
  private isRenewed = false
  private cursor: string | undefined
  private coversStates = true
  private wire: Wire | undefined
  private generation = 0
  private place = 0
  private failures = 0
  private hasBegun = false
  private liveAt = 0
  private heardAt = 0
  private refusal: Refusal | undefined
  private timer: NodeJS.Timeout | undefined
  private readonly watch: NodeJS.Timeout
  private isClosed = false

  constructor (
    private readonly tell: (event: DriverEvent) => void, private readonly broken: ReadonlySet<Broken>
  ) {
    this.memory = new Memory(tell, broken)
    this.watch = setInterval(() => { this.look() }, LOOK_MS)
  }

  connect (connecting: Connecting): void {
    this.connecting = connecting
  }

  subscribe (subscription: Subscription): void {
    this.subscriptions.push(subscription)
    clearTimeout(this.timer)
    this.timer = setTimeout(() => { void this.open() }, GATHER_MS)
  }

  close (): void {
    this.isClosed = true
    clearTimeout(this.timer)
    clearInterval(this.watch)
    this.generation++
    this.wire?.cut()
  }

  private get transport (): Transport {
    return this.connecting!.transports[this.place]!
  }

  private get token (): string | undefined {
    const { tokens, token } = this.connecting!
    return tokens?.[Math.min(this.tokensUsed, tokens.length - 1)] ?? token
  }

  private async open (): Promise<void> {
    const { memory, broken } = this
    const generation = ++this.generation
    const isMine = (): boolean => generation === this.generation
    this.wire?.cut()
    this.wire = undefined
    this.refusal = undefined
    this.hasBegun = false
    this.heardAt = Date.now()
    this.tell({ event: 'state', state: 'connecting', transport: this.transport })
    if (broken.has('forget')) {
      this.cursor = undefined
      memory.forgetAll()
    }
    if (broken.has('alarm')) memory.tellResets()
    memory.connected()
    if (this.transport === 'polling' && memory.isAhead && this.cursor !== undefined) {
      const epoch = await this.askEpoch()
      if (!isMine()) return
      if (epoch === undefined) return this.ended()
      if (memory.enterEpoch(epoch) === 'begin states anew') this.coversStates = false
    }
    const { query, after } = this.target()
    const { connecting, requestId } = this
    const common = { origin: connecting!.url, compressed: true, pollPauseMs: POLL_PAUSE_MS, requestId }
    this.wire = openWire(WIRES[this.transport], { ...common, query, after }, {
      onMessage: message => { if (isMine()) this.take(message) },
      onCursor: cursor => { if (isMine()) this.mark(cursor) },
      onAnswer: () => { if (isMine()) this.heard() },
      onRefused: reason => { if (isMine()) this.refused(reason) },
      onClosed: () => { if (isMine()) this.ended() }
    })
  }

  /** `fresh` beside Last-Event-ID is ignored: an event stream has its cursor in the query. */
  private target (): { readonly query: string, readonly after: string | undefined } {
    const { transport, cursor, token } = this
    const isFresh = ({ channel }: Subscription): boolean =>
      cursor !== undefined && !this.coversStates && !['trades', 'news'].includes(channel)
    const parts = this.subscriptions.map(subscription => {
      const { channel, symbols, throttle_ms: throttle } = subscription
      const names = symbols === undefined ? '' : `:${symbols.map(encodeURIComponent).join(',')}`
      const options = `${throttle === undefined ? '' : `;throttle_ms=${throttle}`}${isFresh(subscription) ? ';fresh' : ''}`
      return `subscribe=${channel}${names}${options}`
    })
    if (token !== undefined) parts.push(`token=${encodeURIComponent(token)}`)
    if (transport !== 'polling') parts.push('heartbeat=5')
    if (transport === 'event-stream' && cursor !== undefined) parts.push(`after=${encodeURIComponent(cursor)}`)
    return { query: parts.join('&'), after: transport === 'event-stream' ? undefined : cursor }
  }

  private async askEpoch (): Promise<string | undefined> {
    const { url } = this.connecting!
    const { channel, symbols } = this.subscriptions[0]!
    const topic = symbols === undefined ? channel : `${channel}:${symbols[0]}`
    const headers: Record<string, string> = this.token === undefined ? {} : { authorization: `Bearer ${this.token}` }
    try {
      const response = await fetch(`${url}/v1/history?topic=${encodeURIComponent(topic)}&limit=1`, { headers, signal: AbortSignal.timeout(EPOCH_MS) })
      const answer = await response.json() as { readonly epoch?: string, readonly code?: string }
      // Where the topic has nothing any more, the log is another one.
      return answer.epoch ?? (answer.code === 'not_found' ? 'another' : undefined)
    } catch {
      return undefined
    }
  }

  private heard (): void {
    this.heardAt = Date.now()
    this.hasBegun = true
  }

  private take (message: Message): void {
    this.heard()
    const { type, channel } = message
    switch (type) {
      case 'subscribed':
        this.granted(channel!)
        return this.obey(this.memory.enterEpoch(message['epoch'] as string))
      case 'epoch': return this.obey(this.memory.enterEpoch(message['epoch'] as string))
      case 'closing':
      case 'error':
        this.refusal = message as Refusal
        return
      default:
        if (channel !== undefined) this.obey(this.memory.take(message))
    }
  }

  private granted (channel: string): void {
    const symbols = this.subscriptions.find(subscription => subscription.channel === channel)?.symbols
    this.tell({ event: 'subscribed', channel, ...symbols === undefined ? {} : { symbols } })
  }

  private obey (consequence: ReturnType<Memory['take']>): void {
    if (consequence === 'go on') return
    if (consequence === 'begin states anew') this.coversStates = false
    void this.open()
  }

  private mark (cursor: string): void {
    this.heard()
    this.cursor = cursor
    this.coversStates = true
    this.memory.cursor()
    if (this.liveAt !== 0) return
    this.liveAt = Date.now()
    if (this.transport === 'polling') for (const { channel } of this.subscriptions) this.granted(channel)
    this.tell({ event: 'state', state: 'live', transport: this.transport })
  }

  private refused (reason: string): void {
    const [, status, body = ''] = /^(\d+): (.*)$/s.exec(reason) ?? []
    try {
      this.refusal = JSON.parse(body) as Refusal
    } catch {
      this.refusal = this.broken.has('final') ? { code: 'bad_request' } : {}
    }
    if (status === undefined) this.refusal = {}
  }

  private look (): void {
    const { wire, broken } = this
    if (this.isClosed || wire === undefined || broken.has('deaf')) return
    const silent = Date.now() - this.heardAt
    if (silent > (this.hasBegun ? SILENCE_MS[this.transport] : WELCOME_MS)) this.ended()
    else if (this.hasBegun && silent > PING_MS) wire.send({ action: 'ping' })
  }

  private ended (): void {
    const { broken, refusal, hasBegun, liveAt } = this
    if (this.isClosed) return
    this.generation++
    this.wire?.cut()
    this.wire = undefined
    this.liveAt = 0
    if (liveAt !== 0 && Date.now() - liveAt > STABLE_MS) this.failures = 0
    const code = refusal?.code as ErrorCode | undefined
    const policy = code === undefined || broken.has('insist') ? undefined : errorTable[code].client
    if (policy === 'stop' || (policy === 'renew' && this.isRenewed)) return this.stop(code!)
    if (policy === 'renew') {
      this.isRenewed = true
      this.tokensUsed++
      return this.retryIn(0)
    }
    if (liveAt !== 0) this.isRenewed = false
    // An attempt that failed without a word of the server leads to the next transport, at once.
    const count = this.connecting!.transports.length
    const wasLast = this.place === count - 1
    this.place = hasBegun || code !== undefined ? 0 : (this.place + 1) % count
    if (!hasBegun && code === undefined && !wasLast) return this.retryIn(0)
    const after = refusal?.retry_after_ms
    const wait = after === undefined
      ? Math.random() * Math.min(MOST_MS, BASE_MS * 2 ** this.failures++)
      : broken.has('early') ? after / 2 : after + Math.random() * ABOVE_RETRY_MS
    this.retryIn(broken.has('hurry') ? 0 : wait)
  }

  private stop (code: string): void {
    this.close()
    this.tell({ event: 'state', state: 'closed', code, reason: 'the server does not want it' })
  }

  private retryIn (ms: number): void {
    this.tell({ event: 'state', state: 'offline' })
    clearTimeout(this.timer)
    this.timer = setTimeout(() => { void this.open() }, ms)
  }
}
