import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { NumberedFeed } from '../fleet/feed.js'
import { Fleet } from '../fleet/fleet.js'
import { type Latencies, latenciesOf } from '../fleet/latencies.js'
import { MANY_CLIENTS, NodeProcess } from '../fleet/node-process.js'
import { runToken } from '../fleet/publish.js'
import { until } from '../helpers/clients.js'
import { transportNames } from '../helpers/wires.js'
import { type Absence, Reader } from './reader.js'

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
  const { clients, rate, calmMs } = options
  const control = await timerDelays(calmMs)
  const names = Array.from({ length: options.nodes }, (_, index) => `node ${index + 1}`)
  const nodes = await Promise.all(names.map(name => makeNode(options, name)))
  const origins = nodes.map(({ origin }) => origin)
  const topics = Array.from({ length: options.topics }, (_, index) => `trades:${symbolOf(index)}`)
  const feed = new NumberedFeed({ origins, token: runToken({ sub: 'feed', publish: ['*'] }), topics, dataOf })
  const fleet = new Fleet(Array.from({ length: clients }, (_, index) => makeReader(options, origins, index)))
  try {
    await Promise.all(nodes.map(node => node.start()))
    await fleet.open()
    await fleet.settled()
    feed.start(rate)
    await delay(calmMs)
    takeLatencies(fleet)
    await delay(calmMs)
    const before = latenciesOf(takeLatencies(fleet))
    const besideStart = latenciesOf(await besideStarts(options, fleet))
    const during = latenciesOf(await restartAll(options, nodes, fleet))
    await feed.stop()
    const complete = ({ ledger }: Reader): boolean =>
      [...ledger.held].every(([topic, { last }]) => last === feed.published.get(topic))
    await until('all have the last message', () => fleet.clients.every(complete), 60_000)
    return report(fleet, feed, nodes, { before, besideStart, during, control })
  } finally {
    fleet.close()
    await feed.stop().catch(() => {})
    await Promise.all(nodes.map(node => node.close()))
  }
}

const symbolOf = (topic: number): string => `T${topic}`

/** When it was published stands in each message. */
function dataOf (topic: string, number: number): object {
  const [, symbol] = topic.split(':')
  return { symbol, price: String(number), size: '1', timestamp: new Date().toISOString() }
}

async function makeNode (options: RollingOptions, name: string, log = 'all'): Promise<NodeProcess> {
  const { redisUrl, shards, graceMs } = options
  return await NodeProcess.create(name, {
    ...MANY_CLIENTS,
    REDIS_URL: redisUrl,
    REDIS_KEY_PREFIX: `rolling-${process.pid}-${log}`,
    LOG_SHARDS: String(shards),
    SHUTDOWN_GRACE_MS: String(graceMs)
  })
}

function makeReader ({ topics }: RollingOptions, origins: readonly string[], index: number): Reader {
  const places = [...Array(TOPICS_OF_A_READER).keys()]
  const some = places.map(place => symbolOf((index + place * 7) % topics))
  const symbols = index % ALL_EVERY === 0 ? '*' : some.join(',')
  const transport = transportNames[index % transportNames.length]!
  const name = `client ${index} (${transport})`
  return new Reader(name, transport, `subscribe=trades:${symbols}`, origins, index % origins.length)
}

/** Latencies while nodes start that serve none of the readers. */
async function besideStarts (options: RollingOptions, fleet: Fleet<Reader>): Promise<number[]> {
  const latencies: number[] = []
  for (let start = 0; start < options.nodes; start++) {
    const apart = await makeNode(options, 'the node apart', 'apart')
    try {
      await apart.start()
      latencies.push(...takeLatencies(fleet))
    } finally {
      await apart.close()
    }
    await delay(options.calmMs / options.nodes)
    takeLatencies(fleet)
  }
  return latencies
}

/** Latencies while a node is away. */
async function restartAll (
  options: RollingOptions, nodes: readonly NodeProcess[], fleet: Fleet<Reader>
): Promise<number[]> {
  const latencies: number[] = []
  for (const node of nodes) {
    const began = Date.now()
    await node.stop()
    const ended = Date.now()
    await node.start()
    const ready = Date.now() - ended
    const code = String(node.exitCodes.at(-1))
    options.say(`${node.name}: ended with ${code} after ${ended - began} ms, ready after ${ready} more`)
    await fleet.settled()
    latencies.push(...takeLatencies(fleet))
    if (node !== nodes.at(-1)) await delay(options.calmMs)
    takeLatencies(fleet)
  }
  return latencies
}

function report (
  fleet: Fleet<Reader>, feed: NumberedFeed, nodes: readonly NodeProcess[],
  latencies: Pick<RollingReport, 'before' | 'besideStart' | 'during' | 'control'>
): RollingReport {
  const readers = fleet.clients
  const isWhole = ({ ledger: { held } }: Reader): boolean =>
    held.size > 0 && [...held.values()].every(({ first, last, count }) => count === last - first + 1)
  const refusals = new Map<string, number>()
  const refuse = (reason: string, count = 1): void => {
    if (count > 0) refusals.set(reason, (refusals.get(reason) ?? 0) + count)
  }
  const reasons = readers.flatMap(({ refusals }) => refusals)
  for (const reason of [...reasons, ...feed.refused.otherwise]) refuse(reason)
  refuse('unreachable', feed.refused.unreachable)
  refuse('going_away', feed.refused.goingAway)
  return {
    ...latencies,
    absences: readers.flatMap(({ absences }) => absences),
    exitCodes: nodes.flatMap(({ exitCodes }) => exitCodes),
    published: feed.total,
    delivered: fleet.sum(({ ledger }) => ledger.received - ledger.duplicates),
    duplicates: fleet.sum(({ ledger }) => ledger.duplicates),
    refusals,
    whole: readers.filter(isWhole).length,
    faults: readers.flatMap(({ faults }) => faults)
  }
}

function takeLatencies (fleet: Fleet<Reader>): number[] {
  return fleet.clients.flatMap(reader => reader.latencies.splice(0))
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
