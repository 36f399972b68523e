import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { MANY_CLIENTS, NodeProcess } from '../fleet/node-process.js'
import { runToken } from '../fleet/publish.js'
import { Choices } from '../helpers/random.js'
import type { RedisServer } from '../helpers/redis-server.js'
import { ROOT } from '../helpers/root.js'
import { askHolders, type Backing, type Kind } from './backing.js'
import { FaultFleet } from './fleet.js'
import type { Loss } from './loss.js'
import { Publisher } from './publisher.js'
import { ClusterBacking, type Replicated, SentinelBacking } from './replicated.js'
import { Standalone } from './standalone.js'
import { readLog, readShards, type StoredLog } from './stored-log.js'
import { makeTopics } from './topics.js'

const HEARTBEAT_MS = 1500
/** A server with the two processors whose outputs are judged. */
const PROGRAM = join(ROOT, 'dist/test/processors/node.js')

export interface WorldOptions {
  readonly kind: Kind
  readonly seed: number
  readonly shards: number
  readonly clients: number
  readonly topics: number
  /** Messages a second. */
  readonly rate: number
  /** Whether what is stopped is stopped for ten seconds, longer than clients are patient. */
  readonly long: boolean
}

/** Two nodes, each with its own way to what the log is on, a publisher, and clients. */
export class World {
  readonly losses: Loss[] = []
  readonly violations: string[] = []
  /** By shard, who holds it as far as the run has had it changed. */
  private holders: RedisServer[] = []
  readonly publisher: Publisher
  readonly fleet: FaultFleet
  readonly random: Choices

  private constructor (
    readonly options: WorldOptions,
    readonly backing: Backing,
    readonly nodes: readonly [NodeProcess, NodeProcess]
  ) {
    const { seed, clients, rate } = options
    const topics = makeTopics(options.topics)
    const origins = nodes.map(({ origin }) => origin)
    this.random = new Choices(seed)
    this.publisher = new Publisher(origins, runToken({ sub: 'publisher', publish: ['*'] }), topics, rate, new Choices(seed + 1))
    this.fleet = new FaultFleet({ clients, topics, origins, heartbeatMs: HEARTBEAT_MS, seed })
  }

  static async start (options: WorldOptions): Promise<World> {
    const backing = await start[options.kind]()
    const nodes = await Promise.all([0, 1].map(async index => await NodeProcess.create(`node ${index + 1}`, {
      ...MANY_CLIENTS,
      ...backing.env(index),
      LOG_SHARDS: String(options.shards),
      HEARTBEAT_MS: String(HEARTBEAT_MS)
    }, [PROGRAM])))
    const world = new World(options, backing, nodes as [NodeProcess, NodeProcess])
    try {
      await Promise.all(nodes.map(node => node.start()))
      await world.fleet.open()
      // From then on no client ever begins anew.
      await world.fleet.settled()
    } catch (error) {
      await world.close()
      throw error
    }
    world.holders = await backing.holders(options.shards)
    world.publisher.start()
    return world
  }

  /** Its Redis, where that is the only one. */
  get standalone (): Standalone {
    return this.backing as Standalone
  }

  /** What the log is on, where it has replicas. */
  get replicated (): Replicated {
    return this.backing as Replicated
  }

  /** Some shards have another holder from now on. */
  moved (shards: readonly number[], to: RedisServer): void {
    for (const shard of shards) this.holders[shard] = to
  }

  /**
   * Fails the run if a master was replaced although no fault touched it: the machine was too slow for it, and
   * nobody noted what was lost.
   */
  async checkHolders (): Promise<void> {
    const holders = await this.backing.holders(this.options.shards)
    const other = holders.findIndex((holder, shard) => holder !== this.holders[shard])
    if (other < 0 || this.backing.kind === 'standalone') return
    this.violations.push(`shard ${other} has another master than the run has given it: replicas took over by themselves`)
  }

  private get allShards (): readonly number[] {
    return Array.from({ length: this.options.shards }, (_, shard) => shard)
  }

  /** From which a node connects. */
  nodeAddress (node: number): string {
    return this.backing.env(node)['OWN_ADDRESS']!
  }

  /** Asks one Redis itself, past the links: the first shard's. */
  async ask<Answer> (question: (redis: Redis) => Promise<Answer>): Promise<Answer> {
    return await (await this.backing.holders(1))[0]!.ask(question)
  }

  async epochs (): Promise<Array<ReadonlySet<number>>> {
    const { backing, options: { shards } } = this
    const stored = await askHolders(backing, shards, of => readShards(of, shards))
    return stored.map(({ epochs }) => new Set(epochs.map(({ epoch }) => epoch)))
  }

  async readLog (): Promise<StoredLog> {
    return await askHolders(this.backing, this.options.shards, of => readLog(of, this.options.shards))
  }

  /**
   * Notes what a Redis has left, while no node can append to it.
   * @param epochsBefore of {@link epochs}, before anything was lost
   */
  async noteLoss (
    name: string, beganAt: number, epochsBefore: Loss['epochsBefore'], shards: readonly number[] = this.allShards
  ): Promise<void> {
    const kept = await this.readLog()
    this.losses.push({ name, beganAt, endedAt: Date.now(), kept, epochsBefore, shards: new Set(shards) })
  }

  async close (): Promise<void> {
    this.publisher.abandon()
    this.fleet.close()
    for (const node of this.nodes) await node.close()
    await this.backing.close()
  }
}

const start: Readonly<Record<Kind, () => Promise<Backing>>> = {
  standalone: () => Standalone.start(),
  sentinel: () => SentinelBacking.start(),
  cluster: () => ClusterBacking.start()
}
