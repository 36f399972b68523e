import { performance } from 'node:perf_hooks'
import { ProtocolError } from '@tickwire/protocol'
import { type AppendItem, type AppendOptions, type AppendResult, StaleEpoch, StaleFence } from '../../log.js'
import { type BatchText, encodeBatch, parseAnswer } from './batch.js'
import { afterReading, TimedOut } from '../time-limit.js'

/**
 * Most messages, and most characters of payload, in one batch: Redis does nothing else while it appends them.
 */
const MAX_BATCH_ITEMS = 500
const MAX_BATCH_LENGTH = 256 * 1024
/** After this time without an answer a message is refused, although the log may have it. */
const PATIENCE_MS = 850
/** How long after a passing failure the batches without an answer are sent again. */
const RETRY_MS = 20
/** Characters of payload that may wait: how far publishers may be ahead of Redis. */
const MAX_WAITING_LENGTH = 64 * 1024 * 1024

/** Errors that pass: the server cannot append now but may soon, or the connection has ended. */
const PASSING = /^(?:READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|MOVED|ASK|TRYAGAIN|NOSCRIPT|BUSY|Connection is closed|Reached the max retries|Stream isn't writeable|Command aborted)/

/**
 * Whether two calls may share a batch. A processor has a fence of its own, and the same lineage and list of
 * epochs until a new epoch begins.
 */
const canShareBatch = (one: AppendOptions, other: AppendOptions): boolean =>
  one.fence === other.fence && one.lineage === other.lineage && one.epochs === other.epochs

export interface AppenderOptions {
  /**
   * Sends one batch, whose items all have the same options, and returns the answer. A batch that is sent
   * again has the same number: if it was appended the first time, the answer is the same. If `follows`, the
   * batch before has no answer yet; until that one is appended, this one fails with {@link TooEarly} and
   * appends nothing.
   */
  readonly send: (
    number: number,
    text: BatchText,
    options: AppendOptions,
    follows: boolean
  ) => Promise<string>
  readonly onceKey: (topic: string, key: string) => string
  /**
   * Most batches that are under way. Two: Redis works on one while the next is made. One if the shard may
   * move to another master: while its keys move, that master could refuse the first batch with TRYAGAIN and
   * take the second.
   */
  readonly flights: 1 | 2
}

/**
 * The batch came before the one that it follows, which was refused or lost on its way. It is sent again after
 * that one.
 */
export class TooEarly extends Error {}

/** The result of an item; the error is `log_unavailable`. */
export type Outcome = AppendResult | ProtocolError

/** One call of {@link Appender.append}. Its items may be in several batches. */
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
  /** Of the item in its call. */
  readonly index: number
  readonly call: Call
}

interface Flight {
  readonly number: number
  readonly waiting: readonly Waiting[]
  readonly items: readonly AppendItem[]
  readonly text: BatchText
  /** Of its first call, the one that waits longest. */
  readonly deadline: number
  sent: boolean
}

/**
 * Appends to one shard, in order. Everything that comes while Redis is busy goes into the next batch, so
 * batches grow with the load. A batch whose answer was lost is sent again under its number.
 */
export class Appender {
  private waiting: Waiting[] = []
  private waitingLength = 0
  /** Batches without an answer, oldest first. */
  private flights: Flight[] = []
  private numbers = 0
  private gathering: NodeJS.Immediate | undefined
  private retry: NodeJS.Timeout | undefined
  private impatience: NodeJS.Timeout | undefined

  constructor (private readonly shard: number, private readonly options: AppenderOptions) {}

  /**
   * Appends items and answers each at its index. If one batch of them is refused, the items of others stay
   * appended.
   * @throws ProtocolError `overloaded`; StaleFence; StaleEpoch
   */
  async append (items: readonly AppendItem[], options: AppendOptions = {}): Promise<Outcome[]> {
    if (this.waitingLength > MAX_WAITING_LENGTH) {
      throw new ProtocolError('overloaded', 'the log takes messages more slowly than they come')
    }
    return await new Promise<Outcome[]>((resolve, reject) => {
      const call: Call = {
        results: new Array<Outcome>(items.length),
        options,
        deadline: performance.now() + PATIENCE_MS,
        left: items.length,
        refused: false,
        resolve,
        reject
      }
      for (const [index, item] of items.entries()) {
        this.waiting.push({ item, index, call })
        this.waitingLength += item.payload.length
      }
      this.scheduleSend()
      this.watchDeadline()
    })
  }

  close (): void {
    this.refuseOverdue(() => true)
    clearTimeout(this.retry)
    clearTimeout(this.impatience)
  }

