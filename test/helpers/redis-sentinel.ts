import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { freePort } from './free-port.js'
import { asOptions, atItsPort, type Placing } from './redis-place.js'
import { RedisProcess } from './redis-process.js'
import { RedisServer } from './redis-server.js'

const MASTER_NAME = 'prices'

const SENTINELS = 3
const REPLICAS = 2
const QUORUM = 2
/** Generous: what is not up by then never will be. */
const UP_TIMEOUT_MS = 60_000
const LOOK_MS = 25
/** How often Sentinels ask servers: by themselves they learn after ten seconds that a master was demoted. */
const PACE = ['INFO-PERIOD', 'PUBLISH-PERIOD', 'ASK-PERIOD'].flatMap(name => [name, '300'])

/** A Sentinel of a test's own. */
class SentinelServer {
  private readonly process = new RedisProcess()

  /** @param known by which port the others know it */
  private constructor (private readonly port: number, readonly known: number) {}

  /** @param settings lines of its configuration */
  static async start (index: number, placing: Placing, settings: readonly string[]): Promise<SentinelServer> {
    const port = await freePort()
    const place = await placing(index, port, 0)
    const sentinel = new SentinelServer(port, place.port)
    const { folder } = sentinel.process
    const file = join(folder, 'sentinel.conf')
    const own = Object.entries({ ...place.settings, 'sentinel announce-ip': '127.0.0.1', 'sentinel announce-port': String(place.port) }).map(line => line.join(' '))
    writeFileSync(file, [`port ${port}`, 'bind 127.0.0.1', `dir ${folder}`, ...own, ...settings, ''].join('\n'))
    sentinel.process.start([file, '--sentinel'])
    const client = new Redis(port, '127.0.0.1', { retryStrategy: () => 10, maxRetriesPerRequest: null })
    client.on('error', () => {})
    await client.ping()
    // Before Redis 7 it keeps its own pace: all the same, later.
    await client.call('SENTINEL', 'DEBUG', ...PACE).catch(() => {})
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

/** A master with two replicas and three Sentinels that watch it, of a test's own. */
export class RedisSentinel {
  /** @param ports by which the servers are known */
  private constructor (
    readonly servers: readonly RedisServer[],
    private readonly ports: readonly number[],
    private readonly sentinels: readonly SentinelServer[]
  ) {}

  /** @param downAfterMs how long a master may be silent until it is taken to be down */
  static async start (
    placing = atItsPort,
    sentinelPlacing = atItsPort,
    downAfterMs = 1000
  ): Promise<RedisSentinel> {
    const placed = await Promise.all(Array.from({ length: 1 + REPLICAS }, async (_, index) => {
      const port = await freePort()
      const place = await placing(index, port, 0)
      const settings = { 'repl-diskless-sync-delay': '0', 'replica-announce-ip': '127.0.0.1', 'replica-announce-port': String(place.port), ...place.settings }
      return { port: place.port, server: await RedisServer.start(asOptions(settings), port) }
    }))
    const servers = placed.map(({ server }) => server)
    const ports = placed.map(({ port }) => port)
    const [master, ...replicas] = servers
    await Promise.all(replicas.map(replica => replica.ask(redis => redis.replicaof('127.0.0.1', ports[0]!))))
    await until('the replicas follow', async () => (await master!.ask(redis => redis.info('replication'))).match(/state=online/g)?.length === REPLICAS)
    const settings = [
      `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${ports[0]!} ${QUORUM}`,
      `sentinel down-after-milliseconds ${MASTER_NAME} ${downAfterMs}`,
      `sentinel failover-timeout ${MASTER_NAME} 2000`
    ]
    const sentinels = await Promise.all(Array.from({ length: SENTINELS }, (_, index) => (
      SentinelServer.start(index, sentinelPlacing, settings)
    )))
    const group = new RedisSentinel(servers, ports, sentinels)
    try {
      await group.settled()
    } catch (error) {
      await group.close()
      throw error
    }
    return group
  }

  /** Names two of its Sentinels. */
  get url (): string {
    return `redis+sentinel://${this.sentinels.slice(0, 2).map(({ known }) => `127.0.0.1:${known}`).join(',')}/${MASTER_NAME}`
  }

  /** By which a server is known. */
  portOf (server: RedisServer): number {
    return this.ports[this.servers.indexOf(server)]!
  }

  /** The server that a Sentinel says is the master. */
  async master (sentinel = this.sentinels[0]!): Promise<RedisServer> {
    const [, port] = await sentinel.ask(redis => redis.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER_NAME)) as [string, string]
    return this.servers[this.ports.indexOf(Number(port))]!
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

  /** @param downAfterMs as of {@link RedisSentinel.start} */
  async setDownAfter (downAfterMs: number): Promise<void> {
    await Promise.all(this.sentinels.map(sentinel => sentinel.ask(redis => redis.call('SENTINEL', 'SET', MASTER_NAME, 'down-after-milliseconds', downAfterMs))))
  }

  /** Has the Sentinels demand a password. Nothing can be asked of them here from then on. */
  async requirePassword (password: string): Promise<void> {
    await Promise.all(this.sentinels.map(sentinel => sentinel.ask(redis => redis.call('ACL', 'SETUSER', 'default', 'resetpass', `>${password}`))))
  }

  /** Has the Sentinels promote a replica although nothing is wrong. */
  async failOver (): Promise<void> {
    await this.sentinels[0]!.ask(redis => redis.call('SENTINEL', 'FAILOVER', MASTER_NAME))
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
