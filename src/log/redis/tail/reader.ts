import { randomInt } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { ProtocolError } from '@tickwire/protocol'
import type { Redis } from 'ioredis'
import type { Masters } from '../masters/masters.js'
import type { ReadScript, Scripts } from '../scripts/scripts.js'
import { LogSetupError } from '../../setup-error.js'
import { TimedOut, timeLimit } from '../time-limit.js'
import { wordsOf } from '../../../errors.js'

/**
 * A read has failed if its connection has answered nothing for this time. Where Redis is slow, and answers
 * others, it takes its turn.
 */
const PATIENCE_MS = 900
/** A read without an answer after this time has failed, whatever else is answered. */
const MOST_MS = 5000
/**
 * Most reads that are under way. The others wait here, where they cost Redis nothing and no time limit runs.
 */
const MAX_RUNNING = 64
/**
 * Errors after which the same question may succeed soon: the slot is being moved, or the master does not know
 * the script.
 */
const ASK_AGAIN = /^(?:MOVED|ASK|TRYAGAIN|NOSCRIPT)/
const ASK_AGAIN_MS = 25

export interface Urgency {
  /** Whether it goes ahead of all reads that wait. */
  readonly urgent?: boolean
}

/** Sends the log's scripts and commands to Redis, a bounded number at a time. */
export class Reader {
  private running = 0
  private readonly waiting: Array<() => void> = []
  /** By connection, when it answered a read last, by `performance.now`. */
  private readonly answered = new WeakMap<Redis, number>()

  constructor (
    private readonly masters: Masters,
    private readonly scripts: Scripts,
    private readonly shards: number
  ) {}

  /** Runs a script. @throws ProtocolError `log_unavailable`, LogSetupError */
  async run (
    name: ReadScript,
    keys: readonly string[],
    args: ReadonlyArray<string | number>,
    urgency?: Urgency
  ): Promise<unknown> {
    return await this.attempt(keys[0]!, () => {
      return this.scripts.run(name, keys, [randomInt(2 ** 32), this.shards, ...args])
    }, urgency)
  }

  /** Sends another command, with one key. @throws ProtocolError `log_unavailable`, LogSetupError */
  async ask<Answer> (
    key: string,
    command: (redis: Redis) => Promise<Answer>,
    urgency?: Urgency
  ): Promise<Answer> {
    return await this.attempt(key, () => this.masters.send(key, command), urgency)
  }

  private async attempt<Answer> (
    key: string,
    send: () => Promise<Answer>,
    { urgent = false }: Urgency = {}
  ): Promise<Answer> {
    if (!urgent) await this.waitForRoom()
    this.running++
    let over = false
    const redis = this.masters.of(key)
    const asked = performance.now()
    const since = (): number => {
      const answered = redis === undefined ? 0 : this.answered.get(redis) ?? 0
      return Math.min(answered, asked + MOST_MS - PATIENCE_MS)
    }
    try {
      const answer = await timeLimit((async () => {
        for (;;) {
          try {
            return await send()
          } catch (error) {
            if (over || !ASK_AGAIN.test(wordsOf(error))) throw error
          }
          await delay(ASK_AGAIN_MS)
        }
      })(), PATIENCE_MS, since)
      if (redis !== undefined) this.answered.set(redis, performance.now())
      return answer
    } catch (error) {
      throw this.failure(key, error)
    } finally {
      over = true
      this.running--
      this.waiting.shift()?.()
    }
  }

  private async waitForRoom (): Promise<void> {
    while (this.running >= MAX_RUNNING) await new Promise<void>(resolve => { this.waiting.push(resolve) })
  }

  /** Returns the error that the caller of a failed read gets. */
  failure (key: string, error: unknown): Error {
    if (/WRONGTYPE/.test(wordsOf(error))) {
      return new LogSetupError(
        'REDIS_KEY_PREFIX: keys of the log hold something else in this Redis; choose another prefix'
      )
    }
    // A connection that does not answer may never answer again.
    if (error instanceof TimedOut) this.masters.renew(key)
    // The words of the Redis client are for the operator's log, not for the caller.
    return Object.assign(new ProtocolError('log_unavailable'), { cause: error })
  }
}
