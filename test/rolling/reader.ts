import { type Approach, FleetClient } from '../fleet/client.js'
import { Ledger } from '../fleet/ledger.js'
import type { Message, TransportName } from '../helpers/wires.js'

const POLL_PAUSE_MS = 50
/** Before another node is tried, as a proxy does that finds one away. */
const NEXT_NODE_MS = 50

/** A time without a connection. */
export interface Absence {
  /** Milliseconds from one's end to the first cursor of the next; what of it the server had asked for. */
  readonly ms: number
  readonly askedMs: number
}

/** A client that comes back with its cursor to the next node when its connection ends. */
export class Reader extends FleetClient {
  readonly ledger = new Ledger()
  readonly absences: Absence[] = []
  /** Milliseconds from publishing to receipt, of what was published while it was connected. */
  readonly latencies: number[] = []
  /** What must not be. */
  readonly faults: string[] = []
  /** What it was refused with, by the code of an answer, or `unreachable`. */
  readonly refusals: string[] = []
  /** Milliseconds since 1970: of the first cursor of the present connection. */
  private settledAt = Infinity
  private lostAt: number | undefined
  private askedMs = 0
  private refusal = 'unreachable'

  /** @param node where it begins, of `origins` */
  constructor (
    readonly name: string, private readonly transport: TransportName, private readonly query: string,
    private readonly origins: readonly string[], private node: number
  ) {
    super()
  }

  protected approach (): Approach {
    this.ledger.connected()
    this.refusal = 'unreachable'
    const { transport, query, origins, node } = this
    return { transport, origin: origins[node]!, query, compressed: false, pollPauseMs: POLL_PAUSE_MS }
  }

  protected override refused (reason: string): void {
    this.refusal = /"code":"(\w+)"/.exec(reason)?.[1] ?? reason
  }

  protected lost (): void {
    if (this.settled) this.lostAt = Date.now()
    else this.refusals.push(this.refusal)
    const wait = this.settled ? Math.max(NEXT_NODE_MS, this.askedMs) : NEXT_NODE_MS
    this.settledAt = Infinity
    this.detach()
    this.node = (this.node + 1) % this.origins.length
    this.openIn(wait)
  }

  protected override answered (): void {
    this.ledger.connected()
  }

  protected override mark (cursor: string): void {
    const isFirst = !this.settled
    super.mark(cursor)
    this.ledger.cursor()
    if (!isFirst) return
    this.settledAt = Date.now()
    if (this.lostAt === undefined) return
    this.absences.push({ ms: this.settledAt - this.lostAt, askedMs: this.askedMs })
    this.lostAt = undefined
    this.askedMs = 0
  }

  protected take (message: Message): void {
    const { type, symbol, sequence, data } = message
    const verdict = this.ledger.take(message)
    for (const text of this.ledger.faults.splice(0)) this.fault(text)
    if (type === 'closing') {
      this.askedMs = Number(message['retry_after_ms'] ?? 0)
      if (message['code'] !== 'going_away') this.fault(`was closed: ${JSON.stringify(message)}`)
    } else if (type === 'error' || type === 'lagging' || type === 'reset') {
      this.fault(`was told ${JSON.stringify(message)}`)
    }
    // Only where it goes on from a cursor may come again what came behind that.
    if (verdict === 'duplicate' && this.absences.length === 0 && this.lostAt === undefined) {
      this.fault(`${symbol} ${sequence} came twice on its first connection`)
    }
    if (verdict !== 'new') return
    const publishedAt = Date.parse((data as { timestamp: string }).timestamp)
    if (publishedAt > this.settledAt) this.latencies.push(Date.now() - publishedAt)
  }

  private fault (text: string): void {
    this.faults.push(`${this.name}: ${text}`)
  }
}
