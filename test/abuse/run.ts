import { setTimeout as delay } from 'node:timers/promises'
import type { Latencies } from '../fleet/latencies.js'
import { mib, sampleMemory } from '../fleet/memory.js'
import { Neighbours, type Verdict } from '../fleet/neighbours.js'
import { NodeProcess } from '../fleet/node-process.js'
import { runToken } from '../fleet/publish.js'
import type { Attack } from './attacks.js'
import { Feed } from './feed.js'
import { Target } from './target.js'

/** Well below the requests that one user may make a second. */
const NEIGHBOURS = { topics: 10, rate: 50 }
const WARM_UP_MS = 500
const SAMPLE_MS = 100
/** An attack that was not told what it must be goes on so much longer: a busy machine lets it begin late. */
const PATIENCE_MS = 60_000

export interface AbuseOptions {
  readonly attacks: readonly Attack[]
  /** How long the honest clients are alone before each attack, it lasts, and the server has afterwards. */
  readonly quietMs: number
  readonly attackMs: number
  readonly afterMs: number
  readonly say: (line: string) => void
}

/** What one attack did. */
export interface Outcome {
  readonly attack: Attack
  /** How often the abuser was told what. */
  readonly told: ReadonlyMap<string, number>
  /** Of the honest clients, alone and beside it. */
  readonly alone: Latencies
  readonly beside: Latencies
  /** Bytes of the server in memory: before, at most during, and afterwards. */
  readonly memory: { readonly before: number, readonly most: number, readonly after: number }
}

export interface AbuseReport {
  readonly outcomes: readonly Outcome[]
  readonly neighbours: Verdict
  readonly lastWords: string
  readonly crashed: boolean
}

/** One attack after another on a server with honest clients. */
export async function abuse (options: AbuseOptions): Promise<AbuseReport> {
  // But for what every node has, the server is as it comes.
  const server = await NodeProcess.create('the server', {})
  let neighbours: Neighbours | undefined
  let feed: Feed | undefined
  try {
    await server.start()
    const { origin } = server
    feed = new Feed(origin, runToken({ sub: 'feed', publish: ['book:*', 'quotes:*'] }))
    await feed.begin()
    neighbours = await Neighbours.start({ origin, ...NEIGHBOURS })
    await delay(WARM_UP_MS)
    const outcomes: Outcome[] = []
    for (const attack of options.attacks) {
      if (server.failed) break
      outcomes.push(await one(attack, server, neighbours, options))
      options.say(summary(outcomes.at(-1)!))
    }
    await feed.end()
    const verdict = await neighbours.finish()
    return { outcomes, neighbours: verdict, lastWords: server.complaints, crashed: server.failed }
  } finally {
    await feed?.end().catch(() => {})
    await neighbours?.close()
    await server.close()
  }
}

async function one (
  attack: Attack, server: NodeProcess, neighbours: Neighbours, times: AbuseOptions
): Promise<Outcome> {
  const target = new Target(server.port, runToken({ sub: 'mallory' }))
  await neighbours.phase()
  await delay(times.quietMs)
  const alone = await neighbours.phase()
  const before = server.residentBytes()
  const running = attack.run(target)
  const waits = (at: number): boolean =>
    at < times.attackMs + PATIENCE_MS && attack.told.some(what => !target.told.has(what))
  const samples = await sampleMemory({
    everyMs: SAMPLE_MS,
    bytes: () => server.failed ? undefined : server.residentBytes(),
    goesOn: at => !server.failed && (at < times.attackMs || waits(at))
  })
  const beside = await neighbours.phase()
  target.end()
  await running
  await delay(times.afterMs)
  const most = Math.max(before, ...samples.map(({ bytes }) => bytes))
  const after = server.failed ? NaN : server.residentBytes()
  return { attack, told: target.told, alone, beside, memory: { before, most, after } }
}

const padded = (value: number, width: number): string => String(value).padStart(width)

/** An attack in one line. */
export function summary ({ attack, told, alone, beside, memory }: Outcome): string {
  const most = [...told].sort(([, a], [, b]) => b - a).slice(0, 6)
  const answers = most.map(([what, count]) => `${count} ${what}`)
  return [
    attack.name.padEnd(18),
    `p99 ${padded(alone.p99, 6)} alone, ${padded(beside.p99, 7)} ms beside it (max ${beside.max})`,
    `RSS ${mib(memory.before)} → ${mib(memory.most)} → ${mib(memory.after)} MiB`,
    `told: ${answers.join(', ') || 'nothing'}`
  ].join('  ')
}

/** What nobody may be told. */
const WRONG = /\binternal$|nonsense/

/** What is wrong, in a line each; nothing where all holds. */
export function failures ({ outcomes, neighbours, lastWords, crashed }: AbuseReport): string[] {
  return [
    ...crashed ? ['the server ended'] : [],
    ...lastWords === '' ? [] : [`the server said: ${lastWords}`],
    ...neighbours.faults.map(text => `an honest client: ${text}`),
    ...outcomes.flatMap(({ attack: { name, told: must }, told }) => [
      ...[...told.keys()].filter(what => WRONG.test(what)).map(what => `${name} was told: ${what}`),
      ...must.filter(what => !told.has(what)).map(what => `${name} was never told: ${what}`)
    ])
  ]
}
