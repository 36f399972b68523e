import { join } from 'node:path'
import type { Place } from '../helpers/redis-place.js'
import { RedisCluster } from '../helpers/redis-cluster.js'
import { RedisSentinel } from '../helpers/redis-sentinel.js'
import type { RedisServer } from '../helpers/redis-server.js'
import { ROOT } from '../helpers/root.js'
import type { Backing } from './backing.js'
import { TestNetwork } from './network.js'

const OWN_ADDRESS = join(ROOT, 'test/faults/own-address.js')

/** How long a master may be silent, where replicas may take its place. */
const SILENCE_MS = 2000
/** The same of a Cluster, whose masters are also down for each other when they are silent for so long. */
const CLUSTER_SILENCE_MS = 4000
/** Where they may not: the gates and all clients are in one busy process, and no run takes as long. */
const NEVER_MS = 24 * 3600 * 1000

const nodeAddress = (node: number): string => `127.0.9.${10 + node}`
const serverAddress = (index: number): string => `127.0.9.${20 + index}`
const sentinelAddress = (index: number): string => `127.0.9.${40 + index}`

export const isNode = (address: string): boolean => /^127\.0\.9\.1\d$/.test(address)

/** A master and its replicas, with the shards that it holds. */
export interface Group {
  readonly master: RedisServer
  readonly replicas: readonly RedisServer[]
  readonly shards: readonly number[]
}

/** Redis with replicas that take over, and the network between all processes. */
export interface Replicated extends Backing {
  readonly network: TestNetwork
  addressOf (server: RedisServer): string
  /** The master of a shard, and what belongs to it. */
  groupOf (shard: number, shards: number): Promise<Group>
  /**
   * Sets whether replicas take the place of their master when it is silent. In a run they do so only when
   * they are let.
   */
  letTakeOver (group: Group, lets: boolean): Promise<void>
  /** Resolves when another has taken the place of a master. */
  promoted (group: Group): Promise<RedisServer>
  /** Promotes a replica without a fault. */
  promote (group: Group): Promise<void>
  /** Starts a server that was ended, as a replica of the one that took its place. */
  rejoin (server: RedisServer): Promise<void>
  /** Resolves when all are up, agree, and follow their masters. */
  settled (): Promise<void>
}

const envOf = (node: number, url: string): Record<string, string> => ({ REDIS_URL: url, NODE_OPTIONS: `--import ${OWN_ADDRESS}`, OWN_ADDRESS: nodeAddress(node) })

/** A server that connects from an address of its own, and is known to the others by a gate. */
async function place (network: TestNetwork, address: string, port: number): Promise<Place> {
  return { port: await network.gate(address, port), settings: { 'bind-source-addr': address } }
}

export class SentinelBacking implements Replicated {
  readonly kind = 'sentinel'

  private constructor (private readonly group: RedisSentinel, readonly network: TestNetwork) {}

  static async start (): Promise<SentinelBacking> {
    const network = new TestNetwork()
    const group = await RedisSentinel.start(
      async (index, port) => await place(network, serverAddress(index), port),
      async (index, port) => await place(network, sentinelAddress(index), port),
      NEVER_MS
    )
    return new SentinelBacking(group, network)
  }

  env (node: number): Record<string, string> {
    return envOf(node, this.group.url)
  }

  addressOf (server: RedisServer): string {
    return serverAddress(this.group.servers.indexOf(server))
  }

  async holders (shards: number): Promise<RedisServer[]> {
    return new Array<RedisServer>(shards).fill(await this.group.master())
  }

  async groupOf (_shard: number, shards: number): Promise<Group> {
    const master = await this.group.master()
    return {
      master,
      replicas: this.group.servers.filter(server => server !== master),
      shards: Array.from({ length: shards }, (_, shard) => shard)
    }
  }

  async letTakeOver (_group: Group, lets: boolean): Promise<void> {
    await this.group.setDownAfter(lets ? SILENCE_MS : NEVER_MS)
  }

  async promoted ({ master }: Group): Promise<RedisServer> {
    return await this.group.failedOver(master)
  }

  async promote (): Promise<void> {
    await this.group.failOver()
  }

  /** By itself it would begin as a master, and be made a replica after some ten seconds. */
  async rejoin (server: RedisServer): Promise<void> {
    await server.start(['--replicaof', `127.0.0.1 ${this.group.portOf(await this.group.master())}`])
  }

  async settled (): Promise<void> {
    await this.group.settled()
  }

  async close (): Promise<void> {
    this.network.close()
    await this.group.close()
  }
}

export class ClusterBacking implements Replicated {
  readonly kind = 'cluster'

  private constructor (readonly cluster: RedisCluster, readonly network: TestNetwork) {}

  static async start (): Promise<ClusterBacking> {
    const network = new TestNetwork()
    const cluster = await RedisCluster.start(async (index, port, busPort) => {
      const { port: gate, settings } = await place(network, serverAddress(index), port)
      return { port: gate, settings: { ...settings, 'cluster-replica-no-failover': 'yes', 'cluster-announce-bus-port': String(await network.gate(serverAddress(index), busPort)) } }
    }, CLUSTER_SILENCE_MS)
    return new ClusterBacking(cluster, network)
  }

  env (node: number): Record<string, string> {
    return envOf(node, this.cluster.url)
  }

  addressOf (server: RedisServer): string {
    return serverAddress(this.cluster.nodes.findIndex(node => node.server === server))
  }

  async holders (shards: number): Promise<RedisServer[]> {
    return await Promise.all(Array.from({ length: shards }, async (_, shard) => (await this.cluster.holderOf(`{tw:${shard}}:meta`)).server))
  }

  async groupOf (shard: number, shards: number): Promise<Group> {
    const master = await this.cluster.holderOf(`{tw:${shard}}:meta`)
    const holders = await this.holders(shards)
    return {
      master: master.server,
      replicas: (await this.cluster.replicasOf(master)).map(({ server }) => server),
      shards: [...holders.keys()].filter(other => holders[other] === master.server)
    }
  }

  async letTakeOver ({ replicas }: Group, lets: boolean): Promise<void> {
    await Promise.all(replicas.map(server => server.ask(redis => redis.config('SET', 'cluster-replica-no-failover', lets ? 'no' : 'yes'))))
  }

  async promoted (group: Group): Promise<RedisServer> {
    return await this.cluster.failedOver(group.master, `{tw:${group.shards[0]!}}:meta`)
  }

  async promote ({ replicas }: Group): Promise<void> {
    await replicas[0]!.ask(redis => redis.call('CLUSTER', 'FAILOVER'))
  }

  async rejoin (server: RedisServer): Promise<void> {
    await server.start()
  }

  async settled (): Promise<void> {
    await this.cluster.settled()
  }

  async close (): Promise<void> {
    this.network.close()
    await this.cluster.close()
  }
}
