import { setTimeout as delay } from 'node:timers/promises'
import { NumberedFeed } from '../fleet/feed.js'
import { NodeProcess } from '../fleet/node-process.js'
import { runToken } from '../fleet/publish.js'
import { until } from '../helpers/clients.js'
import type { ThirdPartyClient } from './clients.js'
import { Contestant } from './contestant.js'
import type { Program, Say } from './toolchains.js'
import { dataOf, query, topics } from './topics.js'

/** Programs that start at the same time: a JVM takes a core for a second or two. */
const START_AT_ONCE = 4
const CONNECT_TIMEOUT_MS = 60_000
/** How long a client may take to come back: most wait longer from attempt to attempt. */
const RETURN_TIMEOUT_MS = 60_000
const CUT_MS = 2000
/** What is published while nobody is connected: a `batch` without a bound would have it in one frame. */
const BURST = 600
const GRACE_MS = '2000'

export interface Contest {
  readonly client: ThirdPartyClient
  readonly program: Program
}

export interface RunOptions {
  readonly redisUrl: string
  readonly contests: readonly Contest[]
  /** Messages a second, over all topics. */
  readonly rate: number
  /** How long all runs undisturbed, before each disturbance and behind the last. */
  readonly calmMs: number
  /** For how long nothing is published: libraries with a read timeout below that end their connection. */
  readonly quietMs: number
  readonly say: Say
}

export interface Result {
  readonly client: ThirdPartyClient
  /** Connections that the library made again by itself, and that the program made with its cursor. */
  readonly byLibrary: number
  readonly byProgram: number
  readonly duplicates: number
  readonly gaps: number
  readonly missing: number
  /** Why connections ended while nothing was published, and nobody had ended them. */
  readonly ownBreaks: readonly string[]
  readonly longest: number
  /** What must not be. */
  readonly faults: readonly string[]
  /** What its program wrote on stderr last. */
  readonly errors: string
}

/**
 * Has clients follow some topics through a broken network, a disconnect by an operator, silence, and a
 * restart of the server.
 */
export async function run (options: RunOptions): Promise<Result[]> {
  const { redisUrl, contests, rate, calmMs, quietMs, say } = options
  const server = await NodeProcess.create('the server', {
    REDIS_URL: redisUrl, REDIS_KEY_PREFIX: `clients-${process.pid}`, SHUTDOWN_GRACE_MS: GRACE_MS
  })
  const { origin, port } = server
  const feed = new NumberedFeed({ origins: [origin], token: runToken({ sub: 'feed', publish: ['*'] }), topics, dataOf })
  const contestants = await Promise.all(contests.map(({ client }) => Contestant.create(client, port)))
  const back = async (since: number): Promise<void> => {
    await allHaveCursor(contestants, since, RETURN_TIMEOUT_MS)
  }
  try {
    await server.start()
    await feed.burst(topics.length * 3)
    const before = new Map(feed.published)
    await startAll(contestants, contests, say)
    say(`publishing ${rate} messages a second…`)
    feed.start(rate)
    await delay(calmMs)

    say(`the network is away for ${CUT_MS / 1000} s, and ${BURST} messages are published meanwhile…`)
    for (const { link } of contestants) link.take()
    await Promise.all([delay(CUT_MS), feed.stop().then(async () => { await feed.burst(BURST) })])
    for (const { link } of contestants) link.give()
    feed.start(rate)
    await back(Date.now())
    await delay(calmMs)

    say('an operator disconnects each…')
    const admin = runToken({ sub: 'operator', admin: true })
    await Promise.all(contestants.map(async ({ userId }) => { await disconnect(origin, admin, userId) }))
    await back(Date.now())
    await delay(calmMs)

    await feed.stop()
    const quietFrom = Date.now()
    if (quietMs > 0) say(`nothing is published for ${quietMs / 1000} s…`)
    await delay(quietMs)
    const quietTo = Date.now()
    feed.start(rate)

    say('the server is restarted…')
    await server.stop()
    await server.start()
    await back(Date.now())
    await delay(calmMs)
    await feed.stop()

    say('waiting for the last message…')
    const missing = ({ judge }: Contestant): number => judge.missing(before, feed.published)
    await until('all have everything', () => contestants.every(contestant => !contestant.isRunning || missing(contestant) === 0), RETURN_TIMEOUT_MS).catch(() => {})
    return contestants.map(contestant => {
      const { client, judge, errors } = contestant
      const { byLibrary, byProgram, duplicates, gaps, longest, faults, breaks } = judge
      const ownBreaks = breaks.filter(({ at }) => at > quietFrom && at < quietTo).map(({ reason }) => reason)
      const lacking = missing(contestant)
      const all = lacking === 0 ? faults : [...faults, `lacks ${lacking} messages`]
      return {
        client,
        byLibrary,
        byProgram,
        duplicates,
        gaps,
        missing: lacking,
        ownBreaks,
        longest,
        faults: all,
        errors
      }
    })
  } finally {
    await Promise.all(contestants.map(async contestant => { await contestant.close() }))
    await feed.stop().catch(() => {})
    await server.close()
  }
}

async function startAll (
  contestants: readonly Contestant[],
  contests: readonly Contest[],
  say: Say
): Promise<void> {
  for (let at = 0; at < contestants.length; at += START_AT_ONCE) {
    const some = contestants.slice(at, at + START_AT_ONCE)
    const since = Date.now()
    some.forEach((contestant, index) => {
      contestant.start(contests[at + index]!.program, `${query}&token=${runToken({ sub: contestant.userId })}`)
    })
    await allHaveCursor(some, since, CONNECT_TIMEOUT_MS)
    for (const { judge, client } of some) if (judge.cursorAt === 0) judge.faults.push(`${client.name} did not connect in ${CONNECT_TIMEOUT_MS / 1000} s`)
    say(`connected: ${some.filter(({ judge }) => judge.cursorAt > 0).map(({ client }) => client.name).join(', ') || 'none of these'}`)
  }
}

/**
 * Waits until all clients have a new cursor, or for `withinMs`. Clients that take longer are found later by
 * the messages that they lack.
 */
async function allHaveCursor (
  contestants: readonly Contestant[],
  since: number,
  withinMs: number
): Promise<void> {
  await until('all have a cursor', () => contestants.every(({ judge, isRunning }) => !isRunning || judge.cursorAt > since), withinMs).catch(() => {})
}

async function disconnect (origin: string, token: string, userId: string): Promise<void> {
  const response = await fetch(`${origin}/v1/admin/disconnect`, {
    method: 'POST', body: JSON.stringify({ user_id: userId }), headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` }
  })
  await response.arrayBuffer()
  // A poll may be between two answers: nobody is there then.
  if (response.status !== 204 && response.status !== 404) throw new Error(`POST /v1/admin/disconnect: ${response.status}`)
}
