import { fileURLToPath } from 'node:url'
import { AskedProcess } from '../helpers/asked-process.js'
import type { Latencies } from './latencies.js'
import { runToken } from './publish.js'

const PROGRAM = fileURLToPath(new URL('neighbours-process.js', import.meta.url))

export interface NeighbourOptions {
  readonly origin: string
  readonly topics: number
  /** Messages a second. */
  readonly rate: number
}

/** What neighbours-process.js is given. */
export interface NeighbourProcessOptions extends NeighbourOptions {
  /** May publish trades. */
  readonly token: string
}

export interface Verdict {
  readonly published: number
  readonly readers: number
  /** Messages that were wrong, repeated or missing, and resets and refusals; empty if all is well. */
  readonly faults: readonly string[]
}

export interface Question {
  readonly id: number
  readonly ask: 'phase' | 'finish'
}

/** Honest clients beside whatever is done to a server: see neighbours-process.js. */
export class Neighbours {
  private constructor (private readonly process: AskedProcess) {}

  /** Resolves when they read and write. */
  static async start (options: NeighbourOptions): Promise<Neighbours> {
    const token = runToken({ sub: 'neighbour', publish: ['trades:*'] })
    const given = { ...options, token } satisfies NeighbourProcessOptions
    const name = 'the neighbours'
    const process = new AskedProcess({ name, program: PROGRAM, options: given, execArgv: [] })
    await process.ready()
    return new Neighbours(process)
  }

  /** Since this was asked last, from when a message was due to be published to when it was read. */
  async phase (): Promise<Latencies> {
    return await this.ask('phase') as Latencies
  }

  /** Publishes no more, and says whether all of it was read. */
  async finish (): Promise<Verdict> {
    return await this.ask('finish') as Verdict
  }

  async close (): Promise<void> {
    await this.process.close()
  }

  private async ask (ask: Question['ask']): Promise<unknown> {
    return await this.process.ask(ask)
  }
}
