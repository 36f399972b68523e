import { setMaxListeners } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { ProtocolError } from '@tickwire/protocol'
import { type Broker, type BrokerEvent, BrokerRefusal } from '../../brokers/broker.js'
import { brokerEvents, type BrokerNews } from '../../brokers/channels.js'
import { eventOf, positionOf } from '../../brokers/heard.js'
import { shortened } from '../../brokers/reason.js'
import type { BrokerDecision, BrokerState } from '../../brokers/state.js'
import { withDeadline } from '../../deadline.js'
import type { Log } from '../../log/log.js'
import { Backoff } from '../../sources/live/backoff.js'
import type { SourceContext } from '../../sources/source.js'
import { EpochWatch } from '../epochs.js'
import type { JournalMessage } from '../journal.js'
import { BeginAnew, ShardInputs } from '../shard-inputs.js'
import { brokerJournal } from './broker-trading.js'
import { type Errand, orderOf, Outbox } from './outbox.js'
import { Reachability } from './reachability.js'

/** The longest first wait after a failure, and the longest of all, in milliseconds. */
const FIRST_RETRY_MS = 200
const LONGEST_RETRY_MS = 5000
/** How long the broker may take to answer a request, in milliseconds. */
const REQUEST_MS = 10_000
/** Orders of which the broker gets something at the same time. */
const AT_ONCE = 16
/** How long the session waits for the journal before it looks whether it must end, in milliseconds. */
const LOOK_MS = 1000
/** How long a broker may take to end its events when the session ends, in milliseconds. */
const END_MS = 1000
const JOURNAL = brokerJournal.name

/** What the server counts of the broker. */
export type BrokerCount = 'away' | 'back' | 'failed' | 'refused'

export interface BrokerSessionOptions {
  readonly broker: Broker
  readonly log: Log
  count (event: BrokerCount): void
  /** Returns a number from 0 to below 1. */
  readonly random?: () => number
}

/** What is between the journal and the broker, until the log begins an epoch. It keeps nothing of its own. */
export class BrokerSession {
  private readonly outbox = new Outbox()
  private readonly backoffs = new Map<string, Backoff>()
  private readonly over = controller()
  /** Aborted to end all waits after failures: the broker is back. */
  private waits = controller()
  private failure: { readonly error: unknown } | undefined
  private reachability: Reachability | undefined
  private position: string | undefined
  private events: Promise<void> | undefined
  private underWay = 0

  constructor (private readonly options: BrokerSessionOptions, private readonly context: SourceContext) {}

  /** Runs until the signal aborts. @throws BeginAnew, and whatever else keeps events from being recorded */
  async run (): Promise<void> {
    const { context: { signal }, options: { log } } = this
    const end = (): void => { this.end() }
    signal.addEventListener('abort', end)
    try {
      const journal = await ShardInputs.follow(log, log.shardOf(JOURNAL), new Set([JOURNAL]))
      try {
        await this.followJournal(journal, await EpochWatch.start(log, LOOK_MS))
      } finally {
        journal.end()
      }
    } finally {
      signal.removeEventListener('abort', end)
      this.end()
      await Promise.race([this.events, delay(END_MS, undefined, { ref: false })])
    }
    if (this.failure !== undefined) throw this.failure.error
  }

  private get isOver (): boolean {
    return this.over.signal.aborted || this.context.signal.aborted
  }

  private end (): void {
    this.over.abort()
    this.waits.abort()
  }

  private async followJournal (journal: ShardInputs, watch: EpochWatch): Promise<void> {
    const snapshot = await this.options.log.snapshot(JOURNAL)
    if (snapshot !== undefined) {
      const { state } = JSON.parse(snapshot.payload) as JournalMessage<BrokerDecision, BrokerState>
      this.outbox.update(Object.values(state!.orders).sort((a, b) => a.number - b.number))
      await this.begin(state!)
    }
    while (!this.isOver) {
      // The log may have lost what was said, in another shard than the journal's.
      if (!await watch.holds()) throw new BeginAnew()
      this.pump()
      for (const { sequence, payload } of await journal.next(LOOK_MS, this.over.signal)) {
        const { decision } = JSON.parse(payload) as JournalMessage<BrokerDecision>
        if (decision === undefined || sequence <= (snapshot?.sequence ?? 0)) continue
        this.outbox.update(decision.open)
        for (const { order_id: id } of decision.open) this.forgetFailures(id)
        // The broker must say again what the log has dropped.
        if (decision.gap === true) throw new BeginAnew()
        await this.begin(decision)
      }
    }
  }

  /** Begins to hear the broker. Without a journal nobody knows yet from where. */
  private async begin (known: Pick<BrokerState, 'position' | 'away' | 'gap'>): Promise<void> {
    if (this.events !== undefined) return
    const { position, away, gap } = known
    this.position = position
    // No event counts before that, not even what the broker refuses.
    const from = position === undefined ? {} : { after: position }
    if (gap === true) await this.publish({ type: 'anew', ...from })
    this.reachability = new Reachability(
      away,
      (isAway, error) => { this.say(isAway, error) },
      // The server before may have said that the broker is away, and nobody has decided about it yet.
      () => { this.publishReach('back') }
    )
    this.events = this.followEvents(this.reachability)
  }

