import { randomInt } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { ProtocolError } from '@tickwire/protocol'
import type { Redis } from 'ioredis'
import type { Masters } from '../masters/masters.js'
import type { ReadScript, Scripts } from '../scripts/scripts.js'
import { LogSetupError } from '../setup-error.js'
import { TimedOut, timeLimit } from '../time-limit.js'

/** A read that is not answered in this time failed. */
const PATIENCE_MS = 900
/** Reads on their way at a time: the others wait here, where they cost Redis nothing and no time-out runs. */
const MAX_RUNNING = 64
/** What a server says that is not asked in vain: the slot is being moved, or it does not know the script yet; and how soon it is asked again. */
const ASK_AGAIN = /^(?:MOVED|ASK|TRYAGAIN|NOSCRIPT)/
const ASK_AGAIN_MS = 25

export interface Urgency {
  /** Whether it is asked before all that waits. */
  readonly urgent?: boolean
}

/** Asks Redis by the log's scripts, a bounded number at a time. */
export class Reader {
  private running = 0
  private readonly waiting: Array<() => void> = []

  constructor (private readonly masters: Masters, private readonly scripts: Scripts, private readonly shards: number) {}

  /** Runs a script. @throws ProtocolError `log_unavailable`, LogSetupError */
  async run (name: ReadScript, keys: readonly string[], args: ReadonlyArray<string | number>, urgency?: Urgency): Promise<unknown> {
    return await this.attempt(keys[0]!, () => this.scripts.run(name, keys, [randomInt(2 ** 32), this.shards, ...args]), urgency)
  }

  /** Sends any other command with one key. @throws ProtocolError `log_unavailable`, LogSetupError */
  async ask<Answer> (key: string, command: (redis: Redis) => Promise<Answer>, urgency?: Urgency): Promise<Answer> {
    return await this.attempt(key, () => this.masters.send(key, command), urgency)
  }

  private async attempt<Answer> (key: string, send: () => Promise<Answer>, { urgent = false }: Urgency = {}): Promise<Answer> {
    if (!urgent) await this.room()
    this.running++
    let over = false
    try {
      return await timeLimit((async () => {
        for (;;) {
          try {
            return await send()
          } catch (error) {
            if (over || !ASK_AGAIN.test(messageOf(error))) throw error
          }
          await delay(ASK_AGAIN_MS)
        }
      })(), PATIENCE_MS)
    } catch (error) {
      throw this.failure(key, error)
    } finally {
      over = true
      this.running--
      this.waiting.shift()?.()
    }
  }

  private async room (): Promise<void> {
    while (this.running >= MAX_RUNNING) await new Promise<void>(resolve => { this.waiting.push(resolve) })
  }

  /** What a failed read is to whoever asked. */
  failure (key: string, error: unknown): Error {
    if (/WRONGTYPE/.test(messageOf(error))) return new LogSetupError('REDIS_KEY_PREFIX: keys of the log hold something else in this Redis; choose another prefix')
    // A connection that answers nothing may never do so again.
    if (error instanceof TimedOut) this.masters.renew(key)
    // The client's words are for the operator's log, not for who asked.
    return Object.assign(new ProtocolError('log_unavailable'), { cause: error })
  }
}

const messageOf = (error: unknown): string => error instanceof Error ? error.message : String(error)
