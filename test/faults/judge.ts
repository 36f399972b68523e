import type { FaultClient, Passage } from './client.js'
import { Generations } from './generations.js'
import { completeLosses, keptOf, type Loss, lostShards } from './loss.js'
import type { Publisher } from './publisher.js'
import type { StoredLog } from './stored-log.js'
import type { SeenReset, Stretch } from './witness.js'

export interface Verdict {
  readonly violations: readonly string[]
  readonly acknowledged: number
  /** Of them, those that a loss took. */
  readonly lost: number
  readonly delivered: number
  readonly duplicates: number
  readonly resumes: number
  readonly resets: {
    readonly seen: Readonly<Record<string, number>>
    /** Because a live connection had been sent something that was lost, and because a position was lost. */
    readonly live: number
    readonly byPosition: number
    /** Of a topic of which nothing had come since its reset before: there is nothing more to forget. */
    readonly repeated: number
    readonly unjustified: number
    readonly missing: number
  }
}

export interface Evidence {
  readonly publisher: Pick<Publisher, 'acknowledged' | 'started' | 'failures'>
  readonly clients: readonly FaultClient[]
  readonly losses: readonly Loss[]
  /** What the log held when all was over. */
  readonly final: StoredLog
}

/** Holds what clients saw against what was acknowledged and what the log kept. */
export function judge ({ publisher, clients, losses: noted, final }: Evidence): Verdict {
  const losses = completeLosses(noted, final)
  const generations = new Generations(losses, final, publisher.started)
  const lost = publisher.acknowledged.filter(message => generations.checkAcknowledged(message) === 'lost').length
  const counts = { live: 0, byPosition: 0, repeated: 0, unjustified: 0, missing: 0 }
  const seen: Record<string, number> = {}
  const violations = [...publisher.failures, ...final.faults, ...losses.flatMap(({ kept }) => kept.faults)]
  for (const client of clients) {
    for (const { reason } of client.witness.resets) seen[reason] = (seen[reason] ?? 0) + 1
    const found = new ClientJudge(client, losses, generations, final.shardOf, counts).judge()
    violations.push(...found.map(text => `${client.options.name}: ${text}`))
  }
  const sum = (of: (client: FaultClient) => number): number => (
    clients.reduce((total, client) => total + of(client), 0)
  )
  return {
    violations: [...violations, ...generations.violations],
    acknowledged: publisher.acknowledged.length,
    lost,
    delivered: sum(({ witness }) => witness.accepted),
    duplicates: sum(({ witness }) => witness.duplicates),
    resumes: sum(({ resumes }) => resumes),
    resets: { seen, ...counts }
  }
}

class ClientJudge {
  private readonly violations: string[] = []
  /** By topic, of which generation each stretch is. */
  private readonly lives = new Map<string, Array<number | undefined>>()

  constructor (
    private readonly client: FaultClient,
    private readonly losses: readonly Loss[],
    private readonly generations: Generations,
    private readonly shardOf: ReadonlyMap<string, number>,
    private readonly counts: Record<'live' | 'byPosition' | 'repeated' | 'unjustified' | 'missing', number>
  ) {}

  judge (): string[] {
    const { witness, options, passages } = this.client
    this.violations.push(...witness.faults)
    for (const topic of options.topics) this.judgeMessages(topic, witness.topics.get(topic)?.stretches ?? [])
    for (const topic of witness.topics.keys()) if (!options.topics.includes(topic)) this.violations.push(`${topic} was not asked for`)
    this.judgeResets()
    for (const passage of passages) this.judgePassage(passage)
    return this.violations
  }

