import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Channels, standardChannels } from '@tickwire/protocol'
import type { Redis } from 'ioredis'
import type { Test } from 'tap'
import type { Entry, Log, LogClock, Page, Retention, TailBatch } from '../../src/log/log.js'
import { ENTRY_OVERHEAD_BYTES, MemoryLog } from '../../src/log/memory/memory-log.js'
import { RedisLog } from '../../src/log/redis/redis-log.js'
import { RedisCluster } from '../helpers/redis-cluster.js'
import { RedisSentinel } from '../helpers/redis-sentinel.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { ROOT } from '../helpers/root.js'

const LOSE = readFileSync(join(ROOT, 'test/contract/lose.lua'), 'utf8')

/** A clock that stands still until the test moves it; epochs that a failed run's output can be read by. */
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
  /** The log is restarted, and what lies beyond an offset of each shard is lost. */
  restart (keep: readonly number[]): Promise<void>
  /** What stands in a shard of the fence of the source `s`, where a failover may lose it. */
  readonly fences?: {
    read (shard: number): Promise<string | null>
    write (shard: number, text: string | null): Promise<void>
  }
  close (): Promise<void>
}

export interface LogBackend {
  readonly name: string
  /**
   * Time is the test's clock, and retention holds to the message. Undefined where a server has a clock of its own
   * and trims in its own steps: what depends on either is then not asked of it.
   */
  readonly exact?: {
    /** What an entry counts beside its payload. */
    readonly overheadBytes: number
  }
  /** It is another backend's log over other connections: what depends on chance is tried less often. */
  readonly overOthers?: boolean
  open (options: OpenOptions): Promise<OpenLog>
}

/** A Redis, or several that belong together, for all logs of a process. */
interface RedisGroup {
  readonly url: string
  /** Asks the master that holds a key. */
  ask (key: string, question: (redis: Redis) => Promise<unknown>): Promise<unknown>
}

let logs = 0

/** One group for all logs of a process, each log with a prefix of its own. */
function redisBackend (name: string, overOthers: boolean, start: () => Promise<RedisGroup>): LogBackend {
  let started: Promise<RedisGroup> | undefined
  return {
    name,
    overOthers,
    async open ({ clock: _clock, ...options }) {
      const group = await (started ??= start())
      const keyPrefix = `log${++logs}`
      const log = await RedisLog.open({ url: group.url, keyPrefix, ...options, onError: error => { process.emitWarning(String(error)) } })
      return {
        log,
        async restart (keep) {
          for (const [shard, offset] of keep.entries()) {
            const tag = `{${keyPrefix}:${shard}}:`
            await group.ask(`${tag}meta`, redis => redis.eval(LOSE, 3, `${tag}meta`, `${tag}seq`, `${tag}recent`, tag, offset))
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
            await group.ask(meta, redis => text === null ? redis.hdel(meta, 'fence:s') : redis.hset(meta, 'fence:s', text))
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
    return { url: cluster.url, ask: async (key, question) => (await cluster.holderOf(key)).server.ask(question) }
  })
]

/** Every backend there is: the suites of this folder walk this list. */
export const backends: readonly LogBackend[] = [
  {
    name: 'memory',
    exact: { overheadBytes: ENTRY_OVERHEAD_BYTES },
    async open (options) {
      const log = new MemoryLog(options)
      return { log, restart: async keep => { log.restart(keep) }, close: () => log.close() }
    }
  },
  ...(redisProgram === undefined ? [] : redisBackends)
]

export const AMPLE: Retention = { messages: 10_000, seconds: 3600, bytes: 1 << 26 }

/** Opens a log that is closed when the test ends. */
export async function openLog (
  t: Test, backend: LogBackend, { shards = 1, retention = {}, maxTopics = 1000, channels = standardChannels, ...more }: { shards?: number, retention?: Partial<Retention>, maxTopics?: number, maxTopicNames?: number, channels?: Channels } = {}
): Promise<OpenLog & { readonly clock: ManualClock }> {
  const clock = new ManualClock()
  const opened = await backend.open({ shards, retention: { ...AMPLE, ...retention }, maxTopics, clock, channels, ...more })
  t.teardown(() => opened.close())
  return { ...opened, clock }
}

/** Whether a reader that had everything up to an offset of the topic's shard lost messages of the topic. */
export function wasLost ({ entries: [first], last }: Page, offset: number): boolean {
  return first === undefined ? (last?.offset ?? 0) > offset : first.previous > offset
}

/** Follows every shard. @returns ends it */
export async function tailAll (log: Log, onBatch: (batch: TailBatch) => void): Promise<() => void> {
  const tailings = await Promise.all(Array.from({ length: log.shards }, (_, shard) => log.tail(shard, onBatch)))
  return () => { for (const { end } of tailings) end() }
}

/** Everything that the log holds of a topic. */
export async function held (log: Log, topic: string): Promise<readonly Entry[]> {
  return (await log.read(topic, { sequence: 0 }, 1_000_000)).entries
}

/** Long enough for a message to come back from a server on the same machine. */
const PATIENCE_MS = 5000

/** Waits for what another process may have to bring. */
export async function eventually (what: string, holds: () => boolean): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`)
    await new Promise(resolve => { setTimeout(resolve, 5) })
  }
}
