import { ClientRule } from '@tickwire/protocol'
import { type Client, type Message, openClient, type TransportName } from '../helpers/clients.js'

const POLL_PAUSE_MS = 50
/** Before another node is tried, as a proxy does that finds one away. */
const NEXT_NODE_MS = 50

/** A time without a connection. */
export interface Absence {
  /** Milliseconds from the end of one to the first cursor of the next, and what of it the server had asked for. */
  readonly ms: number
  readonly askedMs: number
}

/** A client that keeps the client's rule, and comes back with its cursor to the next node when its connection ends. */
export class Reader {
  /** By symbol, the sequences that counted, in order. */
  readonly accepted = new Map<string, number[]>()
  readonly absences: Absence[] = []
  /** Milliseconds from publishing to receipt, of what was published while it was connected. */
  latencies: number[] = []
  /** What must not be. */
  readonly faults: string[] = []
  duplicates = 0
  /** What it was refused with, by the code of an answer, or `unreachable`. */
  readonly refusals: string[] = []
  private readonly rule = new ClientRule()
  private cursor: string | undefined
  private client: Client | undefined
  /** Milliseconds since 1970: of the first cursor of the present connection. */
  private settledAt = Infinity
  private lost: { readonly at: number } | undefined
  private askedMs = 0
  private over = false

  /** @param node where it begins, of `origins` */
  constructor (readonly name: string, private readonly transport: TransportName, private readonly query: string, private readonly origins: readonly string[], private node: number) {}

  get isSettled (): boolean {
    return this.settledAt !== Infinity
  }

  open (): void {
    this.rule.connected()
    const client = openClient(this.transport, this.origins[this.node]!, this.query, this.cursor, {
      onMessage: message => { if (client === this.client) this.take(message) },
      onCursor: cursor => { if (client === this.client) this.mark(cursor) }
    }, POLL_PAUSE_MS, false)
    this.client = client
    client.ended.then(() => 'unreachable', (error: unknown) => /"code":"(\w+)"/.exec(String(error))?.[1] ?? 'unreachable')
      .then(reason => { if (!this.over) this.comeBack(reason) }, () => {})
  }

  close (): void {
    this.over = true
    this.client?.cut()
  }

  private comeBack (reason: string): void {
    if (this.isSettled) this.lost = { at: Date.now() }
    else this.refusals.push(reason)
    const wait = this.isSettled ? Math.max(NEXT_NODE_MS, this.askedMs) : NEXT_NODE_MS
    this.settledAt = Infinity
    this.node = (this.node + 1) % this.origins.length
    setTimeout(() => { if (!this.over) this.open() }, wait)
  }

  private mark (cursor: string): void {
    this.rule.cursor()
    this.cursor = cursor
    if (this.isSettled) return
    this.settledAt = Date.now()
    if (this.lost === undefined) return
    this.absences.push({ ms: this.settledAt - this.lost.at, askedMs: this.askedMs })
    this.lost = undefined
    this.askedMs = 0
  }

  private take (message: Message): void {
    const verdict = this.rule.take(message)
    const { type, symbol, sequence, data } = message
    if (type === 'closing') {
      this.askedMs = Number(message['retry_after_ms'] ?? 0)
      if (message['code'] !== 'going_away') this.fault(`was closed: ${JSON.stringify(message)}`)
    } else if (type === 'error' || type === 'lagging' || type === 'reset') this.fault(`was told ${JSON.stringify(message)}`)
    if (verdict === 'gap') this.fault(`a gap before ${symbol} ${sequence}`)
    if (verdict === 'duplicate') {
      this.duplicates++
      // Only where it goes on from a cursor may come again what came behind that.
      if (this.absences.length === 0 && this.lost === undefined) this.fault(`${symbol} ${sequence} came twice on its first connection`)
    }
    if (verdict !== 'new') return
    const sequences = this.accepted.get(symbol!)
    if (sequences === undefined) this.accepted.set(symbol!, [sequence!])
    else sequences.push(sequence!)
    const publishedAt = Date.parse((data as { timestamp: string }).timestamp)
    if (publishedAt > this.settledAt) this.latencies.push(Date.now() - publishedAt)
  }

  private fault (text: string): void {
    this.faults.push(`${this.name}: ${text}`)
  }
}
