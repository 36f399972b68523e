import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { freePort } from './free-port.js'
import { RedisProcess } from './redis-process.js'
import { RedisServer } from './redis-server.js'

const MASTER_NAME = 'prices'

const SENTINELS = 3
const REPLICAS = 2
const QUORUM = 2
/** Generous: what is not up by then never will be. */
const UP_TIMEOUT_MS = 60_000
const LOOK_MS = 25
/** How long a master may be silent until it is taken to be down. */
const DOWN_AFTER_MS = 1000

/** A Sentinel of a test's own. */
class SentinelServer {
  private readonly process = new RedisProcess()

  private constructor (readonly port: number) {}

  /** @param settings lines of its configuration */
  static async start (settings: readonly string[]): Promise<SentinelServer> {
    const sentinel = new SentinelServer(await freePort())
    const file = join(sentinel.process.folder, 'sentinel.conf')
    writeFileSync(file, [`port ${sentinel.port}`, 'bind 127.0.0.1', `dir ${sentinel.process.folder}`, ...settings, ''].join('\n'))
    sentinel.process.start([file, '--sentinel'])
    const client = new Redis(sentinel.port, '127.0.0.1', { retryStrategy: () => 10, maxRetriesPerRequest: null })
    client.on('error', () => {})
    await client.ping()
    client.disconnect()
    return sentinel
  }

  /** Asks it by a connection of its own. */
  async ask<Answer> (question: (redis: Redis) => Promise<Answer>): Promise<Answer> {
    const client = new Redis(this.port, '127.0.0.1')
    client.on('error', () => {})
    try {
      return await question(client)
    } finally {
      client.disconnect()
    }
  }

  async close (): Promise<void> {
    await this.process.close()
  }
}

/** Options of a server beside the common ones, by its place: where it announces itself. */
export type ServerSettings = (index: number, port: number) => readonly string[] | Promise<readonly string[]>

/** A master with two replicas and three Sentinels that watch it, of a test's own. */
export class RedisSentinel {
  private constructor (readonly servers: readonly RedisServer[], readonly sentinels: readonly SentinelServer[], private readonly portOf: (server: RedisServer) => number) {}

  /** @param portOf by which port a server is known to the others */
  static async start (settings: ServerSettings = () => [], portOf: (server: RedisServer) => number = ({ port }) => port): Promise<RedisSentinel> {
    const servers = await Promise.all(Array.from({ length: 1 + REPLICAS }, async (_, index) => {
      const port = await freePort()
      return await RedisServer.start(['--repl-diskless-sync-delay', '0', ...await settings(index, port)], port)
    }))
    const [master, ...replicas] = servers
    await Promise.all(replicas.map(replica => replica.ask(redis => redis.replicaof('127.0.0.1', portOf(master!)))))
    await until('the replicas follow', async () => (await master!.ask(redis => redis.info('replication'))).match(/state=online/g)?.length === REPLICAS)
    const sentinels = await Promise.all(Array.from({ length: SENTINELS }, () => SentinelServer.start([
      `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${portOf(master!)} ${QUORUM}`,
      `sentinel down-after-milliseconds ${MASTER_NAME} ${DOWN_AFTER_MS}`,
      `sentinel failover-timeout ${MASTER_NAME} 5000`
    ])))
    const sentinel = new RedisSentinel(servers, sentinels, portOf)
    try {
      await sentinel.settled()
    } catch (error) {
      await sentinel.close()
      throw error
    }
    return sentinel
  }

  /** Names two of its Sentinels. */
  get url (): string {
    return `redis+sentinel://${this.sentinels.slice(0, 2).map(({ port }) => `127.0.0.1:${port}`).join(',')}/${MASTER_NAME}`
  }

  /** The server that a Sentinel says is the master. */
  async master (sentinel = this.sentinels[0]!): Promise<RedisServer> {
    const [, port] = await sentinel.ask(redis => redis.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER_NAME)) as [string, string]
    return this.servers.find(server => this.portOf(server) === Number(port))!
  }

  /** All Sentinels know each other, the master, and both replicas, which follow it. */
  async settled (): Promise<void> {
    await until('the Sentinels know the master, its replicas and each other', async () => {
      const said = await Promise.all(this.sentinels.map(sentinel => sentinel.ask(redis => redis.call('SENTINEL', 'MASTER', MASTER_NAME)) as Promise<string[]>))
      const field = (fields: readonly string[], name: string): string => fields[fields.indexOf(name) + 1]!
      if (!said.every(fields => field(fields, 'flags') === 'master' && field(fields, 'num-slaves') === String(REPLICAS) && field(fields, 'num-other-sentinels') === String(SENTINELS - 1))) return false
      if (new Set(said.map(fields => field(fields, 'port'))).size !== 1) return false
      const info = await (await this.master()).ask(redis => redis.info('replication'))
      return info.includes('role:master') && info.match(/state=online/g)?.length === REPLICAS
    })
  }

  /** Waits until all Sentinels have another master than before. */
  async failedOver (from: RedisServer): Promise<RedisServer> {
    await until('a replica is the master', async () => (await Promise.all(this.sentinels.map(sentinel => this.master(sentinel)))).every(server => server !== from))
    return await this.master()
  }

  async close (): Promise<void> {
    await Promise.all([...this.sentinels, ...this.servers].map(server => server.close()))
  }
}

async function until (what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + UP_TIMEOUT_MS
  while (!await holds()) {
    if (Date.now() > deadline) throw new Error(`not in ${UP_TIMEOUT_MS} ms: ${what}`)
    await delay(LOOK_MS)
  }
}
