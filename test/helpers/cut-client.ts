import { type Client, type Message, openClient, RuleFollower, type TransportName, transportNames } from './clients.js'
import { Choices } from './random.js'

const QUERY = 'subscribe=quotes:*&subscribe=trades:*&subscribe=book:*'
/** How each cut is made; a run has at least ten of each kind. */
const KINDS = ['catch-up', 'before-cursor', 'any'] as const
type Kind = (typeof KINDS)[number]

const KEPT_CURSORS = 8
const LEAST = 10

/**
 * If the planned cut does not come about, because the client missed nothing, the connection is cut after
 * this.
 */
const PATIENCE_MS = 100

/**
 * A client that is cut again and again: in the middle of a catch-up, between a message and its cursor, or at
 * any moment. It stays away for a while, and then resumes on a transport chosen at random, with the last
 * cursor that it has or with an older one.
 */
export class CutClient {
  readonly follower = new RuleFollower()
  readonly made: Record<Kind, number> = { 'catch-up': 0, 'before-cursor': 0, any: 0 }
  readonly used = new Map<TransportName, number>()
  connected = false
  private readonly random: Choices
  /**
   * The first cursor and the newest ones. If a slow machine has not made all cuts when the feed ends, a
   * client that resumes with the first cursor still reads a history, and can be cut in it.
   */
  private readonly cursors: string[] = []
  private client: Client | undefined
  private generation = 0
  /** A cut just before the end would come back to a server that is gone. */
  private closed = false
  private plan: Kind = 'any'
  private countdown = 0
  private connectedAt = 0
  /** Whether this connection has brought anything: a cut that nothing can be lost by shows nothing. */
  private read = false
  private timer: NodeJS.Timeout | undefined

  /** @param transports those of which it picks one each time that it comes back */
  constructor (
    private readonly origin: string, seed: number, private readonly cuts: number,
    private readonly transports: readonly TransportName[] = transportNames
  ) {
    this.random = new Choices(seed)
  }

  get cutsMade (): number {
    return this.made['catch-up'] + this.made['before-cursor'] + this.made.any
  }

  /** The last cuts are kept for the kinds that a run must have; cuts beyond those are made, not counted. */
  private get spare (): number {
    const missing = (kind: Kind): number => Math.max(0, LEAST - this.made[kind])
    const required = missing('catch-up') + missing('before-cursor')
    return this.cuts - this.cutsMade - required
  }

  open (): void {
    if (this.closed) return
    const transport = this.random.pick(this.transports)
    this.used.set(transport, (this.used.get(transport) ?? 0) + 1)
    const generation = ++this.generation
    const mine = (): boolean => generation === this.generation
    this.connectedAt = Date.now()
    this.plan = this.nextPlan()
    this.countdown = this.random.integer(1, 6)
    this.read = false
    const newest = this.plan === 'any' && this.random.next() < 0.75
    const after = newest ? this.cursors.at(-1) : this.random.pick(this.cursors)
    this.client = openClient(transport, this.origin, QUERY, after, {
      onMessage: message => { if (mine()) this.take(message) },
      onCursor: cursor => { if (mine()) this.mark(cursor) }
    })
  }

  close (): void {
    this.closed = true
    this.generation++
    clearTimeout(this.timer)
    this.client?.cut()
  }

  private nextPlan (): Kind {
    // Cuts that need the feed to run come first: those at any moment go on when it is over.
    const wanted = Math.max(LEAST, this.cuts / 4)
    const missing = KINDS.filter(kind => kind !== 'any' && this.made[kind] < wanted)
    if (missing.length === 0) return 'any'
    return this.spare <= 0 || this.random.next() < 0.75 ? this.random.pick(missing) : 'any'
  }

  private take (message: Message): void {
    this.follower.take(message)
    if (message.sequence === undefined || this.cursors.length === 0) return
    this.read = true
    if (--this.countdown > 0) return
    const history = Date.parse(message['timestamp'] as string) < this.connectedAt
    if (this.plan === 'catch-up' && history) this.cut('catch-up')
    else if (this.plan === 'before-cursor') this.cut('before-cursor')
  }

  private mark (cursor: string): void {
    this.connected = true
    // A poll that waited in vain gives the same again, and behind the newest there is no history.
    if (cursor !== this.cursors.at(-1)) this.cursors.push(cursor)
    if (this.cursors.length > KEPT_CURSORS) this.cursors.splice(1, 1)
    this.timer ??= setTimeout(() => { this.cut('any') }, this.plan === 'any' ? this.random.integer(2, 80) : PATIENCE_MS)
  }

  private cut (kind: Kind): void {
    clearTimeout(this.timer)
    this.timer = undefined
    if (this.cutsMade >= this.cuts) return
    const needed = kind !== 'any' && this.made[kind] < LEAST
    if (this.read && (needed || this.spare > 0)) this.made[kind]++
    this.generation++
    this.client?.cut()
    setTimeout(() => { this.open() }, this.random.integer(1, 80))
  }
}
