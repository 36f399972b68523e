/**
 * What several nodes on one Redis carry, where their clients want topics of all shards and where each node's clients want those of some.
 *
 *   npm run bench -- nodes [--nodes 1,2,3] [--rates 2000,8000] [--shards 16] [--clients 3000] [--topics 1000] [--each 5] [--seconds 5] [--warm-up 2]
 *
 * README.md says how to read the table.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { shardOf } from '../dist/src/log/shard-of.js'
import { publishedOf } from './fan-out/feeder.js'
import { compiled, coreSeconds, start } from './fan-out/programs.js'
import { requests, ROWS, topicName } from './fan-out/rows.js'
import { readers, subscriptions } from './fan-out/shapes.js'
import { cpuSeconds, startRedis } from './redis.js'
import { options, reportTable } from './report.js'

const settings = options({ nodes: '1,2,3', rates: '2000,8000', shards: 16, clients: 3000, topics: 1000, each: 5, seconds: 5, 'warm-up': 2 })
const { shards, clients, topics, each, seconds } = settings

/** What the feeder publishes at a time. */
const WINDOW_MS = 10
/** How long what is on its way may take to arrive when nothing more is published. */
const DRAIN_MS = 15_000
/** Share of what was to be delivered below which the nodes did not keep up. */
const KEPT_UP = 0.98
/** CPU time of other programs, as a share of a core, beyond which a row is marked. */
const MOST_OTHERS = 0.1
/** Files of a process beside its connections. */
const SPARE_FILES = 200

const SERVER = new URL('fan-out/server/tickwire.js', import.meta.url).pathname
const row = /** @type {import('./fan-out/rows.js').Row} */ (ROWS.find(({ name }) => name === 'tickwire-ws'))

/**
 * The topics of each client, by node. `any`: a client is on any node. `by shard`: it is on the one that has the shards of its topics.
 * @param {number} nodes
 * @param {'any' | 'by shard'} placed
 * @returns {number[][][]}
 */
function placements (nodes, placed) {
  const perTopic = readers({ clients, topics, each })
  if (placed === 'any') {
    const all = subscriptions({ clients, topics, each })
    return Array.from({ length: nodes }, (_, node) => all.filter((_subscription, client) => client % nodes === node))
  }
  return Array.from({ length: nodes }, (_, node) => {
    const own = Array.from({ length: topics }, (_, topic) => topic).filter(topic => shardOf(`trades:${topicName(topic)}`, shards) % nodes === node)
    const padded = Math.ceil(own.length / each) * each
    return subscriptions({ clients: padded / each * perTopic, topics: padded, each })
      .map(places => places.flatMap(place => own[place] ?? []))
      .filter(places => places.length > 0)
  })
}

/** @param {number} port @returns {Promise<(name: string) => number>} what a node says of itself */
async function metrics (port) {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  return name => Number(new RegExp(`^tickwire_${name} (.*)$`, 'm').exec(text)?.[1])
}

const sum = (/** @type {readonly number[]} */ values) => values.reduce((total, value) => total + value, 0)
const round = (/** @type {number} */ value, digits = 0) => Number(value.toFixed(digits))

