import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { type Fault, type Message, SmallRule, type Topic } from './small-rule.js'
import { type End, overEventStream, overPolls, overWebSocket, type Reader } from './small-wires.js'

/**
 * A small client of its own, and its driver: written after PROTOCOL.md and docs/clients/conformance.md, with
 * nothing of the project's. `--fault <name>` builds a fault in, which the scenarios must find.
 */

const FIRST_RETRY_MS = 800
const LAST_RETRY_MS = 30_000
const RETRY_JITTER_MS = 250
const STABLE_MS = 10_000
const MOST_SYMBOLS = 1000

const RETRIED = [
  'going_away', 'idle_timeout', 'rate_limited', 'too_many_connections', 'overloaded', 'log_unavailable', 'internal'
]
/** Codes that a selector can be the reason of. */
const OF_SELECTORS = [
  'unknown_symbol', 'unknown_channel', 'forbidden', 'not_throttleable', 'disabled', 'too_many_subscriptions'
]

const [, , flag, value] = process.argv
const fault = flag === '--fault' ? value as Fault : undefined
const say = (event: object): void => { process.stdout.write(`${JSON.stringify(event)}\n`) }

interface Subscription {
  readonly channel: string
  readonly symbol?: string
  readonly options: Readonly<Record<string, number>>
  /** A WebSocket has asked for it. */
  isAsked: boolean
  /** A `subscribed` of this connection has it. */
  isConfirmed: boolean
  /** The cursor covers it. */
  isCovered: boolean
}

const keyOf = ({ channel, symbol }: Topic): string => symbol === undefined ? channel : `${channel}:${symbol}`

interface Connect {
  readonly url: string
  readonly transports: string[]
  readonly token?: string
  readonly tokens?: string[]
}

class SmallClient implements Reader {
  readonly origin: string
  token: string | undefined
  private cursor: string | undefined
  private readonly subscriptions = new Map<string, Subscription>()
  /** Selectors that a WebSocket has still to unsubscribe. */
  private readonly dropped: Topic[] = []
  private isExpiring = false
  private isRenewed = false
  private isStopped = false
  private transport = 0
  private retries = 0
  private attempt = new AbortController()
  private wake = (): void => {}
  private sent = 0
  private sender: ((action: object) => void) | undefined
  private readonly asked = new Map<number, Subscription[]>()
  private readonly rule = new SmallRule({
    give: ({ channel, symbol, sequence, snapshot, prev, data }) => {
      say({ event: 'message', channel, symbol, sequence, snapshot, prev, data })
    },
    reset: (topic, reason, sequence) => { say({ event: 'reset', ...topic, reason, sequence }) },
    gap: ({ channel, symbol, sequence }) => { say({ event: 'gap', channel, symbol, sequence }) },
    startAnew: topic => { this.startAnew(topic) }
  }, fault)

  constructor (private readonly connect: Connect) {
    this.origin = connect.url
    this.token = connect.token ?? connect.tokens?.[0]
  }

  async run (): Promise<void> {
    while (!this.isStopped) {
      if (this.subscriptions.size === 0) await new Promise<void>(resolve => { this.wake = resolve })
      this.attempt = new AbortController()
      this.rule.connected()
      for (const each of this.subscriptions.values()) each.isAsked = each.isConfirmed = false
      this.dropped.splice(0)
      this.asked.clear()
      const started = performance.now()
      const end = await this.attemptOnce()
      if (this.attempt.signal.aborted) continue
      if (performance.now() - started > STABLE_MS) this.retries = 0
      await this.recover(end)
    }
  }

  subscribe (channel: string, symbols: string[] | undefined, options: Record<string, number>): void {
    for (const symbol of symbols ?? [undefined]) {
      const topic = { channel, ...(symbol === undefined ? {} : { symbol }) }
      const begin = { isAsked: false, isConfirmed: false, isCovered: false }
      this.subscriptions.set(keyOf(topic), { ...topic, options, ...begin })
    }
    this.changed()
  }

