import { decodeCursor } from '@tickwire/protocol'
import { type Approach, FleetClient } from '../fleet/client.js'
import type { Choices } from '../helpers/random.js'
import { type Message, POLL_WAIT_S, type TransportName, transportNames } from '../helpers/wires.js'
import { Witness } from './witness.js'

/** Silence beyond what the server promises, after which a connection is given up. */
const PATIENCE_MS = 3000
/** The same of a poll, which says nothing before it has all that it is to say. */
const POLL_PATIENCE_MS = 10_000
const POLL_PAUSE_MS = 250
const BACKOFF_MS = [100, 600] as const
/** A client that changes its transport each time would never be on one for long. */
const KEEPS_TRANSPORT = 0.5

/**
 * From asking with a cursor to the first cursor that the answer gave: by then every reset has come that the
 * position called for. A connection has one passage; each poll whose answer is of another epoch is one.
 */
export interface Passage {
  readonly connection: number
  readonly transport: TransportName
  readonly position: string
  readonly beganAt: number
  /** Undefined where the connection was lost before. */
  endedAt: number | undefined
  /** Which resets of the witness came in it. */
  readonly firstReset: number
  lastReset: number
}

/** Who ended a connection: the server or the network, the client itself for its silence, or the run. */
export interface Ended {
  readonly at: number
  readonly transport: TransportName
  readonly by: 'server' | 'silence' | 'run'
  /** Whether it had been given a cursor: what was never up can be refused. */
  readonly settled: boolean
}

export interface ClientOptions {
  readonly name: string
  readonly topics: readonly string[]
  readonly query: string
  readonly origins: readonly string[]
  readonly heartbeatMs: number
  readonly random: Choices
}

/** A client that comes back to any node, on any transport, whenever its connection is lost. */
export class FaultClient extends FleetClient {
  readonly witness = new Witness()
  readonly passages: Passage[] = []
  readonly ended: Ended[] = []
  /** Connections that went on from a cursor and were given another. */
  resumes = 0
  /** Which of the nodes it is connected to. */
  node = 0
  /** Whether it comes back to the same node. */
  stays = false
  private transport: TransportName
  /** A stream is one, and so is each poll. */
  private exchange = 0
  private passage: Passage | undefined
  private away = false

  constructor (readonly options: ClientOptions) {
    super()
    this.transport = options.random.pick(transportNames)
  }

  /** Its connection, and how those before ended. */
  get lately (): string {
    const now = Date.now()
    const before = this.ended.slice(-5).map(({ at, transport, by, settled }) => (
      `${transport} ended by ${by} ${now - at} ms ago${settled ? '' : ' without a cursor'}`))
    const cursor = this.settled ? '' : ', no cursor yet'
    return [...before, `now ${this.transport}, heard ${now - this.heardAt} ms ago${cursor}`].join('; ')
  }

  /** Gives a connection up that is silent for too long. */
  watch (): void {
    const { heartbeatMs } = this.options
    const isPoll = this.transport === 'poll'
    const patienceMs = isPoll ? POLL_PATIENCE_MS + POLL_WAIT_S * 1000 : PATIENCE_MS + heartbeatMs
    if (this.wire !== undefined && Date.now() - this.heardAt > patienceMs) this.end('silence')
  }

  /** Leaves, and does not come back before {@link comeBack}. */
  leave (): void {
    this.away = true
    if (this.wire !== undefined) this.end('run')
  }

  comeBack (): void {
    if (!this.away) return
    this.away = false
    this.later()
  }

  protected approach (): Approach {
    const { random, origins, query } = this.options
    if (this.connection > 1 && random.next() > KEEPS_TRANSPORT) this.transport = random.pick(transportNames)
    this.exchange++
    this.passage = this.cursor === undefined ? undefined : this.beginPassage(this.cursor)
    if (!this.stays) this.node = random.integer(0, origins.length - 1)
    const origin = origins[this.node]!
    return { transport: this.transport, origin, query, compressed: true, pollPauseMs: POLL_PAUSE_MS }
  }

  protected take (message: Message): void {
    // A stream that has had its first cursor stands where its node stands, wherever it had begun.
    const position = this.transport !== 'poll' && this.settled ? undefined : this.cursor
    this.witness.take(message, this.heardAt, this.connection, this.exchange, position)
  }

  protected override mark (text: string): void {
    const { passage, cursor, settled, witness } = this
    super.mark(text)
    if (passage !== undefined && passage.endedAt === undefined) {
      passage.endedAt = this.heardAt
      passage.lastReset = witness.resets.length
      const wasReset = passage.lastReset > passage.firstReset
      if (!settled || wasReset || epochsOf(passage.position) !== epochsOf(text)) this.passages.push(passage)
    }
    if (!settled && cursor !== undefined) this.resumes++
    if (this.transport !== 'poll') return
    this.exchange++
    this.passage = this.beginPassage(text)
  }

  protected lost (): void {
    this.end('server')
  }

  private beginPassage (position: string): Passage {
    const { connection, transport, witness: { resets: { length } } } = this
    const resets = { firstReset: length, lastReset: length }
    return { connection, transport, position, beganAt: Date.now(), endedAt: undefined, ...resets }
  }

  private end (by: Ended['by']): void {
    const { transport, passage, settled } = this
    if (passage !== undefined && passage.endedAt === undefined) {
      passage.lastReset = this.witness.resets.length
      this.passages.push(passage)
    }
    this.passage = undefined
    this.detach()?.cut()
    this.ended.push({ at: Date.now(), transport, by, settled })
    this.witness.lostConnection(this.cursorAt)
    if (!this.away) this.later()
  }

  private later (): void {
    this.openIn(this.options.random.integer(...BACKOFF_MS))
  }
}

/** Only the judge and its records look into a cursor; the client holds it as opaque. */
const epochsOf = (cursor: string): string =>
  [...decodeCursor(cursor)!.shards.values()].map(({ epoch }) => epoch).join()
