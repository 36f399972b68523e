import { type Client, type Message, openClient, RuleFollower, type TransportName, transportNames } from './clients.js'
import { Random } from './random.js'

const QUERY = 'subscribe=quotes:*&subscribe=trades:*&subscribe=book:*'
/** How each cut is made; a run has at least ten of each kind. */
const KINDS = ['catch-up', 'before-cursor', 'any'] as const
type Kind = (typeof KINDS)[number]

/** Messages stamped this long before the client connected were history when it did. */
const CLOCK_SLACK_MS = 0

/**
 * A client that is cut again and again, in the middle of a catch-up, between a message and its cursor, or at any
 * moment, stays away for a while, and resumes on a transport chosen at random with the last cursor that it has.
 */
export class CutClient {
  readonly follower = new RuleFollower()
  readonly made: Record<Kind, number> = { 'catch-up': 0, 'before-cursor': 0, any: 0 }
  readonly used = new Map<TransportName, number>()
  connected = false
  private readonly random: Random
  private cursor: string | undefined
  private client: Client | undefined
  private generation = 0
  private plan: Kind = 'any'
  private countdown = 0
  private sinceCursor = 0
  private connectedAt = 0
  private timer: NodeJS.Timeout | undefined

  constructor (private readonly origin: string, seed: number, private readonly cuts: number) {
    this.random = new Random(seed)
  }

  get cutsMade (): number {
    return this.made['catch-up'] + this.made['before-cursor'] + this.made.any
  }

  open (): void {
    const transport = this.random.pick(transportNames)
    this.used.set(transport, (this.used.get(transport) ?? 0) + 1)
    const generation = ++this.generation
    const mine = (): boolean => generation === this.generation
    this.sinceCursor = 0
    this.connectedAt = Date.now()
    this.plan = this.nextPlan()
    this.countdown = this.random.integer(1, 6)
    if (this.plan === 'any' && this.cursor !== undefined) this.timer = setTimeout(() => { if (mine()) this.cut('any') }, this.random.integer(5, 120))
    this.client = openClient(transport, this.origin, QUERY, this.cursor, {
      onMessage: message => { if (mine()) this.take(message) },
      onCursor: cursor => { if (mine()) this.mark(cursor) }
    })
  }

  close (): void {
    this.generation++
    clearTimeout(this.timer)
    this.client?.cut()
  }

  private nextPlan (): Kind {
    const missing = KINDS.filter(kind => this.made[kind] < this.cuts / 4)
    return this.random.pick(missing.length > 0 ? missing : KINDS)
  }

  private take (message: Message): void {
    this.follower.take(message)
    if (message.sequence === undefined || this.cursor === undefined) return
    this.sinceCursor++
    if (--this.countdown > 0) return
    const history = Date.parse(message['timestamp'] as string) < this.connectedAt - CLOCK_SLACK_MS
    if (this.plan === 'catch-up' && history) this.cut('catch-up')
    else if (this.plan === 'before-cursor' && !history) this.cut('before-cursor')
  }

  private mark (cursor: string): void {
    this.connected = true
    this.cursor = cursor
    this.sinceCursor = 0
    // A transport that gives its only cursor at once has no moment to cut at any time before it.
    if (this.plan === 'any' && this.timer === undefined) this.timer = setTimeout(() => { this.cut('any') }, this.random.integer(5, 120))
  }

  private cut (kind: Kind): void {
    clearTimeout(this.timer)
    this.timer = undefined
    if (this.cutsMade >= this.cuts) return
    if (kind === 'before-cursor' && this.sinceCursor === 0) return
    this.made[kind]++
    this.generation++
    this.client?.cut()
    setTimeout(() => { this.open() }, this.random.integer(1, 150))
  }
}