  unsubscribe (channel: string, symbols: string[] | undefined): void {
    for (const symbol of symbols ?? [undefined]) {
      const topic = { channel, ...(symbol === undefined ? {} : { symbol }) }
      if (fault === 'asks-for-what-it-dropped') {
        this.dropped.push(topic)
        continue
      }
      this.subscriptions.delete(keyOf(topic))
      this.dropped.push(topic)
      this.forget(topic)
    }
    this.changed()
  }

  stop (code?: string): void {
    this.isStopped = true
    this.attempt.abort('stopped')
    this.wake()
    say({ event: 'state', state: 'closed', code })
  }

  query (): string {
    const after = fault === 'forgets-its-cursor' ? undefined : this.cursor
    return this.queryOf([...this.subscriptions.values()], after)
  }

  sync (send: (action: object) => void): void {
    this.sender = send
    if (this.isExpiring) {
      this.isExpiring = false
      this.nextToken()
      send({ action: 'auth', token: this.token })
    }
    for (const { channel, symbol } of this.dropped.splice(0)) {
      send({ action: 'unsubscribe', channel, ...(symbol === undefined ? {} : { symbols: [symbol] }) })
    }
    for (const group of this.groups([...this.subscriptions.values()].filter(({ isAsked }) => !isAsked))) {
      const [{ channel, symbol, options, isCovered }] = group as [Subscription]
      const id = ++this.sent
      this.asked.set(id, group)
      for (const each of group) each.isAsked = true
      send({
        action: 'subscribe',
        id,
        channel,
        ...(symbol === undefined ? {} : { symbols: group.map(each => each.symbol) }),
        ...options,
        ...(isCovered && this.cursor !== undefined && fault !== 'forgets-its-cursor' ? { after: this.cursor } : {})
      })
    }
  }

  take (message: Message): boolean {
    switch (message.type) {
      case 'cursor': case 'heartbeat':
        if (message.cursor !== undefined) this.takeCursor(message.cursor)
        return true
      case 'subscribed':
        this.confirm(message)
        return true
      case 'epoch':
        this.rule.enterEpoch(message.epoch!)
        return !this.mustComeAgain
      case 'auth_expiring':
        this.isExpiring = true
        return true
      case 'error':
        this.refuseAction(message)
        return true
      case 'unsubscribed':
        return true
      default: return this.takeTopic(message)
    }
  }

  async takeAnswer ({ cursor, messages }: { cursor: string, messages: Message[] }): Promise<boolean> {
    for (const message of messages) if (!this.takeTopic(message)) return false
    for (const each of this.subscriptions.values()) each.isConfirmed = true
    this.takeCursor(cursor)
    return true
  }

  welcomed (): void {
    say({ event: 'state', state: 'live', transport: this.connect.transports[this.transport] })
  }

  seen (cursor: string): void {
    if (fault === 'takes-half-a-cursor') this.takeCursor(cursor)
  }

  /** Over HTTP a topic is subscribed to anew by another request. */
  private get mustComeAgain (): boolean {
    return this.name !== 'websocket' && [...this.subscriptions.values()].some(each => each.isAsked === false &&
      each.isConfirmed)
  }

  private get name (): string {
    return this.connect.transports[this.transport]!
  }

  private takeTopic (message: Message): boolean {
    if (this.rule.take(message)) return true
    this.attempt.abort('gap')
    return false
  }

  private takeCursor (cursor: string): void {
    this.cursor = cursor
    for (const each of this.subscriptions.values()) {
      if (each.isConfirmed || fault === 'covers-too-early') each.isCovered = true
    }
    this.rule.cursor()
    this.isRenewed = false
  }

