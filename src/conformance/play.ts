import type { ErrorCode } from '@tickwire/protocol'
import { type Asked, judgeAsked, missingOf, parameterOf, wantedOf } from './asked.js'
import { Driver, type DriverEvent } from './driver.js'
import { Given } from './given.js'
import type { Expected } from './notation.js'
import { EventStreamLine } from './server/event-stream-line.js'
import type { Line } from './server/line.js'
import { PollLine } from './server/poll-line.js'
import { ScriptedServer } from './server/scripted-server.js'
import type { Visit } from './server/visit.js'
import { WebSocketLine } from './server/websocket-line.js'
import type { Setup, Transport } from './setup.js'
import { Failure, Watch } from './watch.js'

/** A timer of the client may fire this much early, by its clock and by ours. */
const EARLY_MS = 20

/** One scenario over one transport: the server, the driver, and the connection that the script is on. */
export class Play {
  readonly server: ScriptedServer
  readonly driver: Driver
  readonly given: Given
  private readonly watch = new Watch()
  private current: Line | undefined
  /** All connections so far: a client may leave one open. */
  private readonly lines: Line[] = []
  /** The client must not come before this time of `performance.now()`. */
  private notBefore = 0
  /** Selectors that the client has just unsubscribed; requests that were under way may have them. */
  private leaving: readonly string[] = []
  /** Tokens that the script refuses on a WebSocket. */
  readonly badTokens = new Set<string>()
  /** What the client is to give once it comes again, because an answer to a poll broke off. */
  deferred: readonly Expected[] = []

  /**
   * @param allowed the transports that the client may use
   * @param patienceMs how long a step waits for the client
   */
  constructor (
    private readonly setup: Setup, readonly allowed: readonly Transport[], command: readonly string[],
    private readonly patienceMs: number
  ) {
    this.server = new ScriptedServer(this.watch, allowed)
    this.driver = new Driver(command, this.watch)
    this.given = new Given(this.driver.events)
  }

  /** Plays a script from start to end. @throws Failure */
  async run (steps: ReadonlyArray<(play: Play) => Promise<void>>): Promise<void> {
    try {
      const url = await this.server.listen()
      await this.eventOf('the driver does not say ready', ({ event }) => event === 'ready')
      const { token, tokens, subscribe = ['trades:A'] } = this.setup
      this.driver.tell({
        do: 'connect',
        url,
        transports: this.allowed,
        ...(token === undefined ? {} : { token }),
        ...(tokens === undefined ? {} : { tokens })
      })
      for (const selectors of subscribe) this.tellSubscribe(selectors)
      for (const step of steps) await step(this)
      await this.end()
    } finally {
      await this.driver.kill()
      for (const line of this.lines) line.dispose()
      await this.server.close()
    }
  }

  /** The connection that the script is on. */
  get line (): Line {
    if (this.current === undefined) throw new TypeError('the script is on no connection')
    return this.current
  }

  get transport (): Transport {
    return this.current?.transport ?? this.allowed[0]!
  }

  tellSubscribe (selectors: string): void {
    const { channel, symbols, throttleMs, depth, last } = parameterOf(selectors)
    this.driver.tell({
      do: 'subscribe', channel, symbols, throttle_ms: throttleMs, depth, last
    })
  }

  tellUnsubscribe (selectors: string): void {
    const { channel, symbols } = parameterOf(selectors)
    this.driver.tell({ do: 'unsubscribe', channel, symbols })
    this.leaving = wantedOf(selectors).map(({ selector }) => selector)
  }

  /** Waits for an event of the driver. @returns the event */
  async eventOf (missing: string, fits: (event: DriverEvent) => boolean): Promise<DriverEvent> {
    return await this.until(() => missing, () => this.driver.events.find(fits))
  }

  /** Waits for something, as long as the driver runs and its requests are right. @throws Failure */
  async until<Found> (missing: () => string, find: () => Found | undefined): Promise<Found> {
    return await this.watch.until(missing, () => {
      if (this.server.fault !== undefined) throw this.server.fault
      this.driver.check()
      return find()
    }, this.patienceMs, () => this.driver.said)
  }

  /** Waits for the next request for the stream. */
  async nextVisit (what: string): Promise<Visit> {
    for (;;) {
      const visit = await this.until(() => `it does not come ${what}`, () => {
        const next = this.server.visits.shift()
        const stop = this.driver.events.find(({ event, state }) => event === 'state' && state === 'closed')
        if (next === undefined && stop !== undefined) {
          throw new Failure(`it has stopped with ${String(stop['code'])}, and does not come ${what}`)
        }
        return next
      })
      if (!this.allowed.includes(visit.transport)) {
        throw new Failure(`it comes over ${visit.transport}, which it may not use`)
      }
      const early = this.notBefore - visit.at
      if (early > EARLY_MS) {
        throw new Failure(`it comes back ${Math.round(early)} ms before retry_after_ms is over`)
      }
      if (!visit.isGone) return visit
    }
  }

