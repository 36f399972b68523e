import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { ROOT } from './root.js'
import { startServer, type TestServer } from './server.js'

/**
 * The exchanges of docs/compat.md, as the documents of older servers show them. Each kind of client plays
 * them by itself: it waits for the next message of the expected `type`, and compares it with the expected
 * one, in which `<time>` stands for any instant, and `<any>` for anything.
 */

export interface Step {
  readonly send?: object
  readonly sendText?: string
  readonly receive?: object
  readonly publish?: object
  readonly get?: string
  readonly answer?: object
}

interface Exchange {
  readonly title: string
  readonly path: string
  readonly user: Record<string, unknown> | null
  readonly steps: readonly Step[]
}

/** What a client needs to play an exchange. */
export interface Play {
  readonly title: string
  readonly origin: string
  /** Behind the origin, with the credentials. */
  readonly path: string
  readonly steps: readonly Step[]
  readonly token: string
  /** Of somebody who may publish. */
  readonly publisher: string
}

const FOLDER = join(ROOT, 'test/older/fixtures')

export const exchanges: readonly Exchange[] = readdirSync(FOLDER).sort()
  .map(name => JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as Exchange)

/** Starts a server that the exchanges can be played against; another one begins with the same state. */
export async function startOlderServer (t: Test): Promise<TestServer> {
  const server = await startServer(t, { UNKNOWN_SYMBOLS: 'reject', BROKER: 'paper' })
  await server.app.tickwire.declare([
    { symbol: '005930', market: 'KOSPI', sector: 'semiconductors' }, { symbol: 'BTC-USDT' }, { symbol: 'ETH-USDT' }
  ])
  return server
}

export function playOf ({ origin, token }: TestServer, { title, path, user, steps }: Exchange): Play {
  const own = user === null ? '' : token({ publish: [], ...user })
  return {
    title,
    origin,
    path: own === '' ? path : `${path}${path.includes('?') ? '&' : '?'}token=${own}`,
    steps,
    token: own,
    publisher: token({ sub: 'publisher', publish: ['*'] })
  }
}
