import { wordsOf } from '../../errors.js'
import type { SourceMessage } from '../source.js'
import type { FeedListener, Venue, VenueParser } from '../venues/venue.js'
import type { Answer, Arrival, ArrivalReader, Frame, Lost } from './arrival.js'
import { Connection, type ConnectionEvents, type LossReason, type Surroundings } from './connection.js'
import type { FeedCounts } from './counts.js'
import type { Inbox } from './inbox.js'
import { Resyncs } from './resyncs.js'
import { type Rest, shownAddress } from './rest.js'

/** How long two connections bring the same, when one takes over from the other. */
const OVERLAP_MS = 3000
/** The part of a connection's greatest age at which the next one is made, at the earliest. */
const EARLIEST_AGE = 0.9

/** What the lines of a source share. */
export interface LineOptions {
  readonly venue: Venue
  readonly url: string
  readonly depth: number | undefined
  readonly surroundings: Surroundings
  readonly inbox: Inbox<Arrival>
  readonly rest: Rest | undefined
  readonly counts: FeedCounts
  readonly lastTrades: Map<string, number>
  /** Returns a symbol of the venue in our spelling; undefined for one that the source does not have. */
  symbolOf (venueSymbol: string): string | undefined
  lost (reason: LossReason, detail: string, wasUp: boolean): void
  refused (venueSymbol: string, reason: string): void
  described: FeedListener['described']
  failed (what: string, error: unknown): void
}

/**
 * Some symbols of a venue over one connection, which is made again when it is lost. Before the venue cuts a
 * connection that is too old, the next one stands; both bring the same for a moment, so that nothing is
 * missed.
 */
export class Line implements ArrivalReader {
  private readonly parser: VenueParser
  private readonly resyncs: Resyncs
  private current: Connection
  /** The connection that takes over. */
  private next: Connection | undefined
  private readonly refused = new Set<string>()
  /** Connections of which nothing is read until their loss is: a frame of theirs could not be read. */
  private readonly muted = new Set<Connection>()
  /** By our symbols, the venue's. */
  private readonly venueSymbols: ReadonlyMap<string, string>
  private up = false
  private isEnded = false
  /** Losses that were read. Only the reader counts them: the order of arrival says what came before one. */
  private losses = 0
  /** Whether nobody follows the books: the connection was lost, and none has been opened since. */
  private isCut = false
  /** The connection whose frame is being read. */
  private reading: Connection | undefined

  constructor (private readonly symbols: readonly string[], private readonly options: LineOptions) {
    const { venue, lastTrades, surroundings: { clock, random } } = options
    const own = new Set(symbols)
    const symbolOf = (symbol: string): string | undefined =>
      own.has(symbol) ? options.symbolOf(symbol) : undefined
    this.venueSymbols = new Map(symbols.map(symbol => [options.symbolOf(symbol)!, symbol]))
    this.parser = venue.createParser({ symbolOf, lastTrades, listener: this.listener() })
    this.resyncs = new Resyncs(symbols, { clock, random, ask: symbol => this.askSnapshot(symbol) })
    this.current = this.connection()
  }

  /** Whether data flows. */
  get isUp (): boolean {
    return this.up
  }

  /** Whether the venue refuses all of its symbols. */
  get isIdle (): boolean {
    return this.refused.size === this.symbols.length
  }

  start (): void {
    this.current.start()
  }

  end (): void {
    this.isEnded = true
    this.resyncs.end()
    for (const connection of [this.current, this.next]) this.endConnection(connection)
  }

  read (arrival: Arrival): readonly SourceMessage[] {
    switch (arrival.kind) {
      case 'frame': return this.muted.has(arrival.connection) ? [] : this.readFrame(arrival)
      case 'answer': return this.readAnswer(arrival)
      case 'opened':
        this.beginBooks()
        return []
      case 'lost': return this.readLoss(arrival)
    }
  }

  private readFrame ({ connection, text, at }: Frame): readonly SourceMessage[] {
    this.reading = connection
    let messages
    try {
      messages = this.parser.parse(text, at)
    } catch (error) {
      this.muted.add(connection)
      connection.lose('malformed', `a frame cannot be read: ${wordsOf(error)}`)
      return []
    }
    if (messages.length > 0) {
      this.flows(connection)
      this.noteSnapshots(messages)
    }
    return messages
  }

  private readAnswer ({ answer, symbol, losses }: Answer): readonly SourceMessage[] {
    // A snapshot from before the loss would begin a book that lacks what came since.
    if (symbol !== undefined && losses !== this.losses) return []
    try {
      const messages = this.parser.answer?.(answer.url, answer.body, answer.status) ?? []
      this.noteSnapshots(messages)
      if (symbol !== undefined) this.resyncs.answered(symbol)
      return messages
    } catch (error) {
      const what = symbol === undefined ? shownAddress(answer.url) : `the snapshot of ${symbol}`
      this.options.failed(what, error)
      if (symbol !== undefined) this.resyncs.failed(symbol)
      return []
    }
  }

  private readLoss ({ connection, detail }: Lost): readonly SourceMessage[] {
    this.muted.delete(connection)
    if (connection !== this.current) return []
    if (this.next?.state === 'flowing') {
      this.takeOver()
      return []
    }
    this.losses++
    this.isCut = true
    this.up = false
    this.resyncs.end()
    return this.parser.cut(detail)
  }

