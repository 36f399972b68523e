import type { Redis } from 'ioredis'
import { AtServer } from '../setup-error.js'
import { timeLimit } from '../time-limit.js'
import { type ClusterAddress, type Endpoint, shownEndpoint } from './address.js'
import { firstConnection, type Open } from './connection.js'
import type { Topology } from './topology.js'

/** How often a node is asked which node holds which slots, and how soon again if something is wrong. */
const LOOK_MS = 1000
const LOOK_AGAIN_MS = 50
const ANSWER_TIMEOUT_MS = 1000
const SLOTS = 16_384

/** The answer of `CLUSTER SLOTS`: the first node of a range is its master. */
type Node = [host: string | null, port: number, id: string, ...rest: unknown[]]
type Range = [from: number, to: number, ...nodes: Node[]]

/**
 * The masters of a Redis Cluster. It asks one node for as long as that node answers and sees the Cluster
 * whole: if it asked two nodes that see the Cluster differently, it would switch back and forth. If a master
 * says where a slot has moved, it believes that master and asks it from then on.
 */
export class ClusterTopology implements Topology {
  readonly sharded = true
  readonly fixed = false
  private readonly slots = new Array<Endpoint | undefined>(SLOTS).fill(undefined)
  private readonly listeners: Array<() => void> = []
  /** Nodes that may be asked, by name: those of the address, and those that the Cluster has. */
  private nodes: Map<string, Endpoint>
  private asked: { readonly endpoint: Endpoint, readonly redis: Redis } | undefined
  /** The node to ask next, before all others. */
  private next: Endpoint | undefined
  private looking = false
  private timer: NodeJS.Timeout | undefined
  private isSoon = false
  private closed = false

  /** @param open makes a connection that is not connected yet */
  constructor (private readonly address: ClusterAddress, private readonly open: Open) {
    this.nodes = this.seeds()
  }

  async start (): Promise<void> {
    let failure: unknown
    for (const endpoint of [...this.nodes.values()]) {
      try {
        await this.ask(endpoint)
        const missing = this.slots.findIndex(master => master === undefined)
        if (missing >= 0) {
          throw new Error(
            `the Redis Cluster is not whole: nobody holds slot ${missing}; ` +
            'see to its nodes with redis-cli --cluster check'
          )
        }
        this.plan()
        return
      } catch (error) {
        failure ??= new AtServer(`its node ${shownEndpoint(endpoint)}`, error)
      }
    }
    throw failure
  }

  masterOf (slot: number): Endpoint | undefined {
    return this.slots[slot]
  }

  masters (): readonly Endpoint[] {
    const all = new Set(this.slots)
    all.delete(undefined)
    return [...all] as Endpoint[]
  }

  moved (slot: number, to: Endpoint): void {
    const name = shownEndpoint(to)
    const endpoint = this.nodes.get(name) ?? to
    this.nodes.set(name, endpoint)
    if (this.slots[slot] !== endpoint) {
      this.slots[slot] = endpoint
      this.changed()
    }
    // The new master knows of the move first.
    this.next = endpoint
    this.refresh()
  }

  refresh (): void {
    if (this.isSoon || this.closed) return
    this.isSoon = true
    this.plan()
  }

  onChange (listener: () => void): void {
    this.listeners.push(listener)
  }

  close (): void {
    this.closed = true
    clearTimeout(this.timer)
    this.asked?.redis.disconnect()
  }

  private plan (): void {
    if (this.looking || this.closed) return
    clearTimeout(this.timer)
    this.timer = setTimeout(() => { void this.look() }, this.isSoon ? LOOK_AGAIN_MS : LOOK_MS).unref()
  }

  /** Asks the same node as before. If that fails, it asks the others in turn. */
  private async look (): Promise<void> {
    this.looking = true
    this.isSoon = false
    const first = this.next ?? this.asked?.endpoint
    this.next = undefined
    const order = new Set([...first === undefined ? [] : [first], ...this.nodes.values()])
    for (const endpoint of order) {
      if (this.closed) return
      const found = await this.ask(endpoint).then(() => true, () => false)
      if (found) break
    }
    this.looking = false
    this.plan()
  }

  private turnTo (endpoint: Endpoint): Redis {
    if (this.asked?.endpoint === endpoint) return this.asked.redis
    this.asked?.redis.disconnect()
    const redis = this.open(endpoint)
    redis.connect().catch(() => {})
    this.asked = { endpoint, redis }
    return redis
  }

  /**
   * Asks a node and takes its answer.
   * @throws if the node does not answer, or does not see the Cluster whole
   */
  private async ask (endpoint: Endpoint): Promise<void> {
    const redis = this.turnTo(endpoint)
    await timeLimit(firstConnection(redis), ANSWER_TIMEOUT_MS)
    const questions = Promise.all([
      redis.call('CLUSTER', 'INFO') as Promise<string>,
      redis.call('CLUSTER', 'SLOTS') as Promise<Range[]>
    ])
    const [state, ranges] = await timeLimit(questions, ANSWER_TIMEOUT_MS).catch((error: unknown) => {
      if (!/cluster support disabled/.test(String(error))) throw error
      throw new Error('it is no node of a Redis Cluster; begin the address with redis://')
    })
    if (this.closed) return
    if (/cluster_state:fail/.test(state)) throw new Error('CLUSTERDOWN')
    this.take(ranges, endpoint)
  }

  private take (ranges: readonly Range[], from: Endpoint): void {
    const nodes = this.seeds()
    let changes = false
    for (const [first, last, ...members] of ranges) {
      const [master] = members.map(([host, port]) => {
        const endpoint = { host: host === null || host === '' || host === '?' ? from.host : host, port }
        const name = shownEndpoint(endpoint)
        const known = nodes.get(name) ?? this.nodes.get(name) ?? endpoint
        nodes.set(name, known)
        return known
      })
      for (let slot = first; slot <= last; slot++) {
        if (this.slots[slot] === master) continue
        this.slots[slot] = master
        changes = true
      }
    }
    this.nodes = nodes
    if (changes) this.changed()
  }

  private seeds (): Map<string, Endpoint> {
    return new Map(this.address.nodes.map(node => [shownEndpoint(node), node]))
  }

  private changed (): void {
    for (const listener of this.listeners) listener()
  }
}