/** @param {number} count of nodes @param {'any' | 'by shard'} placed */
async function run (count, placed) {
  process.stderr.write(`${count} nodes, clients ${placed === 'any' ? 'on any' : 'by shard'}…\n`)
  const redis = await startRedis()
  const files = clients + SPARE_FILES
  const server = () => start([process.execPath, SERVER, JSON.stringify({ topics, windowMs: WINDOW_MS, flush: 'auto', metrics: true, more: { REDIS_URL: redis.url, LOG_SHARDS: shards } })], { files })
  const publisher = await server()
  const nodes = await Promise.all(Array.from({ length: count }, server))
  const ports = nodes.map(({ said }) => Number(said.split(' ')[1]))
  const placement = placements(count, placed)
  const loads = await Promise.all(nodes.map(async (_, node) => {
    const file = join(tmpdir(), `tickwire-bench-${process.pid}-${node}.requests`)
    writeFileSync(file, requests(row, placement[node] ?? []))
    try {
      return await start([compiled('readers'), String(ports[node]), file, String(topics), '0', '0'], { files })
    } finally {
      rmSync(file)
    }
  }))
  const tell = async (/** @type {string} */ command) => await Promise.all(loads.map(async load => /** @type {import('./fan-out/checked.js').Told} */ (JSON.parse(await load.ask(command)))))
  const look = async (/** @type {string} */ command) => {
    const told = await tell(command)
    const said = await Promise.all(ports.map(metrics))
    return {
      at: performance.now(),
      machine: sum(Array.from({ length: availableParallelism() }, (_, core) => coreSeconds(core))),
      published: Number(await publisher.ask('published')),
      messages: told.map(({ going }) => going.messages),
      reads: sum(told.map(({ reads }) => reads)),
      latency: told.map(({ going: { p50, p99 } }) => ({ p50, p99 })),
      received: sum(said.map(value => value('messages_received_total'))),
      followed: said.map(value => value('shards_followed')),
      cpu: { nodes: nodes.map(({ pid }) => cpuSeconds(pid)), redis: cpuSeconds(redis.pid), publisher: cpuSeconds(publisher.pid), clients: sum(told.map(({ cpu }) => cpu)) }
    }
  }
  /** @type {Array<Record<string, string | number>>} */
  const rows = []
  for (const rate of settings.rates.split(',').map(Number)) {
    await publisher.ask(`rate ${rate}`)
    await delay(settings['warm-up'] * 1000)
    const before = await look('forget')
    await delay(seconds * 1000)
    const after = await look('tell')
    const took = (after.at - before.at) / 1000
    const published = after.published - before.published
    const delivered = sum(after.messages) - sum(before.messages)
    const nodeCpu = after.cpu.nodes.map((used, node) => used - (before.cpu.nodes[node] ?? 0))
    const own = sum(nodeCpu) + after.cpu.redis - before.cpu.redis + after.cpu.publisher - before.cpu.publisher + after.cpu.clients - before.cpu.clients
    const others = Math.max(0, after.machine - before.machine - own) / took
    const perNode = nodeCpu.map((used, node) => round(1e6 * used / ((after.messages[node] ?? 0) - (before.messages[node] ?? 0)), 1))
    rows.push({
      nodes: count,
      clients: placed,
      'shards followed': after.followed.join(' '),
      'msg/s told': rate,
      'msg/s published': round(published / took),
      'msg/s delivered': round(delivered / took),
      'received by nodes': round((after.received - before.received) / published, 2),
      'msg/read': round(delivered / (after.reads - before.reads), 2),
      'p50 ms': round(Math.max(...after.latency.map(({ p50 }) => p50)), 1),
      'p99 ms': round(Math.max(...after.latency.map(({ p99 }) => p99)), 1),
      'µs/delivered': round(1e6 * sum(nodeCpu) / delivered, 2),
      'of each node': perNode.join(' '),
      'Redis µs/msg': round(1e6 * (after.cpu.redis - before.cpu.redis) / published, 1),
      'publisher µs/msg': round(1e6 * (after.cpu.publisher - before.cpu.publisher) / published, 1),
      'nodes CPU %': round(100 * sum(nodeCpu) / took),
      'all CPU %': round(100 * own / took),
      'others %': round(100 * others),
      marks: [others > MOST_OTHERS ? 'disturbed' : '', delivered < KEPT_UP * published * readers({ clients, topics, each }) || published < KEPT_UP * rate * took ? 'does not keep up' : ''].filter(mark => mark !== '').join(', ')
    })
  }
  const total = Number(await publisher.ask('rate 0'))
  const wrong = await unfinished(loads, placement, publishedOf(topics, total))
  const told = await tell('tell')
  const faults = sum(told.map(({ going: { gaps, repeated, unasked, other_resets: others, lagging_resets: lagging, closed } }) => gaps + repeated + unasked + others + lagging + closed))
  const last = rows.at(-1)
  if (last !== undefined && wrong + faults > 0) last['marks'] = [last['marks'], `${wrong} topics not complete`, `${faults} faults`].join(', ')
  for (const program of [...loads, ...nodes, publisher]) await program.stop()
  redis.close()
  return rows
}

/**
 * How many topics some client does not have to the last message, when nothing more comes.
 * @param {readonly import('./fan-out/programs.js').Program[]} loads @param {number[][][]} placement @param {readonly number[]} expected
 */
async function unfinished (loads, placement, expected) {
  const wanted = placement.map(subscribed => new Set(subscribed.flat()))
  for (const deadline = Date.now() + DRAIN_MS; ;) {
    const has = await Promise.all(loads.map(async load => /** @type {Array<[number, number]>} */ (JSON.parse(await load.ask('topics')))))
    const wrong = sum(has.map((topicsOf, node) => topicsOf.filter(([least, most], topic) => wanted[node]?.has(topic) === true && (least !== expected[topic] || most !== expected[topic])).length))
    if (wrong === 0 || Date.now() > deadline) return wrong
    await delay(100)
  }
}

const rows = []
for (const count of settings.nodes.split(',').map(Number)) {
  for (const placed of /** @type {const} */ (['any', 'by shard'])) if (count > 1 || placed === 'any') rows.push(...await run(count, placed))
}
reportTable('nodes', settings, rows, ['all of it on the cores of one machine: Redis, the publisher, the nodes and the clients; µs/delivered is what to compare'])
