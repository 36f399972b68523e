import type { Coordination } from '../coordination/coordination.js'
import type { Hold } from '../coordination/leases.js'
import type { Log, ReadFrom } from '../log/log.js'
import { LOCAL_VERSION } from './frames.js'
import { pageText, snapshotText } from './page-text.js'
import type { Follower, ShardFeed } from './shard-feed.js'

/** Topics in one part of a result. */
const TOPICS_PER_PART = 5000

/** What a worker is told when it connects. */
export interface Welcome {
  readonly version: number
  readonly shards: number
  /** Whether the log is lost when the process ends that holds it. */
  readonly isVolatile: boolean
}

/** What the calls of workers are answered from. */
export interface Served {
  readonly log: Log
  readonly coordination: Coordination
  readonly feeds: readonly ShardFeed[]
  readonly isVolatile: boolean
  /** Asks all workers. */
  ask (question: string, withinMs: number): Promise<readonly string[]>
}

/** A whole result, or its parts. */
export type Result = string | Iterable<string | Buffer>

type Arguments = readonly unknown[]
type Method = (args: Arguments, caller: Follower) => Result | Promise<Result>

/** Nothing is written as null: JSON has no undefined. */
const json = (value: unknown): string => JSON.stringify(value ?? null)

/** What workers may call, by name: the methods of a log and of a coordination, and what followers need. */
export function methodsOf ({ log, coordination, feeds, isVolatile, ask }: Served): Record<string, Method> {
  const { leases, registry } = coordination
  return {
    hello: () => json({ version: LOCAL_VERSION, shards: log.shards, isVolatile } satisfies Welcome),
    ping: () => '',

    follow ([shard], caller) {
      feeds[shard as number]!.followers.add(caller)
      return ''
    },
    leave ([shard], caller) {
      feeds[shard as number]!.followers.delete(caller)
      return ''
    },
    recent: ([shard, maxBytes]) => feeds[shard as number]!.recent.newest(maxBytes as number),
    recentAfter: ([shard, offset, limit]) =>
      feeds[shard as number]!.recent.after(offset as number, limit as number),

    raise: async ([source]) => json(await log.raise(source as string)),
    origins: async ([processor, shard]) =>
      json([...await log.origins(processor as string, shard as number | null ?? undefined)]),
    read: async ([topic, from, limit]) =>
      pageText(await log.read(topic as string, from as ReadFrom, limit as number)),
    find: async ([topic, key]) => json(await log.find(topic as string, key as string)),
    head: async ([shards]) => json(await log.head(shards as number[] | null ?? undefined)),
    topics: async ([shard]) => topicParts(await log.topics(shard as number | null ?? undefined)),
    snapshot: async ([topic]) => snapshotText(await log.snapshot(topic as string)),

    async put ([key, text, seconds]) {
      await coordination.put(key as string, text as string, seconds as number)
      return ''
    },
    look: async ([key]) => json(await coordination.look(key as string)),
    take: async ([key]) => json(await coordination.take(key as string)),
    count: async ([key, windowMs]) => json(await coordination.count(key as string, windowMs as number)),
    ask: async ([question, withinMs]) => json(await ask(question as string, withinMs as number)),

    hold: async ([name, hold]) => json(await leases.hold(name as string, hold as Hold)),
    lookAtLease: async ([name]) => json(await leases.look(name as string)),
    async release ([name, node, off]) {
      await leases.release(name as string, node as string, off as boolean)
      return ''
    },
    async turn ([name, on]) {
      await leases.turn(name as string, on as boolean | null ?? undefined)
      return ''
    },

    async register ([node, text, forMs]) {
      await registry.register(node as string, text as string, forMs as number)
      return ''
    },
    async unregister ([node]) {
      await registry.unregister(node as string)
      return ''
    },
    nodes: async () => json([...await registry.nodes()])
  }
}

/** Writes topics in parts, so that a log with a million of them does nothing else for long. */
function * topicParts (
  topics: ReadonlyMap<string, { readonly sequence: number, readonly offset: number }>
): Generator<string> {
  let part: Array<[string, number, number]> = []
  for (const [topic, { sequence, offset }] of topics) {
    part.push([topic, sequence, offset])
    if (part.length < TOPICS_PER_PART) continue
    yield json(part)
    part = []
  }
  yield json(part)
}
