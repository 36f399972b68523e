import { performance } from 'node:perf_hooks'
import { ProtocolError } from '@tickwire/protocol'
import { type AppendItem, type AppendOptions, type AppendResult, StaleEpoch, StaleFence } from '../../log.js'
import { type BatchText, encodeBatch, parseAnswer } from './batch.js'
import { afterReading, TimedOut } from '../time-limit.js'

/** Most messages and characters of payload in one batch: Redis does nothing else while it appends them. */
const MAX_BATCH_ITEMS = 500
const MAX_BATCH_LENGTH = 256 * 1024
/** What has no answer by then is refused: nobody can tell whether the log has it. */
const PATIENCE_MS = 850
/** How long after a failure that may pass what has no answer yet is sent again. */
const RETRY_MS = 20
/** Characters of payload that may wait: what a publisher may be ahead of Redis. */
const MAX_WAITING_LENGTH = 64 * 1024 * 1024

/** What a server says that cannot append now, but may soon; or a connection that ended. */
const PASSING = /^(?:READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|MOVED|ASK|TRYAGAIN|NOSCRIPT|BUSY|Connection is closed|Reached the max retries|Stream isn't writeable|Command aborted)/

/** Whether two calls can go in one batch. A processor has a fence of its own, and one lineage and list of epochs for as long as no epoch begins. */
const isAlike = (one: AppendOptions, other: AppendOptions): boolean => one.fence === other.fence && one.lineage === other.lineage && one.epochs === other.epochs

export interface AppenderOptions {
  /**
   * Answers one batch, all of one source or none of any. The number is the same when a batch is sent again: what was appended then is
   * answered as before. Of one that follows another without an answer, nothing is appended before that other one: it fails with {@link TooEarly}.
   */
  readonly send: (number: number, text: BatchText, options: AppendOptions, follows: boolean) => Promise<string>
  readonly onceKey: (topic: string, key: string) => string
  /**
   * Batches on their way at a time. Two: Redis works on one while the next is made. One where the shard may move to another
   * master: of two batches it would refuse one with TRYAGAIN, whose keys are not all there, and take the other.
   */
  readonly flights: 1 | 2
}

/** A batch came before the one that it follows, which was refused or lost on its way. It is sent again behind it. */
export class TooEarly extends Error {}

/** What became of an item; the error is `log_unavailable`. */
export type Outcome = AppendResult | ProtocolError

/** What was given to {@link Appender.append} at once; it may be in several batches. */
interface Call {
  readonly results: Outcome[]
  readonly options: AppendOptions
  readonly deadline: number
  left: number
  refused: boolean
  resolve (results: Outcome[]): void
  reject (error: unknown): void
}

interface Waiting {
  readonly item: AppendItem
  readonly place: number
  readonly call: Call
}

interface Flight {
  readonly number: number
  readonly waiting: readonly Waiting[]
  readonly items: readonly AppendItem[]
  readonly text: BatchText
  /** Of the first call in it. */
  readonly deadline: number
  sent: boolean
}

/**
 * Appends to one shard, in order: whatever comes while Redis is busy goes together, so that batches grow with the load.
 * A batch whose answer was lost is sent again under its number.
 */
export class Appender {
  private waiting: Waiting[] = []
  private waitingLength = 0
  /** Without an answer, oldest first. */
  private flights: Flight[] = []
  private numbers = 0
  private gathering: NodeJS.Immediate | undefined
  private retry: NodeJS.Timeout | undefined
  private impatience: NodeJS.Timeout | undefined

  constructor (private readonly shard: number, private readonly options: AppenderOptions) {}

  /**
   * Each item is answered in its place: where one batch of them is refused, what others took stands.
   * @throws ProtocolError `overloaded`; StaleFence; StaleEpoch
   */
  async append (items: readonly AppendItem[], options: AppendOptions = {}): Promise<Outcome[]> {
    if (this.waitingLength > MAX_WAITING_LENGTH) throw new ProtocolError('overloaded', 'the log takes messages more slowly than they come')
    return await new Promise<Outcome[]>((resolve, reject) => {
      const call: Call = { results: new Array<Outcome>(items.length), options, deadline: performance.now() + PATIENCE_MS, left: items.length, refused: false, resolve, reject }
      for (const [place, item] of items.entries()) {
        this.waiting.push({ item, place, call })
        this.waitingLength += item.payload.length
      }
      this.gather()
      this.watch()
    })
  }

  close (): void {
    this.refuseOverdue(() => true)
    clearTimeout(this.retry)
    clearTimeout(this.impatience)
  }

  /** What comes in the same turn of the event loop goes together. */
  private gather (): void {
    if (this.gathering !== undefined || this.retry !== undefined || this.waiting.length === 0 || this.flights.length >= this.options.flights) return
    this.gathering = setImmediate(() => {
      this.gathering = undefined
      while (this.retry === undefined && this.waiting.length > 0 && this.flights.length < this.options.flights) this.fly(this.board())
    })
  }

  private board (): Flight {
    let length = 0
    let count = 0
    // A batch that is refused for its fence takes no other's messages with it, and so nobody's order changes.
    const { options } = this.waiting[0]!.call
    while (count < this.waiting.length && count < MAX_BATCH_ITEMS && length < MAX_BATCH_LENGTH && isAlike(this.waiting[count]!.call.options, options)) length += this.waiting[count++]!.item.payload.length
    const waiting = this.waiting.splice(0, count)
    this.waitingLength -= length
    const items = waiting.map(({ item }) => item)
    const flight: Flight = { number: ++this.numbers, waiting, items, text: encodeBatch(items, this.options.onceKey), deadline: waiting[0]!.call.deadline, sent: false }
    this.flights.push(flight)
    return flight
  }

  private fly (flight: Flight): void {
    flight.sent = true
    const follows = this.flights.some(({ number }) => number === flight.number - 1)
    this.options.send(flight.number, flight.text, flight.waiting[0]!.call.options, follows).then(
      answer => { this.land(flight, parseAnswer(this.shard, flight.items, flight.text, answer)) },
      (error: unknown) => { this.fail(flight, error) }
    )
  }

  private land (flight: Flight, results: readonly AppendResult[]): void {
    if (!this.take(flight)) return
    for (const [index, waiting] of flight.waiting.entries()) this.settle(waiting, results[index]!)
    this.gather()
  }

  private fail (flight: Flight, error: unknown): void {
    if (!this.flights.includes(flight)) return
    if (!(error instanceof TimedOut || error instanceof TooEarly || (error instanceof Error && PASSING.test(error.message)))) {
      this.take(flight)
      this.refuse(flight.waiting, error instanceof StaleFence || error instanceof StaleEpoch ? error : Object.assign(new ProtocolError('log_unavailable'), { cause: error }))
      this.gather()
      return
    }
    flight.sent = false
    // The others on their way fail or land first: what is sent again is sent in order.
    this.retry ??= setTimeout(() => { this.sendAgain() }, RETRY_MS)
  }

  private sendAgain (): void {
    this.retry = undefined
    if (this.flights.some(({ sent }) => sent)) {
      this.retry = setTimeout(() => { this.sendAgain() }, RETRY_MS)
      return
    }
    const notTaken = new ProtocolError('log_unavailable')
    for (const flight of [...this.flights]) {
      // The rest of a call of which a part was refused stays behind.
      if (flight.waiting.every(({ call }) => call.refused)) {
        this.take(flight)
        for (const waiting of flight.waiting) this.settle(waiting, notTaken)
      } else this.fly(flight)
    }
    this.gather()
  }

  private take (flight: Flight): boolean {
    const index = this.flights.indexOf(flight)
    if (index < 0) return false
    this.flights.splice(index, 1)
    return true
  }

  /** Calls wait in the order in which their time is over. */
  private watch (): void {
    if (this.impatience !== undefined) return
    const first = this.flights[0]?.deadline ?? this.waiting[0]?.call.deadline
    if (first === undefined) return
    this.impatience = setTimeout(() => {
      afterReading(() => {
        this.impatience = undefined
        const now = performance.now()
        this.refuseOverdue(deadline => deadline <= now)
        this.watch()
        this.gather()
      })
    }, Math.max(1, first - performance.now()))
  }

  private refuseOverdue (overdue: (deadline: number) => boolean): void {
    for (const flight of this.flights.filter(({ deadline }) => overdue(deadline))) {
      this.take(flight)
      this.refuse(flight.waiting, new ProtocolError('log_unavailable', 'the log did not answer in time; it may have the message or not'))
    }
    let count = 0
    while (count < this.waiting.length && overdue(this.waiting[count]!.call.deadline)) count++
    if (count > 0) this.refuse(this.waiting.splice(0, count), new ProtocolError('log_unavailable'))
  }

  /**
   * Where a part of a call is refused, the rest of it does not set out any more: nothing overtakes what was refused.
   * @param refused what waits no more
   */
  private refuse (refused: readonly Waiting[], refusal: ProtocolError | StaleFence | StaleEpoch): void {
    const notTaken = new ProtocolError('log_unavailable')
    for (const waiting of refused) {
      waiting.call.refused = true
      if (!(refusal instanceof ProtocolError)) waiting.call.reject(refusal)
      this.settle(waiting, refusal instanceof ProtocolError ? refusal : notTaken)
    }
    const left: Waiting[] = []
    for (const waiting of this.waiting) {
      if (waiting.call.refused) this.settle(waiting, notTaken)
      else left.push(waiting)
    }
    this.waiting = left
    this.waitingLength = left.reduce((sum, { item }) => sum + item.payload.length, 0)
  }

  private settle ({ call, place }: Waiting, outcome: Outcome): void {
    call.results[place] = outcome
    if (--call.left === 0) call.resolve(call.results)
  }
}
