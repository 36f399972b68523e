import { type Message, type TransportName } from '../helpers/clients.js'
import type { Choices } from '../helpers/random.js'
import { Ledger } from './ledger.js'
import { BULK, chooseBeside, type Held, keyOf, subscribeParameter } from './selectors.js'
import type { FeedOptions } from './server-process.js'
import { openWire, type PollAgent, type Wire } from './wires.js'

/** Most selectors that a client holds. */
const MOST_HELD = 6
const COMPRESSED = 0.15
/** Clients of all transports, most on WebSocket. */
const TRANSPORTS: ReadonlyArray<readonly [share: number, TransportName]> = [[0.4, 'ws-json'], [0.7, 'ws-batch'], [0.94, 'sse'], [1, 'poll']]
/** A client that changes its transport each time would be on each for short. */
const KEEPS_TRANSPORT = 0.7
/** Without its cursor, as after a page was loaded again. */
const BEGINS_ANEW = 0.1
/** Of what a client does; one that reads all that is large stops reading more often, because only it can lag. */
const DROPS = 0.25
const STALLS = 0.25
const STALLS_BULK = 0.65
const CUT_WHILE_STALLED = 0.25
const BACK_AFTER_LOSS_MS = [200, 1000] as const

export interface ClientOptions {
  readonly name: string
  readonly origin: string
  readonly random: Choices
  readonly feed: FeedOptions
  readonly polls: PollAgent
  /** Whether it reads all that is large. */
  readonly bulk: boolean
  /** Mean of the time between two things that it does. */
  readonly paceMs: number
  /** How long it may read nothing. */
  readonly stallMs: readonly [least: number, most: number]
  /** How long the log keeps messages: one that stays away for longer is reset. */
  readonly retentionMs: number
  /** How long it may hear nothing while it reads. */
  readonly patienceMs: number
}

/** What all clients did and saw, together. */
export interface Tally {
  connected: number
  connects: number
  resumes: number
  stalls: number
  drops: number
  /** Connections that ended although the client did not end them. */
  lost: number
  lagged: number
  readonly resets: Record<string, number>
  faults: number
  /** What the first faults were. */
  readonly shown: string[]
}

const SHOWN = 50

/** One client: it subscribes and unsubscribes, stops reading and reads on, drops and comes back, all at random. */
export class SoakClient {
  readonly ledger = new Ledger()
  private readonly held = new Map<string, Held>()
  /** Unsubscribed from, and not confirmed yet. */
  private readonly leaving = new Map<string, { channel: string, symbol: string }>()
  private transport: TransportName
  private wire: Wire | undefined
  private cursor: string | undefined
  /** Whether this connection has given a cursor. */
  private settled = false
  private stalled = false
  private lagging = false
  private gone = false
  private heardAt = 0
  private connection = 0
  private timer: NodeJS.Timeout | undefined

  constructor (private readonly options: ClientOptions, private readonly tally: Tally) {
    this.transport = this.pickTransport()
    if (options.bulk) this.hold(BULK)
    for (let wanted = options.random.integer(1, 3); this.held.size < wanted;) this.chooseOne()
  }

  open (): void {
    const { random, origin, polls, name } = this.options
    const connection = ++this.connection
    const mine = (): boolean => connection === this.connection
    if (random.next() > KEEPS_TRANSPORT) this.transport = this.pickTransport()
    const query = this.beginConnection()
    this.tally.connects++
    if (this.cursor !== undefined) this.tally.resumes++
    this.wire = openWire(this.transport, {
      origin,
      query,
      after: this.cursor,
      compressed: random.next() < COMPRESSED,
      requestId: random.next() < 0.5 ? `${name}-${connection}` : undefined
    }, {
      onMessage: message => { if (mine()) this.take(message) },
      onCursor: cursor => { if (mine()) this.mark(cursor) },
      onAnswer: () => {
        if (!mine()) return
        this.ledger.connected()
        for (const held of this.held.values()) held.state = 'confirmed'
      },
      onRefused: reason => { if (mine()) this.fault(`refused: ${reason}`) },
      onClosed: () => { if (mine()) this.onLost() }
    }, polls)
    this.schedule()
  }

  /** Notes one that hears nothing although it reads. */
  watch (now: number): void {
    if (this.wire === undefined || this.stalled || now - this.heardAt < this.options.patienceMs) return
    this.fault(`${this.settled ? 'heard nothing' : 'was given no cursor'} for ${now - this.heardAt} ms`)
    this.drop()
  }

  /** Leaves for good. */
  leave (): void {
    const { wire } = this
    this.gone = true
    clearTimeout(this.timer)
    this.detach()
    // Those that stopped reading stay as they are, and are gone.
    if (this.stalled || this.options.random.next() < 0.5) wire?.cut()
    else wire?.leave()
  }

  // ---- what it hears

  private take (message: Message): void {
    this.heardAt = Date.now()
    switch (message.type) {
      case 'subscribed':
        for (const symbol of message['symbols'] as string[]) this.confirm(`${message.channel}:${symbol}`)
        if ((message['rejected'] as unknown[]).length > 0) this.fault(`rejected: ${JSON.stringify(message['rejected'])}`)
        break
      case 'unsubscribed':
        for (const symbol of message['symbols'] as string[]) this.left(message.channel!, symbol)
        break
      case 'reset': {
        const reason = String(message['reason'])
        this.tally.resets[reason] = (this.tally.resets[reason] ?? 0) + 1
        break
      }
      case 'lagging':
        this.setLagging(message['behind'] !== 0)
        break
      case 'closing':
      case 'error':
        this.fault(`was told: ${JSON.stringify(message)}`)
        break
    }
    const wrong = this.ledger.take(message)
    if (wrong !== undefined) this.fault(wrong)
  }

