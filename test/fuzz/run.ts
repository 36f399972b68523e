import { setTimeout as delay } from 'node:timers/promises'
import { type Phase, Neighbours, type Verdict } from '../abuse/neighbours.js'
import { NodeProcess } from '../faults/node-process.js'
import { Choices } from '../helpers/random.js'
import { goodClaims, makeToken } from '../helpers/tokens.js'
import type { Sample } from '../soak/memory.js'
import { Coverage } from './coverage.js'
import { Crowd } from './crowd.js'
import { Ground } from './ground.js'
import { World } from './input/world.js'
import { RequestWorker } from './request-worker.js'
import { SocketWorker } from './socket-worker.js'

const SECRET = 'a secret for fuzzing only, long enough'
const SOCKETS = 16
const REQUESTS = 16
/** Of the inputs, how many come by WebSocket. */
const BY_SOCKET = 0.65
const NEIGHBOURS = { topics: 20, rate: 200 }
const WARM_UP_MS = 1000
const SAMPLE_MS = 1000
const PROGRESS_MS = 10_000
/** What clients leave behind is gone by then: a close that is not answered takes 5 s. */
const LEFT_MS = 15_000
const REST_MS = 4000
const CROWD = 90
const PER_USER = 80

/** Small, so that every limit is met; what only many topics and long histories would cost is not what is looked for. */
const SETTINGS = {
  LOG_LEVEL: 'error',
  SOURCES: 'none',
  UNKNOWN_SYMBOLS: 'accept',
  JWT_SECRET: SECRET,
  MAX_TOPICS: '150',
  MAX_SUBSCRIPTIONS: '60',
  // What a fuzzer has left behind is still being ended while it goes on.
  MAX_CONNECTIONS_PER_IP: '10000',
  MAX_CONNECTIONS_PER_USER: String(PER_USER),
  RETENTION_MESSAGES: '100',
  HEARTBEAT_MS: '2000',
  // Longer than this machine's own pauses: the fuzzer's silence must not be taken for its end.
  IDLE_TIMEOUT_MS: '10000',
  RATE_LIMIT_MESSAGES: '1000000',
  RATE_LIMIT_REQUESTS: '1000000'
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
  readonly control: Phase
  readonly fuzzed: Phase
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
  const { seed, messages, rate, lastsMs = Infinity, controlMs } = options
  const server = await NodeProcess.create('the server', SETTINGS)
  let neighbours: Neighbours | undefined
  try {
    await server.start()
    const { origin } = server
    neighbours = await Neighbours.start({ origin, token: makeToken(SECRET, goodClaims({ sub: 'neighbour', publish: ['trades:*'] }, 86_400)), ...NEIGHBOURS })
    await delay(WARM_UP_MS)
    await neighbours.phase()
    await delay(controlMs)
    const control = await neighbours.phase()
    const coverage = new Coverage()
    const ground = new Ground(Number(new URL(origin).port), new World(SECRET), coverage, { socket: rate * BY_SOCKET, request: rate * (1 - BY_SOCKET) })
    const began = Date.now()
    const samples = await inputs(server, ground, { ...options, lastsMs, seed, messages }, began)
    const lastedMs = Date.now() - began
    const fuzzed = await neighbours.phase()
    const crashed = server.failed
    const left = crashed ? [] : await leftBehind(origin)
    return {
      coverage, lastedMs, faults: ground.faults, faultCount: ground.faultCount, control, fuzzed, neighbours: await neighbours.finish(), samples, left, lastWords: server.complaints, crashed
    }
  } finally {
    await neighbours?.close()
    await server.close()
  }
}

/** Sends all there is to send; samples the server's memory meanwhile. */
async function inputs (server: NodeProcess, ground: Ground, { seed, messages, lastsMs, say }: FuzzOptions & { lastsMs: number }, began: number): Promise<Sample[]> {
  const shareOf = (part: number, count: number): number => Math.ceil(messages * part / count)
  const crowd = new Crowd(ground, CROWD, REST_MS, makeToken(SECRET, goodClaims({ sub: 'crowd' }, 86_400))).run()
  const workers = Promise.all([
    ...Array.from({ length: SOCKETS }, (_, index) => new SocketWorker(new Choices(seed * 100_003 + index), ground, shareOf(BY_SOCKET, SOCKETS)).run()),
    ...Array.from({ length: REQUESTS }, (_, index) => new RequestWorker(new Choices(seed * 100_003 + SOCKETS + index), ground, shareOf(1 - BY_SOCKET, REQUESTS)).run())
  ]).finally(() => { ground.over = true })
  const samples: Sample[] = []
  let saidAt = began
  while (!ground.over) {
    await Promise.race([workers, delay(SAMPLE_MS)])
    const now = Date.now()
    if (server.failed || now - began > lastsMs) ground.over = true
    if (server.failed) break
    samples.push({ at: now - began, bytes: server.residentBytes() })
    if (now - saidAt < PROGRESS_MS) continue
    saidAt = now
    const { inputs: sent, passed } = ground.coverage
    say(`${sent} inputs, ${(100 * passed / sent).toFixed(1)} % passed the parser, RSS ${(samples.at(-1)!.bytes / 2 ** 20).toFixed(0)} MiB${ground.faultCount === 0 ? '' : `, ${ground.faultCount} FAULTS, the first: ${ground.faults[0]}`}`)
  }
  await workers
  await crowd
  return samples
}

/** By the server's own count. */
async function leftBehind (origin: string): Promise<string[]> {
  const deadline = Date.now() + LEFT_MS
  for (;;) {
    const text = await (await fetch(`${origin}/metrics`)).text()
    const gauge = (name: string): number => [...text.matchAll(new RegExp(`^tickwire_${name}(?:\\{[^}]*\\})? (\\d+)`, 'gm'))].reduce((sum, [, value]) => sum + Number(value), 0)
    // The neighbours' own: three streams, each with a selector for each topic.
    const left = { connections: gauge('connections') - 3, subscriptions: gauge('subscriptions') - 3 * NEIGHBOURS.topics, selectors: gauge('selectors') - NEIGHBOURS.topics }
    const more = Object.entries(left).filter(([, count]) => count > 0).map(([name, count]) => `${count} ${name}`)
    if (more.length === 0 || Date.now() > deadline) return more
    await delay(200)
  }
}

/** What it printed beside that it listens. */
