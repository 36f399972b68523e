import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { RedisProcess } from './redis-process.js'

export { redisProgram } from './redis-process.js'

/** How long a question of the test waits for a server that is away, and how often it is tried. */
const PATIENCE_MS = 60_000
const RETRY_MS = 50

/**
 * A Redis for one test, on a socket in a folder of its own. It does not persist anything unless it is asked
 * to save.
 */
export class RedisServer {
  private readonly process = new RedisProcess()

  private constructor (private readonly options: readonly string[], readonly port: number) {}

  /**
   * @param options as on the command line of redis-server; they win over what stands here
   * @param port listens there on TCP as well, as replicas need; 0: on its socket only
   */
  static async start (options: readonly string[] = [], port = 0): Promise<RedisServer> {
    const server = new RedisServer(options, port)
    await server.start()
    return server
  }

  get url (): string {
    return join(this.process.folder, 'redis.sock')
  }

  get pid (): number {
    return this.process.pid
  }

  get isRunning (): boolean {
    return this.process.isRunning
  }

  /**
   * A connection for the test itself. A question that is under way while a fault has the server away waits
   * for it: on a busy machine that takes longer than the ten seconds that ioredis allows.
   */
  client (): Redis {
    const retries = PATIENCE_MS / RETRY_MS
    const client = new Redis(this.url, { retryStrategy: () => RETRY_MS, maxRetriesPerRequest: retries })
    // It comes back by itself when the server does.
    client.on('error', () => {})
    return client
  }

  /** Asks it by a connection of its own. */
  async ask<Answer> (question: (redis: Redis) => Promise<Answer>): Promise<Answer> {
    const client = this.client()
    try {
      return await question(client)
    } finally {
      client.disconnect()
    }
  }

  /** @param settings for this start, behind those of the server: how it reads what it has saved */
  async start (settings: readonly string[] = []): Promise<void> {
    this.process.start([
      '--port', String(this.port), '--unixsocket', this.url, '--dir', this.process.folder, '--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction', '--daemonize', 'no', ...this.options, ...settings
    ])
    const client = new Redis(this.url, { retryStrategy: () => 10, maxRetriesPerRequest: null })
    client.on('error', () => {})
    try {
      await Promise.race([client.ping(), this.process.ending()])
    } finally {
      client.disconnect()
    }
  }

  /** Ends the process at once, as a crash would: what was not saved is gone. */
  async kill (): Promise<void> {
    await this.process.end('SIGKILL')
  }

  /** Lets it end by itself; it saves first where that is set. */
  async stop (): Promise<void> {
    await this.process.end('SIGTERM')
  }

  /** Removes what it has saved: the next start is empty. */
  async forget (): Promise<void> {
    for (const saved of ['dump.rdb', 'appendonlydir']) await rm(join(this.process.folder, saved), { recursive: true, force: true })
  }

  async close (): Promise<void> {
    await this.process.close()
  }
}
