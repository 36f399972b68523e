import { type Approach, FleetClient } from '../fleet/client.js'
import { Ledger } from '../fleet/ledger.js'
import type { Choices } from '../helpers/random.js'
import type { Message, TransportName, Wire } from '../helpers/wires.js'
import { BULK, chooseBeside, type Held, keyOf, subscribeParameter } from './selectors.js'
import type { FeedOptions } from './server-process.js'

/** Most selectors that a client holds. */
const MOST_HELD = 6
const COMPRESSED = 0.15
/** Clients of all transports, most on WebSocket. */
const TRANSPORTS: ReadonlyArray<readonly [share: number, TransportName]> =
  [[0.4, 'ws-json'], [0.7, 'ws-batch'], [0.94, 'sse'], [1, 'poll']]
const POLL_PAUSE_MS = 700
/** A client that changes its transport each time would be on each for short. */
const KEEPS_TRANSPORT = 0.7
/** Without its cursor, as after a page was loaded again. */
const BEGINS_ANEW = 0.1
/** Of what a client does; one that reads all that is large stops reading more often: only it can lag. */
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

/** One that subscribes and unsubscribes, stops reading and reads on, drops and comes back, all at random. */
export class SoakClient extends FleetClient {
  readonly ledger = new Ledger()
  private readonly held = new Map<string, Held>()
  /** Unsubscribed from, and not confirmed yet. */
  private readonly leaving = new Map<string, { channel: string, symbol: string }>()
  private transport: TransportName
  private stalled = false
  private lagging = false

  constructor (private readonly options: ClientOptions, private readonly tally: Tally) {
    super()
    this.transport = this.pickTransport()
    if (options.bulk) this.hold(BULK)
    for (let wanted = options.random.integer(1, 3); this.held.size < wanted;) this.chooseOne()
  }

  override open (): void {
    super.open()
    this.schedule()
  }

  /** Notes one that hears nothing although it reads. */
  watch (now: number): void {
    if (this.wire === undefined || this.stalled || now - this.heardAt < this.options.patienceMs) return
    this.fault(`${this.settled ? 'heard nothing' : 'was given no cursor'} for ${now - this.heardAt} ms`)
    this.drop()
  }

  override close (): void {
    // Those that stopped reading stay as they are, and are gone.
    if (!this.stalled && this.options.random.next() < 0.5) this.detach()?.leave()
    super.close()
  }

  // ---- what it hears

  protected take (message: Message): void {
    switch (message.type) {
      case 'subscribed':
        for (const symbol of message['symbols'] as string[]) this.confirm(`${message.channel}:${symbol}`)
        for (const one of message['rejected'] as unknown[]) this.fault(`rejected: ${JSON.stringify(one)}`)
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
    this.ledger.take(message)
    for (const fault of this.ledger.faults.splice(0)) this.fault(fault)
  }

  protected override answered (): void {
    this.ledger.connected()
    for (const held of this.held.values()) held.state = 'confirmed'
  }

  protected override refused (reason: string): void {
    this.fault(`refused: ${reason}`)
  }

  protected override mark (cursor: string): void {
    super.mark(cursor)
    this.ledger.cursor()
    for (const held of this.held.values()) if (held.state === 'confirmed') held.state = 'covered'
  }

  private confirm (key: string): void {
    const held = this.held.get(key)
    if (held?.state === 'asked') held.state = 'confirmed'
  }

  private left (channel: string, symbol: string): void {
    this.leaving.delete(keyOf({ channel, symbol }))
    this.ledger.forget(channel, symbol)
  }

  protected lost (): void {
    this.tally.lost++
    this.detach()
    this.openIn(this.options.random.integer(...BACK_AFTER_LOSS_MS))
  }

  private setLagging (lagging: boolean): void {
    if (lagging && !this.lagging) this.tally.lagged++
    this.lagging = lagging
  }

  private fault (text: string): void {
    this.tally.faults++
    const { shown } = this.tally
    if (shown.length < SHOWN) shown.push(`${this.options.name} (${this.transport}): ${text}`)
  }

  // ---- what it does

  private schedule (): void {
    this.next(this.options.random.wait(this.options.paceMs), () => { this.act() })
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
    const covered = [...this.held.values()].filter(({ state }) => state === 'covered')
    const held = covered.find(({ channel }) => channel === 'quotes' || channel === 'book')
    this.wire?.send(held === undefined
      ? { action: 'ping' }
      : { action: 'snapshot', channel: held.channel, symbols: [held.symbol] })
  }

  /** Stops reading; some go on asking meanwhile. */
  private stall (): void {
    const { random, stallMs } = this.options
    this.tally.stalls++
    this.stalled = true
    this.wire?.stall()
    if (this.transport.startsWith('ws') && random.next() < 0.3) this.subscribe()
    this.next(random.integer(...stallMs), () => {
      this.stalled = false
      this.heardAt = Date.now()
      if (random.next() < CUT_WHILE_STALLED) this.drop()
      else {
        this.wire?.readOn()
        this.schedule()
      }
    })
  }

  private drop (): void {
    const { random, retentionMs } = this.options
    this.tally.drops++
    this.detach()?.cut()
    const draw = random.next()
    // Most come back soon; few when the log has dropped what they missed.
    if (draw < 0.85) this.openIn(random.integer(200, 3000))
    else if (draw < 0.98) this.openIn(random.integer(3000, Math.max(3000, retentionMs / 4)))
    else this.openIn(random.integer(retentionMs, retentionMs * 1.2))
  }

  // ---- connections

  protected approach (): Approach {
    const { random, origin, name } = this.options
    if (random.next() > KEEPS_TRANSPORT) this.transport = this.pickTransport()
    if (this.cursor === undefined || random.next() < BEGINS_ANEW) this.beginAnew()
    this.ledger.connected()
    this.tally.connects++
    if (this.cursor !== undefined) this.tally.resumes++
    return {
      transport: this.transport,
      origin,
      query: [...this.held.values()].map(held => this.parameter(held)).join('&'),
      compressed: random.next() < COMPRESSED,
      pollPauseMs: POLL_PAUSE_MS,
      requestId: random.next() < 0.5 ? `${name}-${this.connection}` : undefined
    }
  }

  protected override detach (): Wire | undefined {
    this.stalled = false
    this.lagging = false
    for (const { channel, symbol } of this.leaving.values()) this.ledger.forget(channel, symbol)
    this.leaving.clear()
    return super.detach()
  }

  private beginAnew (): void {
    this.cursor = undefined
    this.ledger.beginAnew()
    for (const held of this.held.values()) held.state = 'asked'
  }

  private parameter (held: Held): string {
    const fresh = this.cursor !== undefined && held.state !== 'covered'
    if (fresh) {
      held.state = 'asked'
      this.ledger.forget(held.channel, held.symbol)
    }
    return subscribeParameter(held, fresh)
  }

  private chooseOne (): Held | undefined {
    const { random, feed } = this.options
    const choice = chooseBeside(random, feed, [...this.held.values(), ...this.leaving.values()])
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