  private async followEvents (reachability: Reachability): Promise<void> {
    const backoff = this.backoff()
    const { broker } = this.options
    const opened = (): void => {
      backoff.reset()
      reachability.succeed()
    }
    while (!this.isOver) {
      try {
        const events: AsyncIterable<unknown> = broker.events(this.position, this.over.signal, opened)
        for await (const heard of events) {
          opened()
          await this.hear(heard)
          this.position = positionOf(heard) ?? this.position
        }
        throw new Error('the broker has ended its events')
      } catch (error) {
        if (this.isOver) return
        this.options.count('failed')
        reachability.fail(error)
      }
      await this.wait(backoff)
      // What was given before the connection was lost may be lost, too.
      this.outbox.giveAgain()
      this.pump()
    }
  }

  /** Passes on what the broker says, and passes over what is no event: those after it count all the same. */
  private async hear (heard: unknown): Promise<void> {
    const event = eventOf(heard)
    if (event !== undefined) {
      await this.publish(event)
      return
    }
    this.options.count('refused')
    const details = { after: this.position }
    this.context.logger.warn(details, 'the broker says something that is no event; it does not count')
  }

  /** Gives the broker what it has not got. */
  private pump (): void {
    if (this.isOver || this.reachability === undefined) return
    for (const errand of this.outbox.take(AT_ONCE - this.underWay)) {
      this.underWay++
      this.give(errand, this.reachability).catch((error: unknown) => { this.fail(error) })
    }
  }

  private async give (errand: Errand, reachability: Reachability): Promise<void> {
    const id = orderOf(errand)
    try {
      await withDeadline(this.over.signal, REQUEST_MS, async signal => { await this.hand(errand, signal) })
      this.backoffs.delete(id)
      this.outbox.markGiven(errand)
      reachability.succeed()
    } catch (error) {
      if (this.isOver) return
      if (error instanceof BrokerRefusal) {
        await this.publish(refusalOf(errand, shortened(error.message)))
        this.backoffs.delete(id)
        this.outbox.markGiven(errand)
      } else {
        this.noteFailure(errand, error)
        reachability.fail(error)
      }
    } finally {
      this.underWay--
    }
    const backoff = this.backoffs.get(id)
    if (backoff !== undefined) await this.wait(backoff)
    this.forgetFailures(id)
    this.outbox.release(errand)
    this.pump()
  }

  /** Forgets that an order failed of which the broker must get nothing any more. */
  private forgetFailures (id: string): void {
    if (!this.outbox.has(id)) this.backoffs.delete(id)
  }

  private async hand (errand: Errand, signal: AbortSignal): Promise<void> {
    const { broker } = this.options
    switch (errand.kind) {
      case 'submit': return await broker.submit(errand.order, signal)
      case 'cancel': return await broker.cancel(errand.request, signal)
      case 'replace': return await broker.replace(errand.request, signal)
    }
  }

  private noteFailure (errand: Errand, error: unknown): void {
    const id = orderOf(errand)
    this.options.count('failed')
    if (this.backoffs.has(id)) return
    this.backoffs.set(id, this.backoff())
    const details = { err: error, order_id: id, request: errand.kind }
    this.context.logger.warn(details, 'the broker has not taken a request; it gets it again')
  }

  /** Appends what the broker says to the log. @throws whatever keeps it from there; the session then ends */
  private async publish (news: BrokerNews): Promise<void> {
    try {
      const [result] = await this.context.publish([{ channel: brokerEvents.name, data: news }])
      if (result !== undefined && 'code' in result) throw new ProtocolError(result.code, result.message)
    } catch (error) {
      this.fail(error)
      throw error
    }
  }

  private say (isAway: boolean, error: unknown): void {
    const { logger } = this.context
    this.options.count(isAway ? 'away' : 'back')
    if (isAway) logger.error({ err: error }, 'the broker cannot be reached; orders wait')
    else {
      logger.info({}, 'the broker can be reached again')
      this.waits.abort()
      if (!this.isOver) this.waits = controller()
    }
    this.publishReach(isAway ? 'away' : 'back')
  }

  private publishReach (type: 'away' | 'back'): void {
    // A failure ends the session.
    this.publish({ type }).catch(() => {})
  }

  private async wait (backoff: Backoff): Promise<void> {
    await delay(backoff.next(), undefined, { signal: this.waits.signal }).catch(() => {})
  }

  private backoff (): Backoff {
    return new Backoff(this.options.random ?? Math.random, FIRST_RETRY_MS, LONGEST_RETRY_MS)
  }

  private fail (error: unknown): void {
    if (this.isOver) return
    this.failure = { error }
    this.end()
  }
}

/** Makes a controller on which all errands wait. */
function controller (): AbortController {
  const made = new AbortController()
  setMaxListeners(0, made.signal)
  return made
}

/** Returns what a broker says by throwing a refusal. */
function refusalOf (errand: Errand, reason: string): BrokerEvent {
  return errand.kind === 'submit'
    ? { type: 'rejected', order_id: errand.order.order_id, reason }
    : { type: 'refused', order_id: errand.request.order_id, request_id: errand.request.request_id, reason }
}