  private get canSend (): boolean {
    return this.retry === undefined && this.waiting.length > 0 && this.flights.length < this.options.flights
  }

  /**
   * Sends at the end of the turn of the event loop, so that all that comes in the same turn goes together.
   */
  private scheduleSend (): void {
    if (this.gathering !== undefined || !this.canSend) return
    this.gathering = setImmediate(() => {
      this.gathering = undefined
      while (this.canSend) this.send(this.nextFlight())
    })
  }

  private nextFlight (): Flight {
    let length = 0
    let count = 0
    // All calls of a batch have the same fence: a batch that is refused for it takes no other messages with
    // it, and so no order changes.
    const { options, deadline } = this.waiting[0]!.call
    while (count < Math.min(this.waiting.length, MAX_BATCH_ITEMS) && length < MAX_BATCH_LENGTH) {
      const { call, item } = this.waiting[count]!
      if (!canShareBatch(call.options, options)) break
      length += item.payload.length
      count++
    }
    const waiting = this.waiting.splice(0, count)
    this.waitingLength -= length
    const items = waiting.map(({ item }) => item)
    const text = encodeBatch(items, this.options.onceKey)
    const flight: Flight = { number: ++this.numbers, waiting, items, text, deadline, sent: false }
    this.flights.push(flight)
    return flight
  }

  private send (flight: Flight): void {
    flight.sent = true
    const follows = this.flights.some(({ number }) => number === flight.number - 1)
    this.options.send(flight.number, flight.text, flight.waiting[0]!.call.options, follows).then(
      answer => { this.succeed(flight, parseAnswer(this.shard, flight.items, flight.text, answer)) },
      (error: unknown) => { this.fail(flight, error) }
    )
  }

  private succeed (flight: Flight, results: readonly AppendResult[]): void {
    if (!this.remove(flight)) return
    for (const [index, waiting] of flight.waiting.entries()) this.settle(waiting, results[index]!)
    this.scheduleSend()
  }

  private fail (flight: Flight, error: unknown): void {
    if (!this.flights.includes(flight)) return
    if (!isPassing(error)) {
      const isStale = error instanceof StaleFence || error instanceof StaleEpoch
      this.remove(flight)
      this.refuse(
        flight.waiting,
        isStale ? error : Object.assign(new ProtocolError('log_unavailable'), { cause: error })
      )
      this.scheduleSend()
      return
    }
    flight.sent = false
    // `sendAgain` waits until the other batch under way has failed or succeeded, and so sends in order.
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
      // If a part of a call was refused, the rest of it is not sent again.
      if (flight.waiting.every(({ call }) => call.refused)) {
        this.remove(flight)
        for (const waiting of flight.waiting) this.settle(waiting, notTaken)
      } else this.send(flight)
    }
    this.scheduleSend()
  }

  private remove (flight: Flight): boolean {
    const index = this.flights.indexOf(flight)
    if (index < 0) return false
    this.flights.splice(index, 1)
    return true
  }

  /** Watches the oldest deadline: calls wait in the order of their deadlines. */
  private watchDeadline (): void {
    if (this.impatience !== undefined) return
    const first = this.flights[0]?.deadline ?? this.waiting[0]?.call.deadline
    if (first === undefined) return
    this.impatience = setTimeout(() => {
      afterReading(() => {
        this.impatience = undefined
        const now = performance.now()
        this.refuseOverdue(deadline => deadline <= now)
        this.watchDeadline()
        this.scheduleSend()
      })
    }, Math.max(1, first - performance.now()))
  }

  private refuseOverdue (overdue: (deadline: number) => boolean): void {
    for (const flight of this.flights.filter(({ deadline }) => overdue(deadline))) {
      this.remove(flight)
      const message = 'the log did not answer in time; it may have the message or not'
      this.refuse(flight.waiting, new ProtocolError('log_unavailable', message))
    }
    let count = 0
    while (count < this.waiting.length && overdue(this.waiting[count]!.call.deadline)) count++
    if (count > 0) this.refuse(this.waiting.splice(0, count), new ProtocolError('log_unavailable'))
  }

  /**
   * Refuses items, and what still waits of their calls, so that nothing is appended after an item that was
   * refused.
   * @param refused items that are no longer among those that wait
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

  private settle ({ call, index }: Waiting, outcome: Outcome): void {
    call.results[index] = outcome
    if (--call.left === 0) call.resolve(call.results)
  }
}

function isPassing (error: unknown): boolean {
  if (error instanceof TimedOut || error instanceof TooEarly) return true
  return error instanceof Error && PASSING.test(error.message)
}
