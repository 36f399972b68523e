import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import type { Config } from '../../src/config.js'
import { persist } from '../../src/hub/persist.js'
import type { Entry } from '../../src/log/log.js'
import type { NodesOverview } from '../../src/nodes/schema.js'
import type { LeaseNote } from '../../src/sources/leased-source.js'
import { NodeProcess } from '../fleet/node-process.js'
import { openClient } from './clients.js'
import { RedisServer } from './redis-server.js'
import { SECRET, startServer, type TestServer } from './server.js'
import { StateFollower } from './state-follower.js'

const SHARDS = 4
/** What every server has among its sources. */
const BUILT_IN = new Set([
  'overdue-acknowledgements', 'processor:alerts', 'processor:heatmap', 'processor:strategies'
])
/** For what takes seconds on an idle machine. */
const PATIENCE_MS = 60_000

/**
 * Servers in processes of their own on one Redis, and an observer in the test's process that has no sources
 * and sees what the servers do.
 */
export interface Deployment {
  readonly redis: RedisServer
  readonly observer: TestServer
  readonly nodes: readonly NodeProcess[]
  /** Waits until the overview is as it should be. It lacks what every server has. */
  seen (what: string, holds: (overview: NodesOverview) => boolean): Promise<NodesOverview>
  /** Waits until a source has a holder with a token above another's. */
  taken (source: string, above: number): Promise<Required<LeaseNote>>
  node (name: string): NodeProcess
}

/**
 * @param sources of each node
 * @param program what each node runs in place of the server
 * @param settings of all; the observer makes no bars
 */
export async function deploy (
  t: Test,
  names: readonly string[],
  sources: string,
  program?: readonly string[],
  settings: Partial<Config> = {}
): Promise<Deployment> {
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  const observer = await startServer(t, {
    BROKER: 'none', ...settings, BARS: 'none', REDIS_URL: redis.url, LOG_SHARDS: SHARDS, NODE_NAME: 'observer', UNKNOWN_SYMBOLS: 'reject'
  })
  const env = {
    BROKER: 'none',
    ...Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, String(value)])),
    REDIS_URL: redis.url,
    LOG_SHARDS: String(SHARDS),
    JWT_SECRET: SECRET,
    SOURCES: sources,
    LOG_LEVEL: 'info',
    RATE_LIMIT_REQUESTS: '1000000'
  }
  const nodes = await Promise.all(names.map(name => (
    NodeProcess.create(name, { ...env, NODE_NAME: name }, program)
  )))
  t.teardown(() => Promise.all(nodes.map(node => node.close())))
  for (const node of nodes) await node.start()
  return {
    redis,
    observer,
    nodes,
    async seen (what, holds) {
      for (const deadline = Date.now() + PATIENCE_MS; ; await delay(20)) {
        const { leases, ...rest } = await patiently(() => observer.parts.nodes.overview())
        const found = { ...rest, leases: leases.filter(({ source }) => !BUILT_IN.has(source)) }
        if (holds(found)) return found
        if (Date.now() > deadline) throw new Error(`not seen: ${what}; but ${JSON.stringify(found)}; ${nodes.map(({ name, lastWords }) => `${name}: ${lastWords}`).join('\n')}`)
      }
    },
    async taken (source, above) {
      for (const deadline = Date.now() + PATIENCE_MS; ; await delay(5)) {
        const { holder, note } = await patiently(() => observer.parts.coordination.leases.look(source))
        const { name, token = 0, since = 0 } = JSON.parse(note === '' ? '{"name":""}' : note) as LeaseNote
        if (holder !== undefined && token > above) return { name, token, since }
        if (Date.now() > deadline) throw new Error(`${source} was not taken; ${nodes.map(({ name, lastWords }) => `${name}: ${lastWords}`).join('\n')}`)
      }
    },
    node: name => nodes.find(node => node.name === name)!
  }
}

/**
 * Asks again whenever a busy machine does not answer within the time limit of a request, until the test's own
 * time is over.
 */
export async function patiently<Answer> (ask: () => Promise<Answer>): Promise<Answer> {
  return await persist(ask, () => false)
}

/** Asks a server as an operator. */
export async function operate (origin: string, method: 'GET' | 'POST', path: string, token: string): Promise<Response> {
  return await fetch(`${origin}/v1/admin/${path}`, { method, headers: { authorization: `Bearer ${token}` } })
}

/**
 * Connects a client to the observer, which must stay correct from before the events of a test until after
 * them: a gap, a duplicate or a step back is noted in `faults`.
 */
export function follow (
  t: Test,
  { observer }: Deployment,
  query: string
): { follower: StateFollower, faults: unknown[], count: () => number } {
  const follower = new StateFollower()
  const faults: unknown[] = []
  let count = 0
  follower.connect()
  const client = openClient('ws-batch', observer.origin, query, undefined, {
    onMessage: message => {
      count++
      try {
        follower.take(message)
      } catch (error) {
        faults.push(error)
      }
    },
    onCursor: () => {}
  })
  t.teardown(() => { client.cut() })
  return { follower, faults, count: () => count }
}

/** Reads all that the log has of some topics, in the order of their shards. */
export async function logged (
  { observer: { parts: { log } } }: Deployment,
  concerned: (topic: string) => boolean
): Promise<Entry[]> {
  const topics = [...(await patiently(() => log.topics())).keys()].filter(concerned)
  const pages = await Promise.all(topics.map(topic => (
    patiently(() => log.read(topic, { sequence: 0 }, 1_000_000))
  )))
  return pages.flatMap(({ entries }) => entries)
}
