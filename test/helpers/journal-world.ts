import { type Channels, ProtocolError } from '@tickwire/protocol'
import { type Fence, randomEpoch } from '../../src/log/log.js'
import { MemoryLog } from '../../src/log/memory/memory-log.js'
import { JournalRunner } from '../../src/processors/journal-runner.js'
import type { JournalProcessor } from '../../src/processors/processor.js'
import { Publisher } from '../../src/publisher/publisher.js'
import type { Choices } from './random.js'
import { Succession } from './succession.js'

/** How often a run asks the log whether it has lost anything, in milliseconds. */
export const LOOK_MS = 5

export interface JournalWorldOptions {
  readonly channels: Channels
  readonly shards: number
  readonly random: Choices
  /** How likely the log takes only a part of an append. */
  readonly failures: number
  /** The time of the log when the world begins, in milliseconds since 1970. */
  readonly start: number
}

/** A journal processor over a log in memory, on hosts that take over from one another. */
export abstract class JournalWorld {
  readonly log: MemoryLog
  readonly publisher: Publisher
  /** The time of the log. */
  protected now: number
  private readonly hosts: Succession
  /** Two servers that take over from each other: a host is a run of one of them. */
  private servers: JournalRunner<unknown, unknown>[] = []
  private readonly serverOf = new WeakMap<AbortSignal, JournalRunner<unknown, unknown>>()

  constructor (private readonly options: JournalWorldOptions) {
    const { channels, shards, start } = options
    this.now = start
    const retention = { messages: 10_000, seconds: 1e6, bytes: 1 << 26 }
    const clock = { now: () => this.now, randomEpoch }
    this.log = new MemoryLog({ channels, shards, retention, maxTopics: 100, clock })
    this.publisher = new Publisher({ log: this.log, channels })
    this.hosts = new Succession(
      this.log, () => this.processor.name, (signal, fence) => this.run(signal, fence)
    )
  }

  protected abstract readonly processor: JournalProcessor

  /** Begins a run on a new host. @param inOrder whether the one before ends first, or goes on for a while */
  async takeOver (inOrder = true): Promise<void> {
    await this.hosts.takeOver(inOrder)
  }

  /** Ends all runs. */
  async rest (): Promise<void> {
    await this.hosts.rest()
  }

  async end (): Promise<void> {
    await this.rest()
    await this.log.close()
  }

  async read<Data> (topic: string): Promise<Data[]> {
    const { entries } = await this.log.read(topic, { sequence: 0 }, 1_000_000)
    return entries.map(({ payload }) => JSON.parse(payload) as Data)
  }

  private runnerOf (host: AbortSignal): JournalRunner<unknown, unknown> {
    let runner = this.serverOf.get(host)
    if (runner !== undefined) return runner
    if (this.servers.length < 2) {
      this.servers.push(new JournalRunner(this.processor, this.log, LOOK_MS, 2 * LOOK_MS, () => this.now))
    } else this.servers.reverse()
    runner = this.servers.at(-1)!
    this.serverOf.set(host, runner)
    return runner
  }

  private async run (signal: AbortSignal, fence: Fence): Promise<void> {
    const { random, failures } = this.options
    await this.runnerOf(signal).run({
      signal,
      publish: async (messages, options) => {
        signal.throwIfAborted()
        const fails = random.next() < failures
        const first = fails ? random.integer(0, messages.length - 1) : undefined
        const results = await this.publisher.publishOwn(messages.slice(0, first), { fence, ...options })
        if (first !== undefined) throw new ProtocolError('log_unavailable')
        return results.map(result => 'sequence' in result ? result : undefined)
      }
    })
  }
}