  private confirm (message: Message & { readonly id?: number }): void {
    const { channel, symbols = [], rejected = [], epoch } = message
    this.asked.delete(message.id ?? 0)
    for (const { symbol, code } of rejected) this.reject({ channel: channel!, symbol }, code)
    const granted = symbols.length === 0 && rejected.length === 0 ? [undefined] : symbols
    for (const symbol of granted) {
      const topic = { channel: channel!, ...(symbol === undefined ? {} : { symbol }) }
      const found = this.subscriptions.get(keyOf(topic))
      if (found !== undefined) found.isConfirmed = found.isAsked = true
    }
    say({ event: 'subscribed', channel, symbols })
    if (epoch !== undefined) this.rule.enterEpoch(epoch)
    if (this.mustComeAgain) this.attempt.abort('anew')
  }

  /** An error answers a subscribe. */
  private refuseAction ({ id, code = '', retry_after_ms: wait = 0 }: Message & { readonly id?: number }): void {
    const group = this.asked.get(id ?? 0) ?? []
    for (const each of group) {
      if (!RETRIED.includes(code)) this.reject(each, code)
    }
    const { attempt } = this
    setTimeout(() => {
      for (const each of group) each.isAsked = false
      if (attempt === this.attempt) this.changed()
    }, wait)
  }

  private reject (topic: Topic, code: string): void {
    this.subscriptions.delete(keyOf(topic))
    say({ event: 'rejected', channel: topic.channel, symbol: topic.symbol, code, message: code })
  }

  private startAnew (topic: Topic): void {
    for (const each of this.subscriptions.values()) {
      const isSet = /^[*@]/.test(each.symbol ?? '')
      if (each.channel !== topic.channel || !(isSet || each.symbol === topic.symbol)) continue
      each.isCovered = each.isAsked = false
      if (this.name === 'websocket') this.dropped.push(each)
    }
  }

  private forget (topic: Topic): void {
    const isSet = /^[*@]/.test(topic.symbol ?? '')
    for (const each of isSet ? this.rule.topicsOf(topic.channel) : [topic]) this.rule.forget(each)
  }

  /** The subscriptions have changed: a WebSocket says so, and a request is made anew. */
  private changed (): void {
    this.wake()
    this.onChange()
  }

  private onChange = (): void => {}

  private async attemptOnce (): Promise<End> {
    say({ event: 'state', state: 'connecting', transport: this.name })
    const { signal } = this.attempt
    if (this.name === 'websocket') {
      this.sender = undefined
      this.onChange = () => { if (this.sender !== undefined) this.sync(this.sender) }
      return await overWebSocket(this, signal)
    }
    this.onChange = () => { this.attempt.abort('changed') }
    if (this.name === 'event-stream') return await overEventStream(this, signal)
    // Polls have no epoch.
    if (this.rule.hasBeyondCursor && this.rule.epoch !== undefined) await this.askEpoch()
    return await overPolls(this, signal)
  }

  private async askEpoch (): Promise<void> {
    const [first] = this.subscriptions.values()
    const topic = encodeURIComponent(keyOf(first!))
    const response = await fetch(`${this.origin}/v1/history?topic=${topic}&limit=1`).catch(() => undefined)
    const { epoch } = await response?.json() as { epoch?: string }
    if (epoch !== undefined) this.rule.enterEpoch(epoch)
  }

  /** Decides what follows from the end of an attempt. */
  private async recover (end: End): Promise<void> {
    const { transports } = this.connect
    if (end.kind === 'failed') {
      this.transport = (this.transport + 1) % transports.length
      if (this.transport === 0) await this.backOff()
      return
    }
    if (end.kind === 'cut') {
      await this.backOff()
      return
    }
    const { code, retryAfterMs, isRequest } = end
    if (code === 'unauthorized' && !this.isRenewed && fault !== 'never-renews' && this.nextToken()) {
      this.isRenewed = true
      return
    }
    if (RETRIED.includes(code) || fault === 'never-stops') {
      if (fault === 'is-impatient') return
      if (fault === 'falls-back-at-refusals') this.transport = (this.transport + 1) % transports.length
      if (retryAfterMs === undefined) await this.backOff()
      else await this.pause(retryAfterMs + Math.random() * RETRY_JITTER_MS)
      return
    }
    const isAboutOne = isRequest && OF_SELECTORS.includes(code) && this.name !== 'websocket'
    if (isAboutOne && await this.isolate(code)) return
    this.stop(code)
  }

