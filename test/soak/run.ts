import { setTimeout as delay } from 'node:timers/promises'
import type { Tally } from './client.js'
import { Fleet } from './fleet.js'
import { countLeftovers } from './leftovers.js'
import { judgeMemory, type MemoryVerdict, type Sample } from './memory.js'
import { type Census, type FeedOptions, type Gauges, ServerProcess } from './server-process.js'

const SAMPLE_MS = 1000
const PROGRESS_MS = 10_000
/** After the first messages, and after the last: what a flush or an answer still does is done then. */
const QUIET_MS = 1500
/** A topic of which somebody wanted a part is forgotten with its next message: each has so many more. */
const ROUNDS_MORE = 2
const HEARTBEAT_MS = 5000
const IDLE_TIMEOUT_MS = 10_000
/** Heartbeats come in time on a machine that has others to serve too. */
const PATIENCE_MS = 30_000
const EVERYBODY = 1_000_000

export interface SoakOptions {
  readonly seed: number
  readonly clients: number
  readonly lastsMs: number
  readonly feed: FeedOptions
  /** One client of so many reads all that is large. */
  readonly bulkEvery: number
  readonly retentionSeconds: number
  readonly paceMs: number
  readonly stallMs: readonly [least: number, most: number]
  readonly say: (line: string) => void
}

export interface SoakReport {
  readonly lastedMs: number
  readonly samples: readonly Sample[]
  /** Undefined where the run was too short. */
  readonly memory: MemoryVerdict | undefined
  readonly before: Census
  readonly after: Census
  readonly left: readonly string[]
  readonly waitedMs: number
  readonly delivered: number
  readonly tally: Tally
  readonly gauges: Gauges
  /** What the server printed, which should be nothing. */
  readonly lastWords: string
}

/** A server with clients that come and go for a time; then what is left of them. */
export async function soak (options: SoakOptions): Promise<SoakReport> {
  const { seed, clients, lastsMs, feed, bulkEvery, retentionSeconds, paceMs, stallMs, say } = options
  const server = await ServerProcess.start({
    feed,
    settings: {
      UNKNOWN_SYMBOLS: 'accept',
      RETENTION_SECONDS: retentionSeconds,
      MAX_CONNECTIONS: EVERYBODY,
      MAX_CONNECTIONS_PER_IP: EVERYBODY,
      MAX_CONNECTIONS_PER_USER: EVERYBODY,
      RATE_LIMIT_MESSAGES: EVERYBODY,
      RATE_LIMIT_REQUESTS: EVERYBODY,
      HEARTBEAT_MS,
      IDLE_TIMEOUT_MS
    }
  })
  const fleet = new Fleet({ clients, seed, origin: server.origin, feed, bulkEvery, paceMs, stallMs, retentionMs: retentionSeconds * 1000, patienceMs: PATIENCE_MS })
  try {
    await delay(QUIET_MS)
    const before = await server.census()
    await server.startFeed()
    const began = Date.now()
    const opening = fleet.open()
    const samples = await watch(server, fleet, began + lastsMs, say)
    const lastedMs = Date.now() - began
    await opening
    fleet.leave()
    say('all clients have left')
    await delay(QUIET_MS + ROUNDS_MORE * 1000 * (feed.trades + feed.quotes + feed.books) / feed.rate)
    await server.stopFeed()
    await delay(QUIET_MS)
    const counted = await countLeftovers(server, before)
    return {
      lastedMs, samples, memory: judgeMemory(samples, lastedMs), before, ...counted, delivered: fleet.delivered, tally: fleet.tally, gauges: await server.gauges(), lastWords: server.lastWords
    }
  } finally {
    fleet.leave()
    await server.close()
  }
}

/** Samples the server's memory, and says now and then how it goes. */
async function watch (server: ServerProcess, fleet: Fleet, until: number, say: SoakOptions['say']): Promise<Sample[]> {
  const samples: Sample[] = []
  const began = Date.now()
  let said = began
  while (Date.now() < until) {
    await delay(Math.min(SAMPLE_MS, Math.max(1, until - Date.now())))
    const now = Date.now()
    samples.push({ at: now - began, bytes: server.residentBytes() })
    fleet.watch()
    if (now - said < PROGRESS_MS) continue
    said = now
    say(progress(samples.at(-1)!, await server.gauges(), fleet))
  }
  return samples
}

const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(0)

function progress ({ bytes }: Sample, { heap, lagging }: Gauges, { tally, clients, delivered }: Fleet): string {
  const resets = Object.values(tally.resets).reduce((sum, count) => sum + count, 0)
  return `RSS ${mib(bytes)} MiB, heap ${mib(heap)} MiB, ${tally.connected} of ${clients.length} connected, ${delivered} delivered, ${lagging} lagging, ${resets} resets${tally.faults === 0 ? '' : `, ${tally.faults} FAULTS`}`
}
