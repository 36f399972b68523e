import { setTimeout as delay } from 'node:timers/promises'
import { NodeProcess } from '../faults/node-process.js'
import { goodClaims, makeToken } from '../helpers/tokens.js'
import type { Attack } from './attacks.js'
import { Feed } from './feed.js'
import { Neighbours, type Phase, type Verdict } from './neighbours.js'
import { Target } from './target.js'

const SECRET = 'a secret for abuse only, long enough'
/** Well below the requests that one user may make a second. */
const NEIGHBOURS = { topics: 10, rate: 50 }
const WARM_UP_MS = 500
const SAMPLE_MS = 100
/** An attack that has not been told what it must goes on for so much longer: a busy machine lets it begin late. */
const PATIENCE_MS = 20_000
/** Beside what is said here the server is as it comes. */
const SETTINGS = { LOG_LEVEL: 'error', SOURCES: 'none', UNKNOWN_SYMBOLS: 'accept', JWT_SECRET: SECRET }

export interface AbuseOptions {
  readonly attacks: readonly Attack[]
  /** How long the honest clients are alone before each attack; how long it lasts; how long the server has afterwards. */
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
  readonly alone: Phase
  readonly beside: Phase
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
export async function abuse ({ attacks, quietMs, attackMs, afterMs, say }: AbuseOptions): Promise<AbuseReport> {
  const server = await NodeProcess.create('the server', SETTINGS)
  let neighbours: Neighbours | undefined
  let feed: Feed | undefined
  try {
    await server.start()
    const { origin } = server
    const publisher = (user: string, publish: readonly string[]): string => makeToken(SECRET, goodClaims({ sub: user, publish }, 86_400))
    feed = new Feed(origin, publisher('feed', ['book:*', 'quotes:*']))
    await feed.begin()
    neighbours = await Neighbours.start({ origin, token: publisher('neighbour', ['trades:*']), ...NEIGHBOURS })
    await delay(WARM_UP_MS)
    const outcomes: Outcome[] = []
    for (const attack of attacks) {
      if (server.failed) break
      outcomes.push(await one(attack, server, neighbours, { quietMs, attackMs, afterMs }))
      say(summary(outcomes.at(-1)!))
    }
    await feed.end()
    return { outcomes, neighbours: await neighbours.finish(), lastWords: server.complaints, crashed: server.failed }
  } finally {
    await feed?.end().catch(() => {})
    await neighbours?.close()
    await server.close()
  }
}

async function one (attack: Attack, server: NodeProcess, neighbours: Neighbours, times: Pick<AbuseOptions, 'quietMs' | 'attackMs' | 'afterMs'>): Promise<Outcome> {
  const target = new Target(Number(new URL(server.origin).port), makeToken(SECRET, goodClaims({ sub: 'mallory' })))
  await neighbours.phase()
  await delay(times.quietMs)
  const alone = await neighbours.phase()
  const before = server.residentBytes()
  let most = before
  const running = attack.run(target)
  const until = Date.now() + times.attackMs
  const waits = (): boolean => Date.now() < until + PATIENCE_MS && attack.told.some(what => !target.told.has(what))
  while (!server.failed && (Date.now() < until || waits())) {
    await delay(SAMPLE_MS)
    if (!server.failed) most = Math.max(most, server.residentBytes())
  }
  const beside = await neighbours.phase()
  target.end()
  await running
  await delay(times.afterMs)
  return { attack, told: target.told, alone, beside, memory: { before, most, after: server.failed ? NaN : server.residentBytes() } }
}

const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(0)

/** An attack in one line. */
export function summary ({ attack, told, alone, beside, memory }: Outcome): string {
  const answers = [...told].sort(([, a], [, b]) => b - a).slice(0, 6).map(([what, count]) => `${count} ${what}`).join(', ')
  return `${attack.name.padEnd(18)}  p99 ${String(alone.p99).padStart(6)} alone, ${String(beside.p99).padStart(7)} ms beside it (max ${beside.max})  RSS ${mib(memory.before)} → ${mib(memory.most)} → ${mib(memory.after)} MiB  told: ${answers || 'nothing'}`
}

/** What is wrong, in a line each; nothing where all holds. */
export function failures ({ outcomes, neighbours, lastWords, crashed }: AbuseReport): string[] {
  return [
    ...crashed ? ['the server ended'] : [],
    ...lastWords === '' ? [] : [`the server said: ${lastWords}`],
    ...neighbours.faults.map(text => `an honest client: ${text}`),
    ...outcomes.flatMap(({ attack, told }) => [...told.keys()].filter(what => /\binternal$|nonsense/.test(what)).map(what => `${attack.name} was told: ${what}`)),
    ...outcomes.flatMap(({ attack, told }) => attack.told.filter(what => !told.has(what)).map(what => `${attack.name} was never told: ${what}`))
  ]
}
