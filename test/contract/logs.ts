import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Channels, standardChannels } from '@tickwire/protocol'
import type { Redis } from 'ioredis'
import type { Test } from 'tap'
import {
  type Entry, type Log, type LogClock, type Page, RECENT_SHARE, type Retention, type TailBatch
} from '../../src/log/log.js'
import { ENTRY_OVERHEAD_BYTES } from '../../src/log/memory/drop-order.js'
import { MemoryLog } from '../../src/log/memory/memory-log.js'
import { RedisLog } from '../../src/log/redis/redis-log.js'
import { serveLocally } from '../helpers/local-server.js'
import { RedisCluster } from '../helpers/redis-cluster.js'
import { RedisSentinel } from '../helpers/redis-sentinel.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { ROOT } from '../helpers/root.js'
import { fileBackend } from './file-backend.js'

const LOSE = readFileSync(join(ROOT, 'test/contract/lose.lua'), 'utf8')

/**
 * A clock that stands still until the test moves it. Its epochs count up, so that the output of a failed run
 * is readable.
 */
export class ManualClock implements LogClock {
  time = Date.UTC(2026, 0, 1)
  private epochs = 0

  now (): number {
    return this.time
  }

  randomEpoch (): number {
    return (0xE0000000 + ++this.epochs) >>> 0
  }

  sleep (seconds: number): void {
    this.time += seconds * 1000
  }
}

export interface OpenOptions {
  readonly channels: Channels
  readonly shards: number
  readonly retention: Retention
  readonly maxTopics: number
  readonly maxTopicNames?: number
  readonly clock: ManualClock
}

export interface OpenLog {
  readonly log: Log
  /** Restarts the log; each shard loses everything beyond its offset in `keep`. */
  restart (keep: readonly number[]): Promise<void>
  /** Reads and writes the fence of the source `s` in a shard, on backends where a failover may lose it. */
  readonly fences?: {
    read (shard: number): Promise<string | null>
    write (shard: number, text: string | null): Promise<void>
  }
  close (): Promise<void>
}

export interface LogBackend {
  readonly name: string
  /**
   * Present if the log uses the test's clock and retains exactly as many messages as it is told. Undefined
   * for a server that has its own clock and trims in its own steps; tests that depend on either then skip it.
   */
  readonly exact?: {
    /** The bytes that an entry counts beside its payload. */
    readonly overheadBytes: number
  }
  /**
   * Whether a restart drops messages anew, from all that is left: what only messages that are lost have made
   * it drop is there again.
   */
  readonly dropsAnew?: boolean
  /**
   * Whether it is another backend's log over other connections; tests of random sequences then run fewer
   * times.
   */
  readonly overOthers?: boolean
  open (options: OpenOptions): Promise<OpenLog>
}

/** A Redis, or several that belong together, for all logs of a process. */
interface RedisGroup {
  readonly url: string
  /** Asks the master that has a key. */
  ask (key: string, question: (redis: Redis) => Promise<unknown>): Promise<unknown>
}

let logs = 0

/** Makes a backend with one group for all logs of a process; each log has its own prefix. */
function redisBackend (name: string, overOthers: boolean, start: () => Promise<RedisGroup>): LogBackend {
  let started: Promise<RedisGroup> | undefined
  return {
    name,
    overOthers,
    async open ({ clock: _clock, ...options }) {
      const group = await (started ??= start())
      const keyPrefix = `log${++logs}`
      const onError = (error: unknown): void => { process.emitWarning(String(error)) }
      const log = await RedisLog.open({ url: group.url, keyPrefix, ...options, onError })
      return {
        log,
        async restart (keep) {
          for (const [shard, offset] of keep.entries()) {
            const tag = `{${keyPrefix}:${shard}}:`
            await group.ask(`${tag}meta`, redis =>
              redis.eval(LOSE, 3, `${tag}meta`, `${tag}seq`, `${tag}recent`, tag, offset)
            )
          }
          await log.head()
        },
        fences: {
          async read (shard) {
            const meta = `{${keyPrefix}:${shard}}:meta`
            return await group.ask(meta, redis => redis.hget(meta, 'fence:s')) as string | null
          },
          async write (shard, text) {
            const meta = `{${keyPrefix}:${shard}}:meta`
            await group.ask(meta, redis =>
              text === null ? redis.hdel(meta, 'fence:s') : redis.hset(meta, 'fence:s', text)
            )
          }
        },
        close: () => log.close()
      }
    }
  }
}

