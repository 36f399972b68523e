import { setTimeout as delay } from 'node:timers/promises'
import { Fleet } from '../fleet/fleet.js'
import { judgeMemory, type MemoryVerdict, mib, type Sample, sampleMemory } from '../fleet/memory.js'
import { Choices } from '../helpers/random.js'
import { SoakClient, type Tally } from './client.js'
import { countLeftovers } from './leftovers.js'
import { type Census, type FeedOptions, type Gauges, ServerProcess } from './server-process.js'

const SAMPLE_MS = 1000
/** 200 clients a second. */
const OPEN_EVERY_MS = 100
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
  const { lastsMs, feed, say } = options
  const server = await startServer(options)
  const counts = { connects: 0, resumes: 0, stalls: 0, drops: 0, lost: 0, lagged: 0, faults: 0 }
  const tally: Tally = { ...counts, resets: {}, shown: [] }
  const fleet = new Fleet(makeClients(options, server.origin, tally))
  const watcher = setInterval(() => {
    for (const client of fleet.clients) client.watch(Date.now())
  }, SAMPLE_MS)
  try {
    await delay(QUIET_MS)
    const before = await server.census()
    await server.startFeed()
    const began = Date.now()
    const opening = fleet.open(OPEN_EVERY_MS)
    const samples = await sampleMemory({
      everyMs: SAMPLE_MS,
      bytes: () => server.residentBytes(),
      goesOn: at => at < lastsMs,
      onProgress: sample => {
        server.gauges().then(gauges => { say(progress(sample, gauges, fleet, tally)) }, () => {})
      }
    })
    const lastedMs = Date.now() - began
    await opening
    fleet.close()
    say('all clients have left')
    await delay(QUIET_MS + ROUNDS_MORE * 1000 * (feed.trades + feed.quotes + feed.books) / feed.rate)
    await server.stopFeed()
    await delay(QUIET_MS)
    const counted = await countLeftovers(server, before)
    return {
      lastedMs,
      samples,
      memory: judgeMemory(samples, lastedMs),
      before,
      ...counted,
      delivered: delivered(fleet),
      tally,
      gauges: await server.gauges(),
      lastWords: server.lastWords
    }
  } finally {
    clearInterval(watcher)
    fleet.close()
    await server.close()
  }
}

async function startServer ({ feed, retentionSeconds }: SoakOptions): Promise<ServerProcess> {
  return await ServerProcess.start({
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
}

function makeClients (options: SoakOptions, origin: string, tally: Tally): SoakClient[] {
  const { clients, seed, bulkEvery, feed, paceMs, stallMs, retentionSeconds } = options
  return Array.from({ length: clients }, (_, index) => new SoakClient({
    name: `c${index}`,
    origin,
    random: new Choices(seed * 100_003 + index),
    feed,
    bulk: index % bulkEvery === 0,
    paceMs,
    stallMs,
    retentionMs: retentionSeconds * 1000,
    patienceMs: PATIENCE_MS
  }, tally))
}

const delivered = (fleet: Fleet<SoakClient>): number => fleet.sum(({ ledger }) => ledger.received)

function progress ({ bytes }: Sample, gauges: Gauges, fleet: Fleet<SoakClient>, tally: Tally): string {
  const { heap, lagging } = gauges
  const { resets, faults } = tally
  return [
    `RSS ${mib(bytes)} MiB`,
    `heap ${mib(heap)} MiB`,
    `${fleet.connected} of ${fleet.clients.length} connected`,
    `${delivered(fleet)} delivered`,
    `${lagging} lagging`,
    `${Object.values(resets).reduce((sum, count) => sum + count, 0)} resets`,
    ...faults === 0 ? [] : [`${faults} FAULTS`]
  ].join(', ')
}
