import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { buildApp, type Parts } from '../../src/app.js'
import { type Config, loadConfig } from '../../src/config.js'
import { until } from './clients.js'
import { keptLog } from './kept-log.js'
import { temporaryFolder } from './temporary-folder.js'
import { SECRET } from './tokens.js'

export { SECRET }

export interface TestServer {
  readonly app: FastifyInstance
  readonly origin: string
  readonly parts: FastifyInstance['tickwire']['parts']
  token (claims?: Record<string, unknown>): string
}

/** Limits far beyond what a test uses; tests of limits set their own. */
const AMPLE = {
  MAX_CONNECTIONS_PER_IP: 10_000,
  MAX_CONNECTIONS_PER_USER: 10_000,
  RATE_LIMIT_MESSAGES: 1_000_000,
  RATE_LIMIT_ORDERS: 1_000_000,
  RATE_LIMIT_REQUESTS: 1_000_000
}

/** Starts a real server on a port of its own; it is closed when the test ends. */
export async function startServer (
  t: Test,
  overrides: Partial<Config> = {},
  parts: Parts = {}
): Promise<TestServer> {
  const signs = overrides.JWT_PUBLIC_KEY === undefined && overrides.JWT_JWKS_URL === undefined
  const config = loadConfig({ LOG_LEVEL: 'trace', SOURCES: 'none', BARS: 'none', ...(signs ? { JWT_SECRET: SECRET } : {}), PORT: '0' })
  // Servers of other tests keep what must last elsewhere.
  const own = { UNKNOWN_SYMBOLS: 'accept', DATA_DIR: temporaryFolder(t), ...AMPLE } as const
  const app = await buildApp({ ...config, ...own, ...overrides }, { lines: keptLog, ...parts })
  // Also one that cannot listen has something to close, and would keep the test running.
  t.teardown(async () => { await app.close() })
  await app.listen({ port: overrides.PORT ?? 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  return {
    app,
    parts: app.tickwire.parts,
    origin: `${overrides.TLS_CERT === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    token: (claims = {}) => app.tickwire.signToken({ sub: 'alice', publish: ['*'], ...claims }, 300)
  }
}

/** Publishes through the server's own publisher, as a source does. */
export async function publish (
  app: FastifyInstance,
  channel: string,
  symbol: string | undefined,
  data: object,
  extra: object = {}
): Promise<void> {
  const [result] = await app.tickwire.parts.publisher.publish([{ channel, symbol, data, ...extra }], { publisher: 'test' })
  if (result === undefined || 'code' in result) throw new Error(`refused: ${JSON.stringify(result)}`)
}

/** How many are sent a topic as it comes: those whose connection only stands are not yet. */
export function subscribers ({ parts }: Pick<TestServer, 'parts'>, topic: string): number {
  return [...parts.hub.audience.of(topic).everybody()].length
}

/**
 * Resolves when the hub has passed on all published messages of the shards that it follows. A client that
 * subscribes after that gets none of them as news.
 */
export async function passedOn ({ parts: { hub, log } }: TestServer): Promise<void> {
  const heads = await log.head()
  await until('all is passed on', () => heads.every(({ offset }, shard) => !hub.shards[shard]!.isAwake || hub.shards[shard]!.flushed >= offset))
}
