import { join } from 'node:path'
import { residentBytes } from '../fleet/memory.js'
import { AskedProcess } from '../helpers/asked-process.js'
import { keepLog } from '../helpers/kept-log.js'
import { ROOT } from '../helpers/root.js'

const PROGRAM = join(ROOT, 'test/soak/server/soak-server.js')

export interface FeedOptions {
  /** Messages a second, beside the bulk. */
  readonly rate: number
  readonly trades: number
  readonly quotes: number
  readonly books: number
  readonly bulks: number
  /** Bulk messages a second, of 32 KiB each. */
  readonly bulkRate: number
}

export const DEFAULT_FEED: FeedOptions = {
  rate: 300, trades: 300, quotes: 150, books: 50, bulks: 6, bulkRate: 16
}

export interface ServerOptions {
  readonly feed: FeedOptions
  /** As environment variables of the same names. */
  readonly settings: Readonly<Record<string, string | number>>
}

/** What the server says of itself on the way. */
export interface Gauges {
  readonly heap: number
  readonly connections: number
  readonly sent: number
  readonly lagging: number
  readonly lags: number
  readonly resets: Readonly<Record<string, number>>
  readonly published: number
  readonly refused: number
}

/** How many there are of what is counted, by its name. */
export type Census = Readonly<Record<string, number>>

/**
 * The server that is soaked. The soak asks it over a channel of its own, because a question over HTTP would
 * be one more client.
 */
export class ServerProcess {
  private constructor (private readonly process: AskedProcess, readonly origin: string) {}

  static async start (options: ServerOptions): Promise<ServerProcess> {
    const process = new AskedProcess({
      name: 'the server', program: PROGRAM, options, execArgv: ['--expose-internals', '--no-warnings'], onOutput: keepLog
    })
    const { port } = await process.ready() as { port: number }
    return new ServerProcess(process, `http://127.0.0.1:${port}`)
  }

  /** What it printed last: errors, as it says nothing else. */
  get lastWords (): string {
    return this.process.lastWords
  }

  async startFeed (): Promise<void> {
    await this.process.ask('start')
  }

  async stopFeed (): Promise<void> {
    await this.process.ask('stop')
  }

  async gauges (): Promise<Gauges> {
    return await this.process.ask('gauges') as Gauges
  }

  /** Collects the garbage first, and takes a while. */
  async census (): Promise<Census> {
    return await this.process.ask('census') as Census
  }

  residentBytes (): number {
    return residentBytes(this.process.pid)
  }

  async close (): Promise<void> {
    await this.process.close()
  }
}
