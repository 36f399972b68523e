import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { buildApp } from '../app.js'
import { allChannels } from '../channels.js'
import { type Config, loadConfig } from '../config.js'
import { MemoryCoordination } from '../coordination/memory/memory-coordination.js'
import { MemoryLog } from '../log/memory/memory-log.js'
import { Load } from './load.js'

/** What the twin's log keeps: enough to resume from. */
const KEPT = { messages: 200, seconds: 60, bytes: 8 << 20 }
const MAX_TOPICS = 1000
/** After so many batches every client must have been sent some. */
const JUDGED_TURNS = 100
const EVERYBODY = '1000000'

/**
 * Runs the load that a server will see through a twin of it, for some time, so that V8 has compiled its code
 * when the first clients come. The twin has the same code in the same process, but a log, a secret and a port
 * of its own: nothing of it is seen by clients, by operators, or in the log.
 * @returns how many batches were published
 */
export async function warmUp (config: Config, forMs: number): Promise<number> {
  const log = new MemoryLog({ channels: allChannels([]), retention: KEPT, maxTopics: MAX_TOPICS })
  const twin = await buildApp(twinOf(config), {
    log, coordination: new MemoryCoordination(), lines: { write () {} }
  })
  try {
    // A worker shares the ports of its server with the others, but not this one.
    await twin.listen({ port: 0, host: '127.0.0.1', exclusive: true })
    const { port } = twin.server.address() as AddressInfo
    const load = await Load.begin(port, twin.tickwire.signToken({ sub: 'warm-up', publish: ['*'] }))
    let turns = 0
    try {
      for (const end = performance.now() + forMs; performance.now() < end; turns++) {
        await load.turn()
        await nextTurn()
      }
      if (turns > JUDGED_TURNS && load.starving > 0) {
        throw new Error(`${load.starving} clients of the warm-up got no messages`)
      }
    } finally {
      load.end()
    }
    return turns
  } finally {
    await twin.close()
  }
}

/** Returns the settings of the twin: of the server's own, those that decide which code runs. */
const twinOf = ({ FLUSH_MS, COMPRESSION, BARS, BROKER }: Config): Config => loadConfig({
  FLUSH_MS: String(FLUSH_MS),
  COMPRESSION,
  BARS,
  BROKER,
  AUTH: 'optional',
  JWT_SECRET: randomBytes(32).toString('hex'),
  SOURCES: 'none',
  MONITOR_DAYS: '0',
  UNKNOWN_SYMBOLS: 'accept',
  MAX_CONNECTIONS: EVERYBODY,
  MAX_CONNECTIONS_PER_IP: EVERYBODY,
  RATE_LIMIT_MESSAGES: EVERYBODY,
  RATE_LIMIT_REQUESTS: EVERYBODY
})
