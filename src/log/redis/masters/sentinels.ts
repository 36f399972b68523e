import type { Redis } from 'ioredis'
import { AtServer } from '../setup-error.js'
import { timeLimit } from '../time-limit.js'
import { type Endpoint, type SentinelAddress, shownEndpoint } from './address.js'
import { firstConnection, type Open } from './connection.js'
import type { Topology } from './topology.js'

/**
 * How often each Sentinel is asked, beside what it says unasked, and how soon again if something is wrong.
 */
const LOOK_MS = 1000
const LOOK_AGAIN_MS = 100
const ANSWER_TIMEOUT_MS = 1000
/** Most Sentinels that are asked: those of the address, and those that they name. */
const MOST_SENTINELS = 16

/** The master that a Sentinel names. */
interface Belief {
  readonly master: Endpoint
  /** Of the failover that made it the master; a higher one is newer. */
  readonly epoch: number
}

/**
 * The master that Sentinels watch. It listens to all of them. The Sentinel that led a failover knows of it
 * first; a client that asked another would go on writing to the old master, which does not know yet that it
 * is none.
 */
export class SentinelTopology implements Topology {
  readonly sharded = false
  readonly fixed = false
  private readonly sentinels = new Map<string, Redis>()
  private readonly beliefs = new Map<string, Belief>()
  private readonly listeners: Array<() => void> = []
  private known: Belief | undefined
  private timer: NodeJS.Timeout | undefined
  private soon: NodeJS.Timeout | undefined
  private closed = false

  /** @param open makes a connection to a Sentinel that is not connected yet */
  constructor (private readonly address: SentinelAddress, private readonly open: Open) {}

  async start (): Promise<void> {
    const { sentinels } = this.address
    const failures: unknown[] = []
    await new Promise<void>(resolve => {
      let left = sentinels.length
      for (const [index, endpoint] of sentinels.entries()) {
        this.meet(endpoint).then(resolve, (error: unknown) => {
          failures[index] = error
          if (--left === 0) resolve()
        })
      }
    })
    // Of the first Sentinel in the address, so that the same fault has the same words whichever fails first.
    if (this.known === undefined) throw failures[0]
    this.timer = setInterval(() => { this.lookAtAll() }, LOOK_MS).unref()
  }

  masterOf (): Endpoint | undefined {
    return this.known?.master
  }

  masters (): readonly Endpoint[] {
    return this.known === undefined ? [] : [this.known.master]
  }

  moved (): void {}

  refresh (): void {
    if (this.closed) return
    this.soon ??= setTimeout(() => {
      this.soon = undefined
      this.lookAtAll()
    }, LOOK_AGAIN_MS).unref()
  }

  onChange (listener: () => void): void {
    this.listeners.push(listener)
  }

  close (): void {
    this.closed = true
    clearInterval(this.timer)
    clearTimeout(this.soon)
    for (const redis of this.sentinels.values()) redis.disconnect()
  }

  /** Connects to a Sentinel, and asks it. @throws AtServer */
  private async meet (endpoint: Endpoint): Promise<void> {
    const name = shownEndpoint(endpoint)
    if (this.closed || this.sentinels.has(name)) return
    const redis = this.open(endpoint)
    this.sentinels.set(name, redis)
    redis.on('ready', () => {
      redis.subscribe('+switch-master').catch(() => {})
      void this.look(name, redis).catch(() => {})
    })
    redis.on('message', () => { void this.look(name, redis).catch(() => {}) })
    redis.connect().catch(() => {})
    try {
      await firstConnection(redis)
      await this.look(name, redis)
    } catch (error) {
      throw error instanceof AtServer ? error : new AtServer(`its Sentinel ${name}`, error)
    }
  }

  private lookAtAll (): void {
    for (const [name, redis] of this.sentinels) {
      if (redis.status === 'ready') void this.look(name, redis).catch(() => {})
    }
  }

  private async look (name: string, redis: Redis): Promise<void> {
    const { master } = this.address
    let answer: Record<string, string>
    try {
      const question = redis.call('SENTINEL', 'MASTER', master) as Promise<string[]>
      answer = fieldsOf(await timeLimit(question, ANSWER_TIMEOUT_MS))
    } catch (error) {
      this.beliefs.delete(name)
      throw await this.explain(redis, error)
    }
    const endpoint = { host: answer['ip']!, port: Number(answer['port']) }
    this.believe(name, { master: endpoint, epoch: Number(answer['config-epoch']) })
    const question = redis.call('SENTINEL', 'SENTINELS', master) as Promise<string[][]>
    const others = await timeLimit(question, ANSWER_TIMEOUT_MS)
    for (const { ip, port } of others.map(fieldsOf)) {
      if (this.sentinels.size < MOST_SENTINELS) this.meet({ host: ip!, port: Number(port) }).catch(() => {})
    }
  }

  /** Turns an error of a Sentinel into one that says what to do. */
  private async explain (redis: Redis, error: unknown): Promise<unknown> {
    const text = String(error)
    if (/unknown command/i.test(text)) {
      return new Error(
        'what listens there is no Sentinel; give the addresses of Sentinels, or that of a Redis of its own ' +
        'with redis://'
      )
    }
    if (!/No such master/.test(text)) return error
    const question = redis.call('SENTINEL', 'MASTERS') as Promise<string[][]>
    const known = (await timeLimit(question, ANSWER_TIMEOUT_MS)).map(fieldsOf).map(({ name }) => name)
    const advice = known.length === 0 ? 'have it watch one' : `it knows ${known.slice(0, 5).join(', ')}`
    return new Error(`it watches no master of the name ${this.address.master}; ${advice}`)
  }

  private believe (name: string, belief: Belief): void {
    if (this.closed) return
    this.beliefs.set(name, belief)
    const before = this.known
    const all = [...this.beliefs.values()]
    // A Sentinel that leads a failover raises its epoch before it names the new master. So of the beliefs
    // with the newest epoch the one that most Sentinels share counts; between equals it stays with the known
    // master.
    const newest = Math.max(...all.map(({ epoch }) => epoch))
    const votes = new Map<string, number>()
    for (const { master, epoch } of all) {
      const shown = shownEndpoint(master)
      if (epoch === newest) votes.set(shown, (votes.get(shown) ?? 0) + 1)
    }
    const votesOf = (other: Belief | undefined): number =>
      other?.epoch === newest ? votes.get(shownEndpoint(other.master)) ?? 0 : 0
    for (const other of all) if (votesOf(other) > votesOf(this.known)) this.known = other
    if (before === undefined || shownEndpoint(before.master) === shownEndpoint(this.known!.master)) return
    for (const listener of this.listeners) listener()
  }
}

/** Reads a map as RESP 2 has it: names and values in turn. */
function fieldsOf (list: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = {}
  for (let i = 0; i < list.length; i += 2) fields[list[i]!] = list[i + 1]!
  return fields
}
