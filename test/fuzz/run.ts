import { setTimeout as delay } from 'node:timers/promises'
import type { Latencies } from '../fleet/latencies.js'
import { mib, type Sample, sampleMemory } from '../fleet/memory.js'
import { Neighbours, type Verdict } from '../fleet/neighbours.js'
import { MANY_CLIENTS, NodeProcess } from '../fleet/node-process.js'
import { runToken } from '../fleet/publish.js'
import { Choices } from '../helpers/random.js'
import { SECRET } from '../helpers/tokens.js'
import { Coverage } from './coverage.js'
import { Crowd } from './crowd.js'
import { Ground } from './ground.js'
import { World } from './input/world.js'
import { RequestWorker } from './request-worker.js'
import { SocketWorker } from './socket-worker.js'

const SOCKETS = 16
const REQUESTS = 16
/** Of the inputs, how many come by WebSocket. */
const BY_SOCKET = 0.65
const NEIGHBOURS = { topics: 20, rate: 200 }
const WARM_UP_MS = 1000
const SAMPLE_MS = 1000
/** What clients leave behind is gone by then: a close that is not answered takes 5 s. */
const LEFT_MS = 15_000
const REST_MS = 4000
const CROWD = 90
const PER_USER = 80

/** Small, so that every limit is met; what many topics and long histories would cost is not looked for. */
const SETTINGS = {
  // What a fuzzer has left behind is still being ended while it goes on.
  ...MANY_CLIENTS,
  MAX_TOPICS: '150',
  MAX_SUBSCRIPTIONS: '60',
  MAX_CONNECTIONS_PER_USER: String(PER_USER),
  RETENTION_MESSAGES: '100',
  HEARTBEAT_MS: '2000',
  // Longer than this machine's own pauses: the fuzzer's silence must not be taken for its end.
  IDLE_TIMEOUT_MS: '10000',
  RATE_LIMIT_MESSAGES: '1000000',
  RATE_LIMIT_ORDERS: '1000000'
}

export interface FuzzOptions {
  readonly seed: number
  readonly messages: number
  /** Inputs a second. */
  readonly rate: number
  /** Ends sooner, however many were sent. */
  readonly lastsMs?: number
  readonly controlMs: number
  readonly say: (line: string) => void
}

export interface FuzzReport {
  readonly coverage: Coverage
  readonly lastedMs: number
  readonly faults: readonly string[]
  readonly faultCount: number
  readonly control: Latencies
  readonly fuzzed: Latencies
  readonly neighbours: Verdict
  readonly samples: readonly Sample[]
  /** Connections and subscriptions beside the neighbours' when all have left. */
  readonly left: readonly string[]
  /** What the server printed, which should be nothing. */
  readonly lastWords: string
  readonly crashed: boolean
}

/** Generated inputs for a server beside honest clients, each answer judged. */
export async function fuzz (options: FuzzOptions): Promise<FuzzReport> {
  const { rate, controlMs } = options
  const server = await NodeProcess.create('the server', SETTINGS)
  let neighbours: Neighbours | undefined
  try {
    await server.start()
    neighbours = await Neighbours.start({ origin: server.origin, ...NEIGHBOURS })
    await delay(WARM_UP_MS)
    await neighbours.phase()
    await delay(controlMs)
    const control = await neighbours.phase()
    const coverage = new Coverage()
    const rates = { socket: rate * BY_SOCKET, request: rate * (1 - BY_SOCKET) }
    const ground = new Ground(server.port, new World(SECRET), coverage, rates)
    const began = Date.now()
    const samples = await inputs(server, ground, options)
    const lastedMs = Date.now() - began
    const fuzzed = await neighbours.phase()
    const crashed = server.failed
    const left = crashed ? [] : await leftBehind(server.origin)
    return {
      coverage,
      lastedMs,
      faults: ground.faults,
      faultCount: ground.faultCount,
      control,
      fuzzed,
      neighbours: await neighbours.finish(),
      samples,
      left,
      lastWords: server.complaints,
      crashed
    }
  } finally {
    await neighbours?.close()
    await server.close()
  }
}

/** Sends all there is to send; samples the server's memory meanwhile. */
async function inputs (server: NodeProcess, ground: Ground, options: FuzzOptions): Promise<Sample[]> {
  const { seed, messages, lastsMs = Infinity, say } = options
  const shareOf = (part: number, count: number): number => Math.ceil(messages * part / count)
  const choices = (index: number): Choices => new Choices(seed * 100_003 + index)
  const crowd = new Crowd(ground, CROWD, REST_MS, runToken({ sub: 'crowd' })).run()
  const sockets = Array.from({ length: SOCKETS }, (_, index) => (
    new SocketWorker(choices(index), ground, shareOf(BY_SOCKET, SOCKETS))))
  const requests = Array.from({ length: REQUESTS }, (_, index) => (
    new RequestWorker(choices(SOCKETS + index), ground, shareOf(1 - BY_SOCKET, REQUESTS))))
  const workers = Promise.all([...sockets, ...requests].map(async worker => { await worker.run() }))
    .finally(() => { ground.over = true })
  const samples = await sampleMemory({
    everyMs: SAMPLE_MS,
    bytes: () => server.failed ? undefined : server.residentBytes(),
    goesOn: at => {
      if (server.failed || at >= lastsMs) ground.over = true
      return !ground.over
    },
    onProgress: sample => { say(progress(ground, sample)) }
  })
  await workers
  await crowd
  return samples
}

function progress ({ coverage: { inputs, passed }, faults, faultCount }: Ground, { bytes }: Sample): string {
  const wrong = faultCount === 0 ? '' : `, ${faultCount} FAULTS, the first: ${faults[0]}`
  return `${inputs} inputs, ${(100 * passed / inputs).toFixed(1)} % passed the parser, RSS ${mib(bytes)} MiB${wrong}`
}

/** By the server's own count. */
async function leftBehind (origin: string): Promise<string[]> {
  const deadline = Date.now() + LEFT_MS
  for (;;) {
    const text = await (await fetch(`${origin}/metrics`)).text()
    const gauge = (name: string): number => {
      const values = text.matchAll(new RegExp(`^tickwire_${name}(?:\\{[^}]*\\})? (\\d+)`, 'gm'))
      return [...values].reduce((sum, [, value]) => sum + Number(value), 0)
    }
    // The neighbours' own: three streams, each with a selector for each topic.
    const left = {
      connections: gauge('connections') - 3,
      subscriptions: gauge('subscriptions') - 3 * NEIGHBOURS.topics,
      selectors: gauge('selectors') - NEIGHBOURS.topics
    }
    const more = Object.entries(left).flatMap(([name, count]) => count > 0 ? [`${count} ${name}`] : [])
    if (more.length === 0 || Date.now() > deadline) return more
    await delay(200)
  }
}