  private mark (cursor: string): void {
    this.heardAt = Date.now()
    this.cursor = cursor
    this.ledger.cursor()
    for (const held of this.held.values()) if (held.state === 'confirmed') held.state = 'covered'
    if (this.settled) return
    this.settled = true
    this.tally.connected++
  }

  private confirm (key: string): void {
    const held = this.held.get(key)
    if (held?.state === 'asked') held.state = 'confirmed'
  }

  private left (channel: string, symbol: string): void {
    this.leaving.delete(keyOf({ channel, symbol }))
    this.ledger.forget(channel, symbol)
  }

  private onLost (): void {
    this.tally.lost++
    this.detach()
    this.later(this.options.random.integer(...BACK_AFTER_LOSS_MS))
  }

  private setLagging (lagging: boolean): void {
    if (lagging && !this.lagging) this.tally.lagged++
    this.lagging = lagging
  }

  private fault (text: string): void {
    this.tally.faults++
    if (this.tally.shown.length < SHOWN) this.tally.shown.push(`${this.options.name} (${this.transport}): ${text}`)
  }

  // ---- what it does

  private schedule (): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => { this.act() }, this.options.random.wait(this.options.paceMs))
  }

  private act (): void {
    const draw = this.options.random.next()
    const isSocket = this.transport.startsWith('ws')
    if (!this.settled) this.schedule()
    else if (draw < DROPS) this.drop()
    else if (draw < DROPS + (this.options.bulk ? STALLS_BULK : STALLS)) this.stall()
    else {
      if (isSocket) this.ask(this.options.random.next())
      this.schedule()
    }
  }

  private ask (draw: number): void {
    if (draw < 0.4) this.subscribe()
    else if (draw < 0.8) this.unsubscribe()
    else this.askForState()
  }

  private subscribe (): void {
    if (this.held.size >= MOST_HELD) return
    const held = this.chooseOne()
    if (held === undefined) return
    this.wire?.send({ action: 'subscribe', channel: held.channel, symbols: [held.symbol], ...held.options })
  }

  private unsubscribe (): void {
    const { channel, symbol } = this.options.random.pick([...this.held.values()])
    // A WebSocket may hold nothing, but an event stream may not begin so.
    if (this.held.size === 1 || channel === BULK.channel) return
    this.held.delete(keyOf({ channel, symbol }))
    this.leaving.set(keyOf({ channel, symbol }), { channel, symbol })
    this.wire?.send({ action: 'unsubscribe', channel, symbols: [symbol] })
  }

  private askForState (): void {
    const held = [...this.held.values()].find(({ channel, state }) => (channel === 'quotes' || channel === 'book') && state === 'covered')
    this.wire?.send(held === undefined ? { action: 'ping' } : { action: 'snapshot', channel: held.channel, symbols: [held.symbol] })
  }

  /** Stops reading; some go on asking meanwhile. */
  private stall (): void {
    const { random, stallMs } = this.options
    this.tally.stalls++
    this.stalled = true
    this.wire?.stall()
    if (this.transport.startsWith('ws') && random.next() < 0.3) this.subscribe()
    clearTimeout(this.timer)
    this.timer = setTimeout(() => {
      this.stalled = false
      this.heardAt = Date.now()
      if (random.next() < CUT_WHILE_STALLED) this.drop()
      else {
        this.wire?.readOn()
        this.schedule()
      }
    }, random.integer(...stallMs))
  }

  private drop (): void {
    const { random, retentionMs } = this.options
    const { wire } = this
    this.tally.drops++
    this.detach()
    wire?.cut()
    const draw = random.next()
    // Most come back soon; few when the log has dropped what they missed.
    if (draw < 0.85) this.later(random.integer(200, 3000))
    else if (draw < 0.98) this.later(random.integer(3000, Math.max(3000, retentionMs / 4)))
    else this.later(random.integer(retentionMs, retentionMs * 1.2))
  }

  private later (milliseconds: number): void {
    if (this.gone) return
    clearTimeout(this.timer)
    this.timer = setTimeout(() => { this.open() }, milliseconds)
  }

  // ---- connections

  /** @returns the query of the connection that begins now */
  private beginConnection (): string {
    const { random } = this.options
    if (this.cursor === undefined || random.next() < BEGINS_ANEW) {
      this.cursor = undefined
      this.ledger.beginAnew()
      for (const held of this.held.values()) held.state = 'asked'
    }
    this.heardAt = Date.now()
    this.ledger.connected()
    return [...this.held.values()].map(held => {
      const fresh = this.cursor !== undefined && held.state !== 'covered'
      if (fresh) {
        held.state = 'asked'
        this.ledger.forget(held.channel, held.symbol)
      }
      return subscribeParameter(held, fresh)
    }).join('&')
  }

  /** From here on nothing of the connection is heard. */
  private detach (): void {
    this.connection++
    this.wire = undefined
    this.stalled = false
    this.lagging = false
    if (this.settled) this.tally.connected--
    this.settled = false
    for (const { channel, symbol } of this.leaving.values()) this.ledger.forget(channel, symbol)
    this.leaving.clear()
  }

  private chooseOne (): Held | undefined {
    const choice = chooseBeside(this.options.random, this.options.feed, [...this.held.values(), ...this.leaving.values()])
    return choice === undefined ? undefined : this.hold(choice)
  }

  private hold (choice: Omit<Held, 'state'>): Held {
    const held: Held = { ...choice, state: 'asked' }
    this.held.set(keyOf(choice), held)
    return held
  }

  private pickTransport (): TransportName {
    const draw = this.options.random.next()
    return TRANSPORTS.find(([share]) => draw < share)![1]
  }
}
