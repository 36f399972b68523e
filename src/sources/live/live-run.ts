import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Instrument, MarketStatus } from '@tickwire/protocol'
import { staleBook } from '../../book/book-event.js'
import { wordsOf } from '../../errors.js'
import type { SourceContext, SourceMessage } from '../source.js'
import type { InstrumentFacts, Venue } from '../venues/venue.js'
import type { Arrival } from './arrival.js'
import type { Cancel, Clock } from './clock.js'
import type { LossReason, Surroundings } from './connection.js'
import type { FeedCounts } from './counts.js'
import { Inbox } from './inbox.js'
import { Line } from './line.js'
import { type HttpGet, Rest, type RestAccount } from './rest.js'

export interface LiveRunOptions {
  readonly venue: Venue
  /** By the venue's symbols, ours. */
  readonly symbols: ReadonlyMap<string, string>
  /** By our symbols, the instruments as the source declares them. */
  readonly instruments: ReadonlyMap<string, Instrument>
  readonly market: string
  readonly depth: number | undefined
  readonly url: string
  /** The address of the venue's REST interface, where the feed needs one. */
  readonly rest: string | undefined
  readonly restAccount: RestAccount
  readonly surroundings: Surroundings & { readonly httpGet: HttpGet }
  readonly counts: FeedCounts
  readonly lastTrades: Map<string, number>
}

/** What may wait to be read: some seconds of a busy market. */
const MAX_FRAMES = 20_000
const MAX_CHARACTERS = 64 * 1024 * 1024
/** The number of messages that are published at a time. */
const BATCH = 256
/** A decimal that is zero: no instrument has such a step. */
const ZERO = /^[0.]+$/

/** What clients are told of a loss. Its detail, which may name hosts and proxies, goes to the log alone. */
const LOSSES: Readonly<Record<LossReason, string>> = {
  unreachable: 'it cannot be reached',
  connect_timeout: 'it does not answer',
  silent: 'nothing came for too long',
  closed: 'the connection was closed',
  malformed: 'it sent what cannot be read',
  overflow: 'more came than the server could take'
}

/** One run of a live source: its connections, and one reader that publishes what they bring. */
export class LiveRun {
  private readonly inbox = new Inbox<Arrival>(MAX_FRAMES, MAX_CHARACTERS)
  private readonly timers = new Set<Cancel>()
  private readonly lines: readonly Line[]
  private readonly rest: Rest | undefined
  /** Instruments of which the venue has said more, until they are declared. */
  private readonly described = new Map<string, Instrument>()
  private status: MarketStatus['status'] | undefined
  private reason = 'connecting'
  /** Losses since data last came. */
  private losses = 0
  private isOver = false

  constructor (private readonly options: LiveRunOptions, private readonly context: SourceContext) {
    const { venue, url, depth, counts, lastTrades, rest } = options
    const surroundings = this.guarded()
    if (rest !== undefined && venue.feed.rest !== undefined) {
      const { clock, httpGet } = surroundings
      this.rest = new Rest(
        rest, venue.feed.rest.budget, options.restAccount, clock, httpGet, context.signal
      )
    }
    const lineOptions = {
      venue,
      url,
      depth,
      surroundings,
      inbox: this.inbox,
      rest: this.rest,
      counts,
      lastTrades,
      symbolOf: (symbol: string) => options.symbols.get(symbol),
      lost: this.lost.bind(this),
      refused: this.refused.bind(this),
      described: this.describe.bind(this),
      failed: (what: string, error: unknown) => {
        this.warn({ reason: wordsOf(error) }, `the venue did not answer as it should: ${what}`)
      }
    }
    const all = [...options.symbols.keys()]
    const { symbolsPerConnection } = venue.feed
    this.lines = Array.from({ length: Math.ceil(all.length / symbolsPerConnection) }, (_, at) =>
      new Line(all.slice(at * symbolsPerConnection, (at + 1) * symbolsPerConnection), lineOptions))
  }

  async run (): Promise<void> {
    try {
      // The log may still have books and a status that an earlier run published.
      await this.context.publish([
        ...[...this.options.symbols.values()].map(staleBook), ...this.statusMessages()
      ])
      for (const line of this.lines) line.start()
      void this.askForInstruments()
      while (!this.context.signal.aborted) await this.read()
    } finally {
      this.isOver = true
      for (const line of this.lines) line.end()
      for (const cancel of this.timers) cancel()
    }
  }

