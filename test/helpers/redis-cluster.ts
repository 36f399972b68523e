import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { freePort } from './free-port.js'
import { asOptions, atItsPort } from './redis-place.js'
import { RedisServer } from './redis-server.js'

const MASTERS = 3
const SLOTS = 16_384
/** Generous: a node that has not joined by then never will. */
const JOIN_TIMEOUT_MS = 30_000
const LOOK_MS = 25
/** Of a slot that is moved. */
const KEYS_AT_A_TIME = 5
const MIGRATE_TIMEOUT_MS = 5000

const SETTINGS = [
  '--cluster-enabled', 'yes',
  // A shard whose master is away does not take the others along.
  '--cluster-require-full-coverage', 'no',
  '--cluster-replica-validity-factor', '0',
  '--cluster-allow-replica-migration', 'no',
  '--repl-diskless-sync-delay', '0'
]

export interface ClusterNode {
  readonly server: RedisServer
  readonly id: string
  /** By which the others know it. */
  readonly port: number
  readonly busPort: number
}

/**
 * A Redis Cluster for one test: three masters with a replica each. Node k + 3 begins as the replica of node
 * k.
 */
export class RedisCluster {
  private constructor (readonly nodes: readonly ClusterNode[]) {}

  /** @param nodeTimeoutMs a master that is silent for so long is given up, and a replica takes over */
  static async start (placing = atItsPort, nodeTimeoutMs = 1500): Promise<RedisCluster> {
    const indexes = Array.from({ length: 2 * MASTERS }, (_, index) => index)
    const nodes = await Promise.all(indexes.map(async (index): Promise<ClusterNode> => {
      const [port, busPort] = [await freePort(), await freePort()]
      const place = await placing(index, port, busPort)
      const settings = { 'cluster-announce-ip': '127.0.0.1', 'cluster-announce-port': String(place.port), 'cluster-announce-bus-port': String(busPort), ...place.settings }
      const server = await RedisServer.start([...SETTINGS, '--cluster-node-timeout', String(nodeTimeoutMs), '--cluster-port', String(busPort), ...asOptions(settings)], port)
      return { server, id: await server.ask(redis => redis.call('CLUSTER', 'MYID')) as string, port: place.port, busPort: Number(settings['cluster-announce-bus-port']) }
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
    return `redis+cluster://${this.nodes.slice(0, 2).map(({ port }) => `127.0.0.1:${port}`).join(',')}`
  }

  /** Those that hold slots. */
  async masters (): Promise<ClusterNode[]> {
    const table = await this.table()
    return this.nodes.filter(({ id }) => table.some(line => line.id === id && line.flags.includes('master') && line.slots))
  }

  async replicasOf ({ id }: ClusterNode): Promise<ClusterNode[]> {
    const lines = await this.table()
    return this.nodes.filter(node => node.server.isRunning && lines.some(line => line.id === node.id && line.master === id && !line.flags.includes('fail')))
  }

  /** Who holds the slot of a key; while a slot goes from one to another, a node may know of none. */
  async holderOf (key: string): Promise<ClusterNode> {
    let holder: ClusterNode | undefined
    await this.until(`somebody holds the slot of ${key}`, async () => {
      holder = await this.ask(async redis => {
        const slot = await redis.call('CLUSTER', 'KEYSLOT', key) as number
        const ranges = await redis.call('CLUSTER', 'SLOTS') as Array<[from: number, to: number, master: [host: string, port: number, id: string]]>
        const id = ranges.find(([from, to]) => from <= slot && slot <= to)?.[2][2]
        return this.nodes.find(node => node.id === id)
      })
      return holder !== undefined
    })
    return holder!
  }

  /** Resolves when another than a master holds the slot of a key. */
  async failedOver (from: RedisServer, key: string): Promise<RedisServer> {
    let holder = from
    // Asked once more, another node may answer, which has not heard of it yet.
    await this.until('a replica is the master', async () => (holder = (await this.holderOf(key)).server) !== from)
    return holder
  }

  /** Moves the slot of a key to another master, a few keys at a time. @param pause between them */
  async moveSlot (key: string, to: ClusterNode, pause: () => Promise<unknown>): Promise<void> {
    const from = await this.holderOf(key)
    const slot = await from.server.ask(redis => redis.call('CLUSTER', 'KEYSLOT', key)) as number
    await to.server.ask(redis => redis.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id))
    await from.server.ask(async redis => {
      await redis.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.id)
      for (;;) {
        const keys = await redis.call('CLUSTER', 'GETKEYSINSLOT', slot, KEYS_AT_A_TIME) as string[]
        if (keys.length === 0) break
        await redis.call('MIGRATE', '127.0.0.1', to.port, '', 0, MIGRATE_TIMEOUT_MS, 'KEYS', ...keys)
        await pause()
      }
    })
    for (const { server } of [to, from, ...this.nodes.filter(node => node !== to && node !== from)]) {
      await server.ask(redis => redis.call('CLUSTER', 'SETSLOT', slot, 'NODE', to.id)).catch((error: unknown) => {
        if (!/can only be used with masters|only with masters/i.test(String(error))) throw error
      })
    }
  }

  /** Every node agrees on the masters, and each has a replica that follows it. */
  async settled (): Promise<void> {
    await this.until('every node agrees, and every master has its replica', async () => {
      const running = this.nodes.filter(({ server }) => server.isRunning)
      const tables = await Promise.all(running.map(async ({ server }) => (await server.ask(redis => redis.call('CLUSTER', 'NODES')) as string)
        .split('\n').filter(line => line !== '').map(line => line.split(' ')).map(([id, , flags, master]) => `${id} ${flags!.replace('myself,', '')} ${master}`).sort().join('\n')))
      if (new Set(tables).size !== 1 || /\bfail\b|handshake/.test(tables[0]!)) return false
      const states = await Promise.all(running.map(({ server }) => server.ask(async redis => `${await redis.call('CLUSTER', 'INFO') as string}${await redis.info('replication')}`)))
      return states.every(state => state.includes('cluster_state:ok') && (/role:master/.test(state) ? /connected_slaves:[1-9]/.test(state) : /master_link_status:up/.test(state)))
    })
  }

  async close (): Promise<void> {
    await Promise.all(this.nodes.map(({ server }) => server.close()))
  }

  /** Asks a node that knows of the last failover: one that is cut off from the others does not. */
  private async ask<Answer> (question: (redis: Redis) => Promise<Answer>): Promise<Answer> {
    const running = this.nodes.filter(({ server }) => server.isRunning)
    const epochs = await Promise.all(running.map(async ({ server }) => Number(/cluster_current_epoch:(\d+)/.exec(await server.ask(redis => redis.call('CLUSTER', 'INFO')) as string)?.[1])))
    return await running[epochs.indexOf(Math.max(...epochs))]!.server.ask(question)
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
      for (const { port, busPort } of this.nodes.slice(1)) await redis.call('CLUSTER', 'MEET', '127.0.0.1', port, busPort)
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
