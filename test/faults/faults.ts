import { setTimeout as delay } from 'node:timers/promises'
import { kinds } from './backing.js'
import { failoverFaults } from './failover-faults.js'
import type { Fault } from './fault.js'
import { failover, flushed, redisEmptied, redisRolledBack } from './losing-faults.js'
import type { World } from './world.js'

const STOPPED_MS = 3000
const STOPPED_LONG_MS = 10_000
const AWAY_MS = 4000
/**
 * A node says within about a second that its log is away; on a machine that is busy with other things, as
 * much later as it answers a question that needs no log.
 */
const SLOWEST_ANSWER_MS = 2000
const PROBE_PAUSE_MS = 100
const CONNECTIONS_CUT = 5

const stoppedMs = ({ options }: World): number => options.long ? STOPPED_LONG_MS : STOPPED_MS

async function nodeKilled ({ nodes, random }: World): Promise<void> {
  const node = random.pick(nodes)
  await node.kill()
  await delay(random.integer(200, 1500))
  await node.start()
}

async function nodeStopped (world: World): Promise<void> {
  const node = world.random.pick(world.nodes)
  node.signal('SIGSTOP')
  await delay(stoppedMs(world))
  node.signal('SIGCONT')
}

async function pubSubCut (world: World): Promise<void> {
  for (let cut = 0; cut < CONNECTIONS_CUT; cut++) {
    for (const server of new Set(await world.backing.holders(world.options.shards))) await server.ask(redis => redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub'))
    await delay(world.random.integer(50, 300))
  }
}

async function answersLost ({ standalone, random }: World): Promise<void> {
  const link = random.pick(standalone.links)
  link.swallowAnswers()
  await delay(random.integer(100, 1500))
  link.breakAll()
}

async function redisStopped (world: World): Promise<void> {
  await whileAway(world, async () => {
    process.kill(world.standalone.redis.pid, 'SIGSTOP')
    await delay(stoppedMs(world))
    process.kill(world.standalone.redis.pid, 'SIGCONT')
  })
}

async function redisAway (world: World): Promise<void> {
  await whileAway(world, async () => { await restart(world, AWAY_MS) })
}

async function redisRestarted (world: World): Promise<void> {
  await restart(world, world.random.integer(0, 300))
}

/** Ends it so that it saves, and starts it with what it saved. */
async function restart ({ standalone: { redis } }: World, awayMs: number): Promise<void> {
  await redis.ask(client => client.config('SET', 'save', '86400 1000000000'))
  await redis.stop()
  await delay(awayMs)
  await redis.start()
}

/** Ends it as a crash would, with a file that has every write before its answer. */
async function redisCrashed (world: World): Promise<void> {
  const { redis } = world.standalone
  await redis.forget()
  await world.ask(async client => {
    await client.config('SET', 'appendfsync', 'always')
    await client.config('SET', 'appendonly', 'yes')
    // Until the first file is written, what is appended is nowhere.
    for (let info = ''; !/aof_rewrite_in_progress:0[^]*aof_rewrite_scheduled:0/.test(info); await delay(20)) info = await client.info('persistence')
  })
  await world.publisher.more(50)
  await redis.kill()
  await redis.start(['--appendonly', 'yes', '--appendfsync', 'always'])
  await world.ask(client => client.config('SET', 'appendonly', 'no'))
}

/** While the log is away: live clients stay, and whoever publishes is told so soon. */
async function whileAway ({ publisher, fleet, violations }: World, away: () => Promise<void>): Promise<void> {
  const from = Date.now()
  let isAway = true
  const probes = Promise.all(publisher.origins.map(origin => slowestProbe(origin, () => isAway)))
  await away().finally(() => { isAway = false })
  const to = Date.now()
  const closed = fleet.clients.flatMap(({ options, ended }) => ended
    .filter(({ at, by, transport, settled }) => at >= from && settled && by !== 'run' && transport !== 'poll').map(({ by, transport }) => `${options.name} (${transport}, ${by})`))
  if (closed.length > 0) violations.push(`${closed.length} connections were lost while Redis was away: ${closed.slice(0, 3).join(', ')}`)
  const slowest = publisher.slowest(from, to)
  const probe = Math.max(...await probes)
  if (slowest > SLOWEST_ANSWER_MS + probe) violations.push(`publish was answered after ${slowest} ms while Redis was away, and /healthz after ${probe} ms`)
  const refusals = publisher.answers.filter(({ at, status }) => at >= from && status !== 200)
  const other = refusals.find(({ status, code }) => status !== 503 || code !== 'log_unavailable')
  if (other !== undefined) violations.push(`publish was refused with ${other.status} ${other.code} while Redis was away`)
  if (refusals.length === 0) violations.push('publish was not refused although Redis was away')
}

/** Asks a node whether it lives, again and again. @returns milliseconds of the slowest answer */
async function slowestProbe (origin: string, goesOn: () => boolean): Promise<number> {
  let slowest = 0
  while (goesOn()) {
    const asked = performance.now()
    // A node that has ended by itself is noted elsewhere.
    await fetch(`${origin}/healthz`).then(response => response.text()).catch(() => {})
    slowest = Math.max(slowest, Math.round(performance.now() - asked))
    await delay(PROBE_PAUSE_MS)
  }
  return slowest
}

const alone = ['standalone'] as const

export const faults: readonly Fault[] = [
  { name: 'node-killed', about: 'kill -9 of a node, which is started again', on: kinds, loses: false, run: nodeKilled },
  { name: 'node-stopped', about: 'a node is stopped and goes on', on: kinds, loses: false, run: nodeStopped },
  { name: 'pubsub-cut', about: 'CLIENT KILL TYPE pubsub, several times', on: kinds, loses: false, run: pubSubCut },
  { name: 'answers-lost', about: 'answers of Redis to a node are lost, then the connection', on: alone, loses: false, run: answersLost },
  { name: 'redis-stopped', about: 'Redis is stopped and goes on', on: alone, loses: false, run: redisStopped },
  { name: 'redis-away', about: 'Redis is away for four seconds, and comes back with all', on: alone, loses: false, run: redisAway },
  { name: 'redis-restarted', about: 'Redis saves, ends, and is started again', on: alone, loses: false, run: redisRestarted },
  { name: 'redis-crashed', about: 'kill -9 of Redis, which has written all to its file', on: alone, loses: false, run: redisCrashed },
  { name: 'redis-rolled-back', about: 'kill -9 of Redis, which comes back without its last writes', on: alone, loses: true, run: redisRolledBack },
  { name: 'redis-emptied', about: 'kill -9 of Redis, which comes back empty', on: alone, loses: true, run: redisEmptied },
  { name: 'flushed', about: 'FLUSHALL', on: alone, loses: true, run: flushed },
  { name: 'failover', about: 'a replica that missed the last writes takes over, and is appended to by a node that never saw them', on: alone, loses: true, run: failover },
  ...failoverFaults
]