  /** Waits for a connection that asks for exactly these selectors, from these positions. */
  async open (wanted: readonly Asked[]): Promise<void> {
    const what = wanted.length === 0 ? 'at all' : `for ${wanted.map(({ selector }) => selector).join(', ')}`
    for (;;) {
      const visit = await this.nextVisit(what)
      const line = this.lineOf(visit)
      if (line === undefined) continue
      this.current = line
      this.lines.push(line)
      if (await this.isComplete(line, wanted)) break
    }
    this.leaving = []
  }

  /**
   * Waits until the client asks for more selectors: on this connection, or on a new one, on which it asks for
   * the others, too.
   */
  async add (added: readonly Asked[], others: readonly Asked[]): Promise<void> {
    const line = this.line
    if (line.transport === 'websocket') {
      const isHere = await this.until(
        () => `it does not ask for ${missingOf(line.pending, added).join(', ')}`,
        () => missingOf(line.pending, added).length === 0 ? true : line.isGone ? false : undefined
      )
      if (isHere) {
        judgeAsked(line.pending, added)
        return
      }
    }
    await this.open([...added, ...others])
  }

  /** Waits until the client has unsubscribed: here, or by a new connection that asks for the rest. */
  async drop (rest: readonly Asked[]): Promise<void> {
    const line = this.line
    if (!(line instanceof WebSocketLine)) {
      if (rest.length > 0) await this.open(rest)
      return
    }
    await this.until(() => `it does not unsubscribe ${this.leaving.join(', ')}`, () =>
      this.leaving.every(selector => line.unsubscribed.includes(selector)) ? true : undefined)
  }

  /** Turns a client away because of its token: before the upgrade, or when it has shown its token. */
  async turnAway (): Promise<void> {
    const visit = await this.nextVisit('to show its token')
    if (visit.token !== undefined) {
      visit.refuse('unauthorized')
      return
    }
    const line = this.lineOf(visit)
    await this.until(() => 'it does not show its token', () => line?.isGone === false ? undefined : true)
  }

  grant (): void {
    this.line.grant({ epoch: this.server.epoch, refused: this.server.refused })
  }

  /** The client must stay away for so long. @param since when it was told, by `performance.now()` */
  awayFor (milliseconds: number, since: number): void {
    this.notBefore = since + milliseconds
  }

  /** Answers a request for the stream with a refusal. */
  async refuse (code: ErrorCode, retryAfterMs: number | undefined): Promise<void> {
    const visit = await this.nextVisit('to be refused')
    if (retryAfterMs !== undefined) this.awayFor(retryAfterMs, performance.now())
    visit.refuse(code, retryAfterMs)
  }

  /** Returns the connection of a visit; undefined if the client has given it up. */
  private lineOf (visit: Visit): Line | undefined {
    const { writeEvents, isCompressed } = this.setup
    switch (visit.transport) {
      case 'websocket': {
        const socket = this.server.accept(visit)
        const judgeToken = (token: string): boolean => !this.badTokens.has(token)
        return socket === undefined ? undefined : new WebSocketLine(socket, visit, this.watch, judgeToken)
      }
      case 'event-stream':
        return new EventStreamLine(visit, this.watch, writeEvents, isCompressed)
      case 'polling': {
        const wanted = visit.asked
        const next = async (cursor: string | undefined): Promise<Visit> => await this.nextPoll(wanted, cursor)
        return new PollLine(visit, next, isCompressed)
      }
    }
  }

  /** Waits for the poll that goes on from a cursor. */
  private async nextPoll (wanted: readonly Asked[], after: string | undefined): Promise<Visit> {
    const visit = await this.nextVisit('to poll again')
    const expected = wanted.map(({ selector, options }) => ({ selector, after, options }))
    judgeAsked(visit.asked, expected)
    const missing = missingOf(visit.asked, expected)
    if (missing.length > 0) throw new Failure(`it polls without ${missing.join(', ')}`)
    return visit
  }

  /** Returns whether a connection asks for all that is wanted; false: the client comes on another. */
  private async isComplete (line: Line, wanted: readonly Asked[]): Promise<boolean> {
    const isStale = line.pending.some(({ selector }) => this.leaving.includes(selector) &&
      wanted.every(candidate => candidate.selector !== selector))
    if (isStale) {
      // Whoever waits for the answer to a poll gets it, and comes again.
      if (line instanceof PollLine) await line.answerEmpty()
      return false
    }
    return await this.until(
      () => `it does not ask for ${missingOf(line.pending, wanted).join(', ')}`,
      () => {
        judgeAsked(line.pending, wanted)
        if (missingOf(line.pending, wanted).length === 0) return true
        return line.isGone || this.server.visits.length > 0 ? false : undefined
      }
    )
  }

  /** Closes the client, and judges what it has given beyond what the script expects. */
  private async end (): Promise<void> {
    this.driver.check()
    this.driver.tell({ do: 'close' })
    await this.watch.until(() => 'the driver does not end after close', () => this.driver.ended,
      this.patienceMs, () => this.driver.said)
    if (this.driver.ended !== 0) {
      throw new Failure(`the driver ended with ${String(this.driver.ended)} after close${this.driver.said}`)
    }
    this.given.judgeRest()
  }
}