  /** Notes that a connection stands which was told to send all books. */
  private beginBooks (): void {
    this.isCut = false
    if (this.options.venue.feed.resync === undefined) return
    this.resyncs.begin()
    for (const symbol of this.refused) this.resyncs.forget(symbol)
  }

  private noteSnapshots (messages: readonly SourceMessage[]): void {
    for (const { snapshot, symbol, fault } of messages) {
      if (snapshot !== true || fault !== undefined) continue
      this.resyncs.arrived(this.venueSymbols.get(symbol!)!)
    }
  }

  private flows (connection: Connection): void {
    connection.noteData()
    if (connection === this.current) this.up = true
  }

  private listener (): FeedListener {
    const { counts, described } = this.options
    return {
      bookFailed: symbol => {
        // A snapshot that no stream follows would make a book good that nobody keeps so.
        if (!this.isCut && this.options.venue.feed.resync !== undefined) this.resyncs.failed(symbol)
      },
      described,
      missedTrades: (_symbol, count) => { counts.missedTrades += count },
      listed: symbols => {
        const all = new Set(symbols)
        for (const symbol of this.symbols) {
          if (!all.has(symbol)) this.refuse(symbol, 'it is not among those that the venue lists')
        }
      },
      refused: (symbol, reason) => { this.refuse(symbol, reason) },
      subscribed: () => {
        if (this.reading !== undefined) this.flows(this.reading)
        if (this.reading === this.current) this.resyncs.askAll()
      },
      ending: () => { this.handOver() }
    }
  }

  private refuse (symbol: string, reason: string): void {
    this.resyncs.forget(symbol)
    if (this.refused.has(symbol) || !this.symbols.includes(symbol)) return
    this.refused.add(symbol)
    this.options.counts.refused++
    this.options.refused(symbol, reason)
    if (this.isIdle) this.end()
  }

  private get wanted (): readonly string[] {
    return this.symbols.filter(symbol => !this.refused.has(symbol))
  }

  private connection (): Connection {
    const { venue: { feed }, url, depth, inbox, counts, surroundings } = this.options
    const events: ConnectionEvents = {
      opened: isAgain => {
        counts.connections++
        const options = { depth, isAgain: isAgain || connection !== this.current }
        for (const message of feed.subscribe(this.wanted, options)) connection.send(message)
        this.age(connection)
        if (connection === this.current) inbox.put({ kind: 'opened', line: this }, 0)
      },
      frame: text => {
        counts.frames++
        if (inbox.isFull) connection.lose('overflow', 'more came than the server could take')
        else {
          const at = surroundings.clock.time()
          inbox.put({ kind: 'frame', line: this, connection, text, at }, text.length)
        }
      },
      lost: (reason, detail) => {
        const wasOpen = reason !== 'unreachable' && reason !== 'connect_timeout'
        if (wasOpen) counts.connections--
        counts.lose(reason)
        this.options.lost(reason, detail, this.up)
        inbox.put({ kind: 'lost', line: this, connection, detail }, 0)
      }
    }
    const connection = new Connection(url, feed, surroundings, events)
    return connection
  }

  /** Has the next connection made before the venue cuts this one. */
  private age (connection: Connection): void {
    const { venue: { feed: { maxAgeMs } }, surroundings: { clock, random } } = this.options
    if (maxAgeMs === undefined) return
    clock.after(maxAgeMs * (EARLIEST_AGE + (1 - EARLIEST_AGE) * random()), () => {
      if (connection === this.current && connection.isOpen) this.handOver()
    })
  }

  private handOver (): void {
    if (this.next !== undefined || this.options.venue.feed.maxAgeMs === undefined) return
    this.next = this.connection()
    this.next.start()
    this.overlap(this.next)
  }

  private overlap (next: Connection): void {
    this.options.surroundings.clock.after(OVERLAP_MS, () => {
      if (this.next !== next) return
      if (next.state === 'flowing') this.takeOver()
      else if (next.state !== 'ended') this.overlap(next)
    })
  }

  private endConnection (connection: Connection | undefined): void {
    if (connection?.isOpen === true) this.options.counts.connections--
    connection?.end()
  }

  private takeOver (): void {
    if (this.next === undefined) return
    this.endConnection(this.current)
    this.current = this.next
    this.next = undefined
    // Only a connection whose data flows takes over.
    this.up = true
    if (!this.isCut) return
    this.beginBooks()
    this.resyncs.askAll()
  }

  /** @returns whether the snapshot must come within a time */
  private askSnapshot (symbol: string): boolean {
    const { venue: { feed: { resync } }, depth, rest, inbox } = this.options
    if (resync === undefined) return false
    if ('messages' in resync) {
      for (const message of resync.messages(symbol, depth)) this.current.send(message)
      return true
    }
    const { losses } = this
    const isWanted = (): boolean => !this.isEnded && losses === this.losses && !this.refused.has(symbol)
    const { path, weight } = resync.request(symbol)
    rest?.ask(path, weight, isWanted).then(
      answer => { inbox.put({ kind: 'answer', line: this, answer, symbol, losses }, answer.body.length) },
      (error: unknown) => {
        if (!isWanted()) return
        this.options.failed(`the snapshot of ${symbol}`, error)
        this.resyncs.failed(symbol)
      }
    )
    return false
  }
}
