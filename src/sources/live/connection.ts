import { Backoff } from './backoff.js'
import type { Cancel, Clock } from './clock.js'
import { type Pace, PacedSender } from './paced-sender.js'
import type { OpenSocket, Socket, SocketEvents } from './socket.js'

/**
 * - `idle`: it has not begun;
 * - `connecting`: the venue has not yet answered;
 * - `open`: it stands, and no data has come;
 * - `flowing`: data has come;
 * - `waiting`: it was lost, and is made again after a while;
 * - `ended`: it is not made again.
 */
export type ConnectionState = 'idle' | 'connecting' | 'open' | 'flowing' | 'waiting' | 'ended'
export type ConnectionEvent = 'start' | 'opened' | 'data' | 'lost' | 'due' | 'end'

/** Where each event leads; an event that a state does not list changes nothing. */
export const transitions: Readonly<
  Record<ConnectionState, Readonly<Partial<Record<ConnectionEvent, ConnectionState>>>>
> = {
  idle: { start: 'connecting', end: 'ended' },
  connecting: { opened: 'open', lost: 'waiting', end: 'ended' },
  open: { data: 'flowing', lost: 'waiting', end: 'ended' },
  flowing: { lost: 'waiting', end: 'ended' },
  waiting: { due: 'connecting', end: 'ended' },
  ended: {}
}

/**
 * Why a connection was lost:
 * - `unreachable`: it did not come about;
 * - `connect_timeout`: the venue did not answer in time;
 * - `silent`: nothing came, not even a heartbeat;
 * - `closed`: the venue or the network ended it;
 * - `malformed`: the venue sent what cannot be read;
 * - `overflow`: more came than the server could take.
 */
export type LossReason = 'unreachable' | 'connect_timeout' | 'silent' | 'closed' | 'malformed' | 'overflow'

/** How a venue's connections are made and watched. */
export interface ConnectionLimits {
  readonly pace: Pace
  /** For how long nothing may come. */
  readonly silenceMs: number
  /** A message that makes the venue answer, where it may have nothing to say for long. */
  readonly keepAlive?: { readonly everyMs: number, readonly frame: string }
}

export interface ConnectionEvents {
  /** @param isAgain whether it stood before */
  opened (isAgain: boolean): void
  frame (text: string): void
  lost (reason: LossReason, detail: string): void
}

export interface Surroundings {
  readonly clock: Clock
  /** Returns a number from 0 to below 1. */
  readonly random: () => number
  readonly openSocket: OpenSocket
}

const CONNECT_MS = 10_000
const FIRST_WAIT_MS = 1000
const LONGEST_WAIT_MS = 60_000

/**
 * A connection to a venue that is made again whenever it is lost. The waits between attempts grow until data
 * has come: a venue that accepts connections and drops them is as far away as one that accepts none.
 */
export class Connection {
  private current: ConnectionState = 'idle'
  private socket: Socket | undefined
  private readonly sender: PacedSender
  private readonly backoff: Backoff
  private readonly timers: Cancel[] = []
  private heardAt = 0
  private stoodBefore = false

  constructor (
    private readonly url: string,
    private readonly limits: ConnectionLimits,
    private readonly surroundings: Surroundings,
    private readonly events: ConnectionEvents
  ) {
    const { clock, random } = surroundings
    this.sender = new PacedSender(clock, limits.pace, text => { this.socket?.send(text) })
    this.backoff = new Backoff(random, FIRST_WAIT_MS, LONGEST_WAIT_MS)
  }

  get state (): ConnectionState {
    return this.current
  }

  get isOpen (): boolean {
    return this.current === 'open' || this.current === 'flowing'
  }

  start (): void {
    if (this.step('start')) this.connect()
  }

  /** Sends a message as soon as the venue takes one more. */
  send (text: string): void {
    if (this.isOpen) this.sender.send(text)
  }

  /** Notes that a frame was data. */
  noteData (): void {
    if (this.current === 'open' && this.step('data')) this.backoff.reset()
  }

  /** Gives the connection up, to make another. */
  lose (reason: LossReason, detail: string): void {
    if (!this.step('lost')) return
    this.drop()
    this.after(this.backoff.next(), () => { if (this.step('due')) this.connect() })
    this.events.lost(reason, detail)
  }

  end (): void {
    if (this.step('end')) this.drop()
  }

  /** The one place where the state changes. @returns whether the event changes it */
  private step (event: ConnectionEvent): boolean {
    const next = transitions[this.current][event]
    if (next === undefined) return false
    this.current = next
    return true
  }

  private connect (): void {
    this.clearTimers()
    this.after(CONNECT_MS, () => { this.lose('connect_timeout', `no answer within ${CONNECT_MS / 1000} s`) })
    const events: SocketEvents = {
      opened: () => { this.opened() },
      frame: text => {
        this.heardAt = this.surroundings.clock.now()
        this.events.frame(text)
      },
      closed: detail => {
        this.socket = undefined
        this.lose(this.current === 'connecting' ? 'unreachable' : 'closed', detail)
      }
    }
    this.socket = this.surroundings.openSocket(this.url, events)
  }

  private opened (): void {
    if (!this.step('opened')) return
    this.clearTimers()
    this.heardAt = this.surroundings.clock.now()
    this.watch(this.limits.silenceMs)
    const { keepAlive } = this.limits
    if (keepAlive !== undefined) this.keepAlive(keepAlive)
    const isAgain = this.stoodBefore
    this.stoodBefore = true
    this.events.opened(isAgain)
  }

  private watch (milliseconds: number): void {
    this.after(milliseconds, () => {
      const { silenceMs } = this.limits
      const left = this.heardAt + silenceMs - this.surroundings.clock.now()
      if (left <= 0) this.lose('silent', `nothing came for ${silenceMs / 1000} s`)
      else this.watch(left)
    })
  }

  private keepAlive (options: NonNullable<ConnectionLimits['keepAlive']>): void {
    this.after(options.everyMs, () => {
      this.sender.send(options.frame)
      this.keepAlive(options)
    })
  }

  private drop (): void {
    this.clearTimers()
    this.sender.clear()
    const { socket } = this
    this.socket = undefined
    socket?.close()
  }

  /** Calls back unless the connection has been lost or has ended meanwhile. */
  private after (milliseconds: number, work: () => void): void {
    const cancel = this.surroundings.clock.after(milliseconds, () => {
      this.timers.splice(this.timers.indexOf(cancel), 1)
      work()
    })
    this.timers.push(cancel)
  }

  private clearTimers (): void {
    for (const cancel of this.timers.splice(0)) cancel()
  }
}
