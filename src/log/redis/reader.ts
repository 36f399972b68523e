import { randomInt } from 'node:crypto'
import { ProtocolError } from '@tickwire/protocol'
import type { Redis } from 'ioredis'
import { LogSetupError } from './connect.js'
import type { ReadScript, Scripts } from './scripts.js'

/** Reads on their way at a time: the others wait here, where they cost Redis nothing and no time-out runs. */
const MAX_RUNNING = 64

/** Asks Redis by the log's scripts, a bounded number at a time. */
export class Reader {
  private running = 0
  private readonly waiting: Array<() => void> = []

  constructor (private readonly redis: Redis, private readonly scripts: Scripts, private readonly shards: number) {}

  /** @throws ProtocolError `log_unavailable`, LogSetupError */
  async run (name: ReadScript, keys: readonly string[], args: ReadonlyArray<string | number>): Promise<unknown> {
    return await this.limited(() => this.send(name, keys, args))
  }

  /** As {@link run}, before all that waits. */
  async urgent (name: ReadScript, keys: readonly string[], args: ReadonlyArray<string | number>): Promise<unknown> {
    try {
      return await this.send(name, keys, args)
    } catch (error) {
      throw this.failure(error)
    }
  }

  /** Any other command. @throws ProtocolError `log_unavailable`, LogSetupError */
  async limited<Answer> (send: () => Promise<Answer>): Promise<Answer> {
    while (this.running >= MAX_RUNNING) await new Promise<void>(resolve => { this.waiting.push(resolve) })
    this.running++
    try {
      return await send()
    } catch (error) {
      throw this.failure(error)
    } finally {
      this.running--
      this.waiting.shift()?.()
    }
  }

  private async send (name: ReadScript, keys: readonly string[], args: ReadonlyArray<string | number>): Promise<unknown> {
    return await this.scripts.run(name, keys, [randomInt(2 ** 32), this.shards, ...args])
  }

  private failure (error: unknown): Error {
    const message = error instanceof Error ? error.message : String(error)
    if (/WRONGTYPE/.test(message)) return new LogSetupError('REDIS_KEY_PREFIX: keys of the log hold something else in this Redis; choose another prefix')
    // A connection that answers nothing may never do so again.
    if (/timed out/.test(message)) this.redis.disconnect(true)
    // The client's words are for the operator's log, not for who asked.
    return Object.assign(new ProtocolError('log_unavailable'), { cause: error })
  }
}
