import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { transportNames, until } from '../helpers/clients.js'
import { goodClaims, makeToken } from '../helpers/tokens.js'
import { Feed, symbolOf } from './feed.js'
import { RollingNode } from './node.js'
import { type Absence, Reader } from './reader.js'

const SECRET = 'a secret for rolling restarts only'
const OPEN_AT_ONCE = 25
/** One that reads all topics among so many that read a few. */
const ALL_EVERY = 8
const TOPICS_OF_A_READER = 5
const CONTROL_TICK_MS = 5

export interface RollingOptions {
  readonly redisUrl: string
  readonly nodes: number
  readonly shards: number
  readonly clients: number
  readonly topics: number
  /** Messages a second. */
  readonly rate: number
  /** `SHUTDOWN_GRACE_MS` of the nodes. */
  readonly graceMs: number
  /** How long all runs as it is before the first node is ended, and between two. */
  readonly calmMs: number
  readonly say: (line: string) => void
}

/** Milliseconds. */
export interface Latencies {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

export interface RollingReport {
  readonly before: Latencies
  /** While a process starts that serves none of them: what a start takes from this machine. */
  readonly besideStart: Latencies
  /** While a node is away, of those who are not on their way to another. */
  readonly during: Latencies
  /** How late a timer of this process is, before anything runs: what the machine itself does. */
  readonly control: Latencies
  readonly absences: readonly Absence[]
  readonly exitCodes: ReadonlyArray<number | null>
  readonly published: number
  readonly delivered: number
  readonly duplicates: number
  /** How often a client or the feed found a node that did not take it, by the reason. */
  readonly refusals: ReadonlyMap<string, number>
  /** Clients that were sent everything, once and in order. */
  readonly whole: number
  readonly faults: readonly string[]
}

/** Restarts each node in turn under load (docs/deployment/rolling-restart.md). */
export async function rolling (options: RollingOptions): Promise<RollingReport> {
  const { redisUrl, shards, clients, topics, rate, graceMs, calmMs, say } = options
  const control = await timerDelays(calmMs)
  const env = {
    REDIS_URL: redisUrl,
    REDIS_KEY_PREFIX: `rolling-${process.pid}`,
    LOG_SHARDS: String(shards),
    SHUTDOWN_GRACE_MS: String(graceMs),
    SOURCES: 'none',
    UNKNOWN_SYMBOLS: 'accept',
    JWT_SECRET: SECRET,
    MAX_CONNECTIONS_PER_IP: '100000',
    MAX_CONNECTIONS_PER_USER: '100000',
    RATE_LIMIT_REQUESTS: '1000000',
    LOG_LEVEL: 'error'
  }
  const nodes = await Promise.all(Array.from({ length: options.nodes }, async () => await RollingNode.create(env)))
  const origins = nodes.map(({ origin }) => origin)
  const feed = new Feed(origins, makeToken(SECRET, goodClaims({ sub: 'feed', publish: ['*'] }, 86_400)), topics, rate)
  const readers = Array.from({ length: clients }, (_, index) => {
    const all = index % ALL_EVERY === 0
    const symbols = all ? '*' : Array.from({ length: TOPICS_OF_A_READER }, (_, place) => symbolOf((index + place * 7) % topics)).join(',')
    const transport = transportNames[index % transportNames.length]!
    return new Reader(`client ${index} (${transport})`, transport, `subscribe=trades:${symbols}`, origins, index % origins.length)
  })
  try {
    await Promise.all(nodes.map(node => node.start()))
    for (let at = 0; at < clients; at += OPEN_AT_ONCE) {
      const some = readers.slice(at, at + OPEN_AT_ONCE)
      for (const reader of some) reader.open()
      await until('they are there', () => some.every(({ isSettled }) => isSettled), 60_000)
    }
    feed.start()
    await delay(calmMs)
    takeLatencies(readers)
    await delay(calmMs)
    const before = latenciesOf(takeLatencies(readers))
    const besideStart: number[] = []
    for (let start = 0; start < nodes.length; start++) {
      const apart = await RollingNode.create({ ...env, REDIS_KEY_PREFIX: `${env.REDIS_KEY_PREFIX}-apart` })
      try {
        await apart.start()
        for (const latency of takeLatencies(readers)) besideStart.push(latency)
      } finally {
        await apart.close()
      }
      await delay(calmMs / nodes.length)
      takeLatencies(readers)
    }
    const away: number[] = []
    for (const [index, node] of nodes.entries()) {
      const began = Date.now()
      await node.stop()
      const ended = Date.now()
      await node.start()
      say(`node ${index + 1}: ended with ${String(node.exitCodes.at(-1))} after ${ended - began} ms, ready after ${Date.now() - ended} more`)
      await until('all are back', () => readers.every(({ isSettled }) => isSettled), 60_000)
      for (const latency of takeLatencies(readers)) away.push(latency)
      if (index < nodes.length - 1) await delay(calmMs)
      takeLatencies(readers)
    }
    await feed.stop()
    const complete = (reader: Reader): boolean => [...reader.accepted].every(([symbol, sequences]) => sequences.at(-1) === feed.published[Number(symbol.slice(1))])
    await until('all have the last message', () => readers.every(complete), 60_000)
    return report(readers, feed, nodes, { before, besideStart: latenciesOf(besideStart), during: latenciesOf(away), control })
  } finally {
    for (const reader of readers) reader.close()
    await feed.stop().catch(() => {})
    await Promise.all(nodes.map(node => node.close()))
  }
}

function report (readers: readonly Reader[], feed: Feed, nodes: readonly RollingNode[], latencies: Pick<RollingReport, 'before' | 'besideStart' | 'during' | 'control'>): RollingReport {
  const inOrder = (sequences: readonly number[]): boolean => sequences.every((sequence, index) => sequence === sequences[0]! + index)
  const refusals = new Map<string, number>()
  const refuse = (reason: string, count = 1): void => { if (count > 0) refusals.set(reason, (refusals.get(reason) ?? 0) + count) }
  for (const reason of readers.flatMap(({ refusals }) => refusals)) refuse(reason)
  refuse('unreachable', feed.refused.unreachable)
  refuse('going_away', feed.refused.goingAway)
  for (const reason of feed.refused.otherwise) refuse(reason)
  return {
    ...latencies,
    absences: readers.flatMap(({ absences }) => absences),
    exitCodes: nodes.flatMap(({ exitCodes }) => exitCodes),
    published: feed.published.reduce((sum, count) => sum + count, 0),
    delivered: readers.reduce((sum, { accepted }) => sum + [...accepted.values()].reduce((count, { length }) => count + length, 0), 0),
    duplicates: readers.reduce((sum, { duplicates }) => sum + duplicates, 0),
    refusals,
    whole: readers.filter(({ accepted }) => accepted.size > 0 && [...accepted.values()].every(inOrder)).length,
    faults: readers.flatMap(({ faults }) => faults)
  }
}

function takeLatencies (readers: readonly Reader[]): number[] {
  return readers.flatMap(reader => {
    const { latencies } = reader
    reader.latencies = []
    return latencies
  })
}

export function latenciesOf (values: number[]): Latencies {
  const sorted = values.sort((a, b) => a - b)
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) }
}

async function timerDelays (forMs: number): Promise<Latencies> {
  const delays: number[] = []
  for (const end = performance.now() + forMs; performance.now() < end;) {
    const due = performance.now() + CONTROL_TICK_MS
    await delay(CONTROL_TICK_MS)
    delays.push(Math.max(0, Math.round(performance.now() - due)))
  }
  return latenciesOf(delays)
}
