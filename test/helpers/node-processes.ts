import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import type { NodesOverview } from '../../src/nodes/schema.js'
import { NodeProcess } from '../faults/node-process.js'
import { RedisServer } from './redis-server.js'
import { SECRET, startServer, type TestServer } from './server.js'

export const SHARDS = 4
/** For what takes seconds on an idle machine. */
const PATIENCE_MS = 60_000

/** Servers in processes of their own on one Redis, and one in the test's process that has no sources and sees what they do. */
export interface Deployment {
  readonly redis: RedisServer
  readonly observer: TestServer
  readonly nodes: readonly NodeProcess[]
  overview (): Promise<NodesOverview>
  /** Waits until the overview is as it should be. */
  seen (what: string, holds: (overview: NodesOverview) => boolean): Promise<NodesOverview>
  node (name: string): NodeProcess
}

/** @param sources of each node; `program` is what it runs in place of the server */
export async function deploy (t: Test, names: readonly string[], sources: string, program?: readonly string[]): Promise<Deployment> {
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  const observer = await startServer(t, { REDIS_URL: redis.url, LOG_SHARDS: SHARDS, NODE_NAME: 'observer', UNKNOWN_SYMBOLS: 'reject' })
  const env = {
    REDIS_URL: redis.url, LOG_SHARDS: String(SHARDS), JWT_SECRET: SECRET, SOURCES: sources, LOG_LEVEL: 'info', RATE_LIMIT_REQUESTS: '1000000'
  }
  const nodes = await Promise.all(names.map(name => NodeProcess.create(name, { ...env, NODE_NAME: name }, program)))
  t.teardown(() => Promise.all(nodes.map(node => node.close())))
  await Promise.all(nodes.map(node => node.start()))
  const overview = (): Promise<NodesOverview> => observer.parts.nodes.overview()
  return {
    redis,
    observer,
    nodes,
    overview,
    async seen (what, holds) {
      for (const deadline = Date.now() + PATIENCE_MS; ; await delay(20)) {
        const found = await overview()
        if (holds(found)) return found
        if (Date.now() > deadline) throw new Error(`not seen: ${what}; but ${JSON.stringify(found)}; ${nodes.map(({ name, lastWords }) => `${name}: ${lastWords}`).join('\n')}`)
      }
    },
    node: name => nodes.find(node => node.name === name)!
  }
}

/** Asks a server as an operator. */
export async function operate (origin: string, method: 'GET' | 'POST', path: string, token: string): Promise<Response> {
  return await fetch(`${origin}/v1/admin/${path}`, { method, headers: { authorization: `Bearer ${token}` } })
}
