import { decodeCursor } from '@tickwire/protocol'
import { type Client, openClient, type TransportName, transportNames } from '../helpers/clients.js'
import type { Choices } from '../helpers/random.js'
import { Witness } from './witness.js'

/** Silence beyond what the server promises, after which a connection is given up. */
const PATIENCE_MS = 3000
/** The same of a poll, which says nothing before it has all that it is to say. */
const POLL_PATIENCE_MS = 10_000
/** How long `openClient` lets a poll be held. */
const POLL_WAIT_MS = 5000
const POLL_PAUSE_MS = 250
const BACKOFF_MS = [100, 600] as const
/** A client that changes its transport each time would never be on one for long. */
const KEEPS_TRANSPORT = 0.5

/**
 * From asking with a cursor to the first cursor that the answer gave: by then every reset has come that the position
 * called for. A connection has one passage; each poll whose answer is of another epoch than its question is one.
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

/** A client that comes back with its last cursor, to any node, on any transport, whenever its connection is lost. */
export class FaultClient {
  readonly witness = new Witness()
  readonly passages: Passage[] = []
  readonly ended: Ended[] = []
  /** Connections that went on from a cursor and were given another. */
  resumes = 0
  cursor: string | undefined
  cursorAt = 0
  /** Whether the present connection has been given a cursor. */
  settled = false
  /** Which of the nodes it is connected to. */
  node = 0
  /** Whether it comes back to the same node. */
  stays = false
  private transport: TransportName
  private client: Client | undefined
  private connection = 0
  /** A stream is one, and so is each poll. */
  private exchange = 0
  private passage: Passage | undefined
  private heardAt = 0
  private patienceMs = 0
  private timer: NodeJS.Timeout | undefined
  private away = false

  constructor (readonly options: ClientOptions) {
    this.transport = options.random.pick(transportNames)
  }

  open (): void {
    const { random, origins, query, heartbeatMs } = this.options
    if (this.connection > 0 && random.next() > KEEPS_TRANSPORT) this.transport = random.pick(transportNames)
    const connection = ++this.connection
    this.exchange++
    const mine = (): boolean => connection === this.connection
    const { transport, cursor } = this
    this.settled = false
    this.heardAt = Date.now()
    this.patienceMs = transport === 'poll' ? POLL_PATIENCE_MS + POLL_WAIT_MS : PATIENCE_MS + heartbeatMs
    this.passage = cursor === undefined ? undefined : this.beginPassage(cursor)
    if (!this.stays) this.node = random.integer(0, origins.length - 1)
    this.client = openClient(transport, origins[this.node]!, query, cursor, {
      onMessage: message => {
        if (!mine()) return
        this.heardAt = Date.now()
        // A stream that has had its first cursor stands where its node stands, wherever it had begun.
        const position = transport === 'poll' ? this.cursor : this.settled ? undefined : cursor
        this.witness.take(message, this.heardAt, connection, this.exchange, position)
      },
      onCursor: text => { if (mine()) this.mark(text) }
    }, POLL_PAUSE_MS)
    this.client.ended.catch(() => {}).then(() => { if (mine()) this.lose('server') }, () => {})
  }

  /** Its connection, and how those before ended. */
  get lately (): string {
    const now = Date.now()
    const before = this.ended.slice(-5).map(({ at, transport, by, settled }) => `${transport} ended by ${by} ${now - at} ms ago${settled ? '' : ' without a cursor'}`)
    return [...before, `now ${this.transport}, heard ${now - this.heardAt} ms ago${this.settled ? '' : ', no cursor yet'}`].join('; ')
  }

  /** Gives a connection up that is silent for too long. */
  watch (): void {
    if (this.client !== undefined && Date.now() - this.heardAt > this.patienceMs) this.lose('silence')
  }

  /** Leaves, and does not come back before {@link comeBack}. */
  leave (): void {
    this.away = true
    if (this.client !== undefined) this.lose('run')
  }

  comeBack (): void {
    if (!this.away) return
    this.away = false
    this.later()
  }

  close (): void {
    this.away = true
    clearTimeout(this.timer)
    this.connection++
    this.client?.cut()
    this.client = undefined
  }

  private mark (text: string): void {
    this.heardAt = Date.now()
    const { passage, cursor, transport } = this
    if (passage !== undefined && passage.endedAt === undefined) {
      passage.endedAt = this.heardAt
      passage.lastReset = this.witness.resets.length
      if (!this.settled || passage.lastReset > passage.firstReset || epochsOf(passage.position) !== epochsOf(text)) this.passages.push(passage)
    }
    if (!this.settled && cursor !== undefined) this.resumes++
    this.settled = true
    this.cursor = text
    this.cursorAt = this.heardAt
    if (transport !== 'poll') return
    this.exchange++
    this.passage = this.beginPassage(text)
  }

  private beginPassage (position: string): Passage {
    const { length } = this.witness.resets
    return { connection: this.connection, transport: this.transport, position, beganAt: Date.now(), endedAt: undefined, firstReset: length, lastReset: length }
  }

  private lose (by: Ended['by']): void {
    const { transport, client, passage, settled } = this
    if (passage !== undefined && passage.endedAt === undefined) {
      passage.lastReset = this.witness.resets.length
      this.passages.push(passage)
    }
    this.passage = undefined
    this.connection++
    this.client = undefined
    this.settled = false
    client?.cut()
    this.ended.push({ at: Date.now(), transport, by, settled })
    this.witness.lostConnection(this.cursorAt)
    if (!this.away) this.later()
  }

  private later (): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => { this.open() }, this.options.random.integer(...BACKOFF_MS))
  }
}

/** Only the judge and its records look into a cursor; the client holds it as opaque. */
const epochsOf = (cursor: string): string => [...decodeCursor(cursor)!.shards.values()].map(({ epoch }) => epoch).join()
