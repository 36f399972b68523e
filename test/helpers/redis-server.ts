import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'

/** The program that `npm test` has found or installed. */
export const redisProgram = process.env['TEST_REDIS_SERVER']

/** A Redis of a test's own, on a socket in a folder of its own; without persistence unless it is asked to save. */
export class RedisServer {
  private child: ChildProcess | undefined
  private readonly onExit = (): void => {
    this.child?.kill('SIGKILL')
    rmSync(this.folder, { recursive: true, force: true })
  }

  private constructor (private readonly folder: string, private readonly options: readonly string[], readonly port: number) {
    // It does not keep a test running, and ends with it.
    process.once('exit', this.onExit)
  }

  /**
   * @param options as on the command line of redis-server; they win over what stands here
   * @param port listens there on TCP as well, as replicas need; 0: on its socket only
   */
  static async start (options: readonly string[] = [], port = 0): Promise<RedisServer> {
    const server = new RedisServer(mkdtempSync(join(tmpdir(), 'tickwire-redis-')), options, port)
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

  /** @param settings for this start, behind those of the server: how it reads what it has saved */
  async start (settings: readonly string[] = []): Promise<void> {
    this.child = spawn(redisProgram!, [
      '--port', String(this.port), '--unixsocket', this.url, '--dir', this.folder, '--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction', '--daemonize', 'no', ...this.options, ...settings
    ], { stdio: 'ignore' })
    this.child.unref()
    const client = new Redis(this.url, { retryStrategy: () => 10, maxRetriesPerRequest: null })
    client.on('error', () => {})
    await client.ping()
    client.disconnect()
  }

  /** Ends the process at once, as a crash would: what was not saved is gone. */
  async kill (): Promise<void> {
    await this.end('SIGKILL')
  }

  /** Lets it end by itself; it saves first where that is set. */
  async stop (): Promise<void> {
    await this.end('SIGTERM')
  }

  /** Removes what it has saved: the next start is empty. */
  async forget (): Promise<void> {
    for (const saved of ['dump.rdb', 'appendonlydir']) await rm(join(this.folder, saved), { recursive: true, force: true })
  }

  async close (): Promise<void> {
    await this.kill()
    process.off('exit', this.onExit)
    await rm(this.folder, { recursive: true, force: true })
  }

  private async end (signal: NodeJS.Signals): Promise<void> {
    const { child } = this
    if (child === undefined) return
    child.ref()
    const ended = new Promise(resolve => { child.once('exit', resolve) })
    child.kill(signal)
    await ended
    this.child = undefined
  }
}