  /**
   * Checks that every stretch is a part of what the log held in one of its lives and begins where it must,
   * and that the last stretch reaches the end of the log.
   */
  private judgeMessages (topic: string, stretches: readonly Stretch[]): void {
    const lives: Array<number | undefined> = []
    this.lives.set(topic, lives)
    let life = 0
    let highest = 0
    for (const stretch of stretches) {
      const found = stretch.numbers.length === 0 ? undefined : this.generations.find(topic, stretch, life)
      lives.push(found)
      if (stretch.numbers.length === 0) continue
      if (found === undefined) this.violations.push(`${topic}: what was delivered was never in the log together: ${this.generations.difference(topic, stretch)}`)
      life = found ?? life
      // If a connection is lost before a reset is followed, the next one does not repeat it: it resumes from
      // the older cursor.
      const atMost = stretch.interrupted ? highest + 1 : 1
      if (stretch.first > atMost && !stretch.snapshot && stretch.begin !== 'gap') this.violations.push(`${topic}: began with ${stretch.first} after its ${stretch.begin}`)
      highest = Math.max(highest, stretch.first - 1 + stretch.numbers.length)
    }
    const last = stretches.at(-1)
    const length = this.generations.lengthOf(topic)
    if (last === undefined || last.first - 1 + last.numbers.length < length) this.violations.push(`${topic}: ${last === undefined ? 'nothing came' : this.generations.difference(topic, last)}`)
    else if (last.numbers.length > 0 && life < this.generations.last && !this.generations.fits(topic, last, this.generations.last)) this.violations.push(`${topic}: no reset told of a loss: ${this.generations.difference(topic, last)}`)
  }

  /** Each reset has a loss that called for it, once on a connection; or there was nothing to forget. */
  private judgeResets (): void {
    const used = new Set<string>()
    for (const reset of this.client.witness.resets) {
      const { topic, connection, reason, at } = reset
      const causes = this.losses.map((loss, index) => loss.beganAt > at || reason !== 'epoch_changed' ? undefined : this.cause(reset, loss, index))
      const fresh = causes.findIndex((cause, index) => cause !== undefined && !used.has(`${connection} ${topic} ${index}`))
      const called = causes.some(cause => cause !== undefined)
      if (fresh < 0 && called && reset.last === undefined) {
        this.counts.repeated++
        continue
      }
      if (fresh < 0) {
        this.counts.unjustified++
        const why = called ? 'again, on the same connection' : 'for no reason'
        this.violations.push(`${topic}: reset (${reason}) ${why}; it had been sent ${reset.last ?? 'nothing'}, kept were ${this.losses.map(loss => keptOf(loss, topic)).join(', ')}`)
        continue
      }
      this.counts[causes[fresh]!]++
      causes.forEach((cause, index) => { if (cause !== undefined) used.add(`${connection} ${topic} ${index}`) })
    }
  }

  /** PROTOCOL.md, Epochs: a live connection by what it was sent of the topic, a cursor by its one offset. */
  private cause ({ topic, last, stretch, position, at }: SeenReset, loss: Loss, index: number): 'live' | 'byPosition' | undefined {
    if (position !== undefined && this.lostAt(loss, position, topic)) return 'byPosition'
    const life = this.lives.get(topic)?.[stretch]
    if (last !== undefined && last > keptOf(loss, topic) && (life === undefined || life <= index)) return 'live'
    // PROTOCOL.md, Terms: a topic that the log did not have when a lost position was resumed is reset before
    // its first message.
    const reborn = keptOf(loss, topic) === 0 && this.client.passages.some(passage => (
      passage.beganAt <= at && this.lostAt(loss, passage.position, topic)
    ))
    return reborn ? 'byPosition' : undefined
  }

  private lostAt (loss: Loss, position: string, topic: string): boolean {
    return lostShards(loss, position)[this.shardOf.get(topic)!] === true
  }

  /** Whoever came back with a lost position was told so of every topic, before the first cursor. */
  private judgePassage ({ position, beganAt, endedAt, firstReset, lastReset, transport }: Passage): void {
    if (endedAt === undefined) return
    const { witness, options } = this.client
    for (const loss of this.losses) {
      // A question that was on its way at that moment may have been answered before it.
      if (beganAt <= loss.endedAt) continue
      const told = new Set(witness.resets.slice(firstReset, lastReset).map(({ topic }) => topic))
      for (const topic of options.topics) {
        if (told.has(topic) || !this.lostAt(loss, position, topic)) continue
        // Of topics that were not named, those that the log does not have are reset when they are born.
        if (options.query.includes('*') && keptOf(loss, topic) === 0) continue
        this.counts.missing++
        this.violations.push(`${topic}: no reset on ${transport} after '${loss.name}', although its cursor was lost`)
      }
    }
  }
}