const redisBackends: readonly LogBackend[] = [
  redisBackend('redis', false, async () => {
    const server = await RedisServer.start()
    return { url: server.url, ask: (_, question) => server.ask(question) }
  }),
  redisBackend('redis with Sentinels', true, async () => {
    const group = await RedisSentinel.start()
    return { url: group.url, ask: async (_, question) => (await group.master()).ask(question) }
  }),
  redisBackend('Redis Cluster', true, async () => {
    const cluster = await RedisCluster.start()
    return {
      url: cluster.url,
      ask: async (key, question) => (await cluster.holderOf(key)).server.ask(question)
    }
  })
]

/** All backends: the suites of this folder run over this list. */
export const backends: readonly LogBackend[] = [
  {
    name: 'memory',
    exact: { overheadBytes: ENTRY_OVERHEAD_BYTES },
    async open (options) {
      const log = new MemoryLog(options)
      return { log, restart: async keep => { log.restart(keep) }, close: () => log.close() }
    }
  },
  fileBackend,
  {
    name: 'memory over a socket',
    exact: { overheadBytes: ENTRY_OVERHEAD_BYTES },
    overOthers: true,
    async open (options) {
      const held = new MemoryLog(options)
      const served = await serveLocally(held, options.retention.bytes * RECENT_SHARE)
      const { log } = await served.join()
      return {
        log,
        restart: async keep => {
          held.restart(keep)
          await log.head()
        },
        async close () {
          await log.close()
          await served.close()
        }
      }
    }
  },
  ...(redisProgram === undefined ? [] : redisBackends)
]

export const AMPLE: Retention = { messages: 10_000, seconds: 3600, bytes: 1 << 26 }

interface OpenLogOptions {
  readonly shards?: number
  readonly retention?: Partial<Retention>
  readonly maxTopics?: number
  readonly maxTopicNames?: number
  readonly channels?: Channels
}

/** Opens a log; it is closed when the test ends. */
export async function openLog (
  t: Test,
  backend: LogBackend,
  { shards = 1, retention = {}, maxTopics = 1000, channels = standardChannels, ...more }: OpenLogOptions = {}
): Promise<OpenLog & { readonly clock: ManualClock }> {
  const clock = new ManualClock()
  const opened = await backend.open({
    shards,
    retention: { ...AMPLE, ...retention },
    maxTopics,
    clock,
    channels,
    ...more
  })
  t.teardown(() => opened.close())
  return { ...opened, clock }
}

/**
 * Tells whether a reader that had everything up to an offset of the topic's shard lost messages of the topic.
 */
export function wasLost ({ entries: [first], last }: Page, offset: number): boolean {
  return first === undefined ? (last?.offset ?? 0) > offset : first.previous > offset
}

/** Follows every shard. @returns a function that ends the tails */
export async function tailAll (log: Log, onBatch: (batch: TailBatch) => void): Promise<() => void> {
  const tailings = await Promise.all(
    Array.from({ length: log.shards }, (_, shard) => log.tail(shard, onBatch))
  )
  return () => { for (const { end } of tailings) end() }
}

/** Reads everything that the log retains of a topic. */
export async function held (log: Log, topic: string): Promise<readonly Entry[]> {
  return (await log.read(topic, { sequence: 0 }, 1_000_000)).entries
}

/** Long enough for a message to come back from a server on the same machine. */
const PATIENCE_MS = 5000

/** Waits until something holds that another process may have to bring about. */
export async function eventually (what: string, holds: () => boolean): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`)
    await new Promise(resolve => { setTimeout(resolve, 5) })
  }
}