  /** Finds the selectors that are refused. @returns whether there are any */
  private async isolate (code: string): Promise<boolean> {
    const refused = await this.refusedOf([...this.subscriptions.values()])
    for (const each of refused) this.reject(each, code)
    return refused.length > 0
  }

  private async refusedOf (some: Subscription[]): Promise<Subscription[]> {
    const accept = this.name === 'event-stream' ? 'text/event-stream' : 'application/json'
    const response = await fetch(`${this.origin}/v1/stream?${this.queryOf(some, undefined)}`, {
      method: 'HEAD', headers: { accept, ...(this.token === undefined ? {} : { authorization: `Bearer ${this.token}` }) }
    })
    if (response.ok) return []
    if (some.length === 1) return some
    const middle = Math.ceil(some.length / 2)
    return [...await this.refusedOf(some.slice(0, middle)), ...await this.refusedOf(some.slice(middle))]
  }

  private nextToken (): boolean {
    const { tokens } = this.connect
    if (tokens === undefined) return false
    this.token = tokens[Math.min(tokens.indexOf(this.token!) + 1, tokens.length - 1)]
    return true
  }

  private async backOff (): Promise<void> {
    const most = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.retries++)
    await this.pause(fault === 'hammers' ? 5 : Math.random() * most)
  }

  private async pause (milliseconds: number): Promise<void> {
    this.onChange = () => {}
    say({ event: 'state', state: 'offline' })
    await delay(milliseconds, undefined, { signal: this.attempt.signal }).catch(() => {})
  }

  /** Subscriptions that one message, or one parameter, can name together. */
  private groups (some: readonly Subscription[]): Subscription[][] {
    const groups = new Map<string, Subscription[]>()
    for (const each of some) {
      const key = JSON.stringify([each.channel, each.symbol === undefined, each.options, each.isCovered])
      groups.set(key, [...groups.get(key) ?? [], each])
    }
    return [...groups.values()].flatMap(group => Array.from(
      { length: Math.ceil(group.length / MOST_SYMBOLS) },
      (_, index) => group.slice(index * MOST_SYMBOLS, (index + 1) * MOST_SYMBOLS)
    ))
  }

  private queryOf (some: readonly Subscription[], after: string | undefined): string {
    const parameters = this.groups(some).map(group => {
      const [{ channel, symbol, options, isCovered }] = group as [Subscription]
      const symbols = symbol === undefined ? '' : `:${group.map(each => each.symbol).join(',')}`
      const words = Object.entries(options).map(([name, value]) => `;${name}=${value}`).join('')
      const fresh = after !== undefined && !isCovered ? ';fresh' : ''
      return `subscribe=${encodeURIComponent(channel + symbols + words + fresh)}`
    })
    return [...parameters, ...(after === undefined ? [] : [`after=${after}`])].join('&')
  }
}

let client: SmallClient | undefined
const close = (): void => {
  client?.stop()
  say({ event: 'closed' })
  process.exit(0)
}
const input = createInterface({ input: process.stdin })
input.on('line', line => {
  const command = JSON.parse(line) as { do: string, channel: string, symbols?: string[] } & Connect
  switch (command.do) {
    case 'connect':
      client = new SmallClient(command)
      setImmediate(() => { void client!.run() })
      break
    case 'subscribe': {
      const { do: _, channel, symbols, ...options } = command
      client!.subscribe(channel, symbols, options as unknown as Record<string, number>)
      break
    }
    case 'unsubscribe':
      client!.unsubscribe(command.channel, command.symbols)
      break
    case 'close':
      close()
  }
})
input.on('close', close)
say({ event: 'ready' })
