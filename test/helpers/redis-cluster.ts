import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { freePort } from './free-port.js'
import { RedisServer } from './redis-server.js'

const MASTERS = 3
const SLOTS = 16_384
/** Generous: a node that has not joined by then never will. */
const JOIN_TIMEOUT_MS = 60_000
const LOOK_MS = 25

const SETTINGS = [
  '--cluster-enabled', 'yes',
  // A master that is silent for so long is given up, and a replica takes over.
  '--cluster-node-timeout', '1500',
  // A shard whose master is away does not take the others along.
  '--cluster-require-full-coverage', 'no',
  '--cluster-replica-validity-factor', '0',
  '--cluster-allow-replica-migration', 'no',
  '--repl-diskless-sync-delay', '0'
]

/** What a node says of itself and of its place. */
export interface ClusterNode {
  readonly server: RedisServer
  readonly id: string
}

/** Options of a node beside the common ones, by its place: where it announces itself. */
export type NodeSettings = (index: number, port: number, busPort: number) => readonly string[] | Promise<readonly string[]>

/** A Redis Cluster of a test's own: three masters with a replica each; node k + 3 begins as the replica of node k. */
export class RedisCluster {
  private constructor (readonly nodes: readonly ClusterNode[]) {}

  static async start (settings: NodeSettings = () => []): Promise<RedisCluster> {
    const nodes = await Promise.all(Array.from({ length: 2 * MASTERS }, async (_, index): Promise<ClusterNode> => {
      const [port, busPort] = [await freePort(), await freePort()]
      const server = await RedisServer.start([...SETTINGS, '--cluster-port', String(busPort), ...await settings(index, port, busPort)], port)
      return { server, id: await server.ask(redis => redis.call('CLUSTER', 'MYID')) as string }
    }))
    const cluster = new RedisCluster(nodes)
    try {
      await cluster.join()
    } catch (error) {
      await cluster.close()
      throw error
    }
    return cluster
  }

  /** Names two of its nodes. */
  get url (): string {
    return `redis+cluster://${this.nodes.slice(0, 2).map(({ server }) => `127.0.0.1:${server.port}`).join(',')}`
  }

  /** The masters that slots belong to now, as a node that runs sees it. */
  async masters (): Promise<ClusterNode[]> {
    const lines = await this.table()
    return this.nodes.filter(({ id, server }) => server.isRunning && lines.some(({ id: other, flags, slots }) => other === id && flags.includes('master') && !flags.includes('fail') && slots))
  }

  async replicasOf ({ id }: ClusterNode): Promise<ClusterNode[]> {
    const lines = await this.table()
    return this.nodes.filter(node => node.server.isRunning && lines.some(line => line.id === node.id && line.master === id && !line.flags.includes('fail')))
  }

  /** Who holds the slot of a key. */
  async holderOf (key: string): Promise<ClusterNode> {
    const slot = await this.ask(redis => redis.call('CLUSTER', 'KEYSLOT', key)) as number
    return await this.holderOfSlot(slot)
  }

  async holderOfSlot (slot: number): Promise<ClusterNode> {
    const ranges = await this.ask(redis => redis.call('CLUSTER', 'SLOTS')) as Array<[from: number, to: number, master: [host: string, port: number, id: string]]>
    const [, , [, , id]] = ranges.find(([from, to]) => from <= slot && slot <= to)!
    return this.nodes.find(node => node.id === id)!
  }

  /** Every node agrees on the masters, and each has a replica that follows it. */
  async settled (): Promise<void> {
    await this.until('every node agrees, and every master has its replica', async () => {
      const running = this.nodes.filter(({ server }) => server.isRunning)
      const tables = await Promise.all(running.map(async ({ server }) => (await server.ask(redis => redis.call('CLUSTER', 'NODES')) as string)
        .split('\n').filter(line => line !== '').map(line => line.split(' ')).map(([id, , flags, master]) => `${id} ${flags!.replace('myself,', '')} ${master}`).sort().join('\n')))
      if (new Set(tables).size !== 1 || /fail|handshake/.test(tables[0]!)) return false
      const states = await Promise.all(running.map(({ server }) => server.ask(async redis => `${await redis.call('CLUSTER', 'INFO') as string}${await redis.info('replication')}`)))
      return states.every(state => state.includes('cluster_state:ok') && (/role:master/.test(state) ? /connected_slaves:[1-9]/.test(state) : /master_link_status:up/.test(state)))
    })
  }

  async close (): Promise<void> {
    await Promise.all(this.nodes.map(({ server }) => server.close()))
  }

  /** Asks any node that runs. */
  private async ask<Answer> (question: (redis: Redis) => Promise<Answer>): Promise<Answer> {
    return await this.nodes.find(({ server }) => server.isRunning)!.server.ask(question)
  }

  private async table (): Promise<Array<{ id: string, flags: string[], master: string, slots: boolean }>> {
    const text = await this.ask(redis => redis.call('CLUSTER', 'NODES')) as string
    return text.split('\n').filter(line => line !== '').map(line => {
      const [id, , flags, master, , , , , ...slots] = line.split(' ')
      return { id: id!, flags: flags!.split(','), master: master!, slots: slots.length > 0 }
    })
  }

  private async join (): Promise<void> {
    const [first] = this.nodes
    await Promise.all(this.nodes.map(({ server }, index) => server.ask(async redis => {
      await redis.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1)
      if (index < MASTERS) await redis.call('CLUSTER', 'ADDSLOTSRANGE', Math.ceil(SLOTS * index / MASTERS), Math.ceil(SLOTS * (index + 1) / MASTERS) - 1)
    })))
    await first!.server.ask(async redis => {
      for (const { server } of this.nodes.slice(1)) await redis.call('CLUSTER', 'MEET', '127.0.0.1', ...await announced(server))
    })
    await this.until('every node knows the others', async () => (await Promise.all(this.nodes.map(({ server }) => server.ask(redis => redis.call('CLUSTER', 'NODES')) as Promise<string>)))
      .every(text => text.trim().split('\n').length === this.nodes.length && !text.includes('handshake')))
    await Promise.all(this.nodes.slice(MASTERS).map(({ server }, index) => server.ask(redis => redis.call('CLUSTER', 'REPLICATE', this.nodes[index]!.id))))
    await this.settled()
  }

  private async until (what: string, holds: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + JOIN_TIMEOUT_MS
    while (!await holds()) {
      if (Date.now() > deadline) throw new Error(`not in ${JOIN_TIMEOUT_MS} ms: ${what}`)
      await delay(LOOK_MS)
    }
  }
}

/** The ports by which the others know a node. */
async function announced (server: RedisServer): Promise<[port: string, busPort: string]> {
  return await server.ask(async redis => {
    const [port, bus, ownBus] = await Promise.all(['cluster-announce-port', 'cluster-announce-bus-port', 'cluster-port'].map(async name => (await redis.config('GET', name) as string[])[1]!))
    return [port === '0' ? String(server.port) : port!, bus === '0' ? ownBus! : bus!]
  })
}
