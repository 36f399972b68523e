import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'

/** The program that `npm test` has found or installed. */
export const redisProgram = process.env['TEST_REDIS_SERVER']

/** A Redis of a test's own, on a socket in a folder of its own; without persistence unless it is asked to save. */
export class RedisServer {
  private child: ChildProcess | undefined

  private constructor (private readonly folder: string, private readonly options: readonly string[]) {}

  /** @param options as on the command line of redis-server; they win over what stands here */
  static async start (options: readonly string[] = []): Promise<RedisServer> {
    const server = new RedisServer(await mkdtemp(join(tmpdir(), 'tickwire-redis-')), options)
    await server.start()
    return server
  }

  get url (): string {
    return join(this.folder, 'redis.sock')
  }

  get pid (): number {
    return this.child!.pid!
  }

  /** A connection for the test itself. */
  client (): Redis {
    const client = new Redis(this.url)
    // It comes back by itself when the server does.
    client.on('error', () => {})
    return client
  }

  async start (): Promise<void> {
    this.child = spawn(redisProgram!, ['--port', '0', '--unixsocket', this.url, '--dir', this.folder, '--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction', '--daemonize', 'no', ...this.options], { stdio: 'ignore' })
    // It does not keep a test running, and ends with it.
    const { child } = this
    child.unref()
    process.once('exit', () => { child.kill('SIGKILL') })
    const client = new Redis(this.url, { retryStrategy: () => 10, maxRetriesPerRequest: null })
    client.on('error', () => {})
    await client.ping()
    client.disconnect()
  }

  /** Ends the process at once, as a crash would: what was not saved is gone. */
  async kill (): Promise<void> {
    const { child } = this
    if (child === undefined) return
    this.child = undefined
    child.ref()
    const ended = new Promise(resolve => { child.once('exit', resolve) })
    child.kill('SIGKILL')
    await ended
  }

  async close (): Promise<void> {
    await this.kill()
    await rm(this.folder, { recursive: true, force: true })
  }
}