  private async read (): Promise<void> {
    const arrivals = await this.inbox.take(this.context.signal)
    let messages: SourceMessage[] = []
    for (const arrival of arrivals) {
      messages.push(...arrival.line.read(arrival))
      if (messages.length < BATCH) continue
      await this.flush(messages)
      messages = []
    }
    await this.flush(messages)
  }

  private async flush (messages: readonly SourceMessage[]): Promise<void> {
    const { publish, declare, signal } = this.context
    if (signal.aborted) return
    if (this.described.size > 0) {
      const declared = [...this.described.values()]
      this.described.clear()
      await declare(declared)
    }
    const all = [...messages, ...this.statusMessages()]
    if (all.length > 0) await publish(all)
    // Even a feed that is behind lets others work.
    if (messages.length >= BATCH) await nextTurn()
  }

  /** Returns the status of the market, if it has changed. */
  private statusMessages (): SourceMessage[] {
    const used = this.lines.filter(({ isIdle }) => !isIdle)
    const isUp = used.length > 0 && used.every(line => line.isUp)
    const status = isUp ? 'open' : 'stale'
    if (status === this.status) return []
    const { venue: { name }, market } = this.options
    if (isUp) {
      this.losses = 0
      this.context.logger.info({ source: name }, 'data of the venue flows')
    }
    this.status = status
    const reason = used.length === 0 ? `${name} has none of the symbols` : `${name}: ${this.reason}`
    const data = isUp ? { market, status } : { market, status, reason }
    return [{ channel: 'market', symbol: market, data }]
  }

  private lost (reason: LossReason, detail: string, wasUp: boolean): void {
    this.reason = LOSSES[reason]
    this.losses++
    // A venue that is away for long is tried often; the log needs only a sign of that.
    const isPowerOfTwo = (this.losses & (this.losses - 1)) === 0
    if (wasUp || isPowerOfTwo) {
      this.warn({ reason, detail, losses: this.losses }, 'the connection to a venue was lost; trying again')
    }
  }

  private refused (venueSymbol: string, reason: string): void {
    this.warn({ symbol: this.options.symbols.get(venueSymbol), venue_symbol: venueSymbol, reason },
      'the venue refuses a symbol: check its spelling, or take it out of SOURCES; the others go on')
  }

  private describe (venueSymbol: string, facts: InstrumentFacts): void {
    const symbol = this.options.symbols.get(venueSymbol)
    const instrument = symbol === undefined ? undefined : this.options.instruments.get(symbol)
    if (instrument === undefined) return
    const known = Object.entries(facts).filter(([, size]) => !ZERO.test(size))
    this.described.set(instrument.symbol, { ...instrument, ...Object.fromEntries(known) })
  }

  /** Asks one question after another, so that snapshots never wait for more than one of them. */
  private async askForInstruments (): Promise<void> {
    const { venue: { feed }, symbols } = this.options
    let failures = 0
    for (const { path, weight } of feed.rest?.describe([...symbols.keys()]) ?? []) {
      try {
        const answer = await this.rest?.ask(path, weight)
        if (answer === undefined) return
        for (const line of this.lines) {
          this.inbox.put({ kind: 'answer', line, answer, symbol: undefined, losses: 0 }, 0)
        }
      } catch (error) {
        if (this.context.signal.aborted) return
        if (failures++ > 0) continue
        this.warn({ reason: wordsOf(error) }, 'the venue did not say what its instruments are')
      }
    }
  }

  private warn (details: object, message: string): void {
    this.context.logger.warn({ source: this.options.venue.name, ...details }, message)
  }

  /** Makes time and sockets end with the run, and has the source fail if what they call throws. */
  private guarded (): LiveRunOptions['surroundings'] {
    const { context: { guard }, options: { surroundings } } = this
    const { clock, openSocket } = surroundings
    const scoped: Clock = {
      now: () => clock.now(),
      time: () => clock.time(),
      after: (milliseconds, work) => {
        if (this.isOver) return () => {}
        const cancel = clock.after(milliseconds, guard(() => {
          this.timers.delete(end)
          work()
        }))
        const end = (): void => {
          this.timers.delete(end)
          cancel()
        }
        this.timers.add(end)
        return end
      }
    }
    return {
      ...surroundings,
      clock: scoped,
      openSocket: (url, events) => openSocket(url, {
        opened: guard(() => { events.opened() }),
        frame: guard((text: string) => { events.frame(text) }),
        closed: guard((detail: string) => { events.closed(detail) })
      })
    }
  }
}
