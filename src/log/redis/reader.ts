import { randomInt } from 'node:crypto'
import { ProtocolError } from '@tickwire/protocol'
import type { Redis } from 'ioredis'
import { LogSetupError } from './setup.js'
import { TimedOut, timeLimit } from './time-limit.js'
import type { ReadScript, Scripts } from './scripts.js'

/** A read that is not answered in this time failed. */
const PATIENCE_MS = 900
/** Reads on their way at a time: the others wait here, where they cost Redis nothing and no time-out runs. */
const MAX_RUNNING = 64

export interface Urgency {
  /** Whether it is asked before all that waits. */
  readonly urgent?: boolean
}

/** Asks Redis by the log's scripts, a bounded number at a time. */
export class Reader {
  private running = 0
  private readonly waiting: Array<() => void> = []

  constructor (private readonly redis: Redis, private readonly scripts: Scripts, private readonly shards: number) {}

  /** Runs a script. @throws ProtocolError `log_unavailable`, LogSetupError */
  async run (name: ReadScript, keys: readonly string[], args: ReadonlyArray<string | number>, urgency?: Urgency): Promise<unknown> {
    return await this.ask(() => this.scripts.run(name, keys, [randomInt(2 ** 32), this.shards, ...args]), urgency)
  }

  /** Sends any other command. @throws ProtocolError `log_unavailable`, LogSetupError */
  async ask<Answer> (send: () => Promise<Answer>, { urgent = false }: Urgency = {}): Promise<Answer> {
    if (!urgent) await this.room()
    this.running++
    try {
      return await timeLimit(send(), PATIENCE_MS)
    } catch (error) {
      throw this.failure(error)
    } finally {
      this.running--
      this.waiting.shift()?.()
    }
  }

  private async room (): Promise<void> {
    while (this.running >= MAX_RUNNING) await new Promise<void>(resolve => { this.waiting.push(resolve) })
  }

  private failure (error: unknown): Error {
    const message = error instanceof Error ? error.message : String(error)
    if (/WRONGTYPE/.test(message)) return new LogSetupError('REDIS_KEY_PREFIX: keys of the log hold something else in this Redis; choose another prefix')
    // A connection that answers nothing may never do so again.
    if (error instanceof TimedOut) this.redis.disconnect(true)
    // The client's words are for the operator's log, not for who asked.
    return Object.assign(new ProtocolError('log_unavailable'), { cause: error })
  }
}
