/**
 * What several nodes on one Redis carry, if each client wants topics of all shards, and if the clients of
 * each node want topics of some shards only.
 *
 * npm run bench -- nodes [--nodes 1,2,3] [--rates 2000,8000] [--shards 16] [--clients 3000] [--topics 1000]
 * [--each 5] [--seconds 5] [--warm-up 2]
 *
 * README.md explains how to read the table.
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

const settings = options({
  nodes: '1,2,3',
  rates: '2000,8000',
  shards: 16,
  clients: 3000,
  topics: 1000,
  each: 5,
  seconds: 5,
  'warm-up': 2
})
const { shards, clients, topics, each, seconds } = settings

/** The feeder publishes a batch for each window of this length. */
const WINDOW_MS = 10
/** How long messages under way may take to arrive after the last one was published. */
const DRAIN_MS = 15_000
/** Nodes that deliver less than this share of what they should did not keep up. */
const KEPT_UP = 0.98
/** If other programs use more CPU than this share of a core, the row is marked. */
const MOST_OTHERS = 0.1
/** Files that a process opens beside its connections. */
const SPARE_FILES = 200

const SERVER = new URL('fan-out/server/tickwire.js', import.meta.url).pathname
const row = /** @type {import('./fan-out/rows.js').Row} */ (ROWS.find(({ name }) => name === 'tickwire-ws'))

/**
 * Returns the topics of each client, by node. `any`: a client is on any node. `by shard`: a client is on the
 * node that has the shards of its topics.
 * @param {number} nodes
 * @param {'any' | 'by shard'} placed
 * @returns {number[][][]}
 */
function placements (nodes, placed) {
  const perTopic = readers({ clients, topics, each })
  if (placed === 'any') {
    const all = subscriptions({ clients, topics, each })
    return Array.from({ length: nodes }, (_, node) => {
      return all.filter((_subscription, client) => client % nodes === node)
    })
  }
  const all = Array.from({ length: topics }, (_, topic) => topic)
  const nodeOf = (/** @type {number} */ topic) => shardOf(`trades:${topicName(topic)}`, shards) % nodes
  return Array.from({ length: nodes }, (_, node) => {
    const own = all.filter(topic => nodeOf(topic) === node)
    const padded = Math.ceil(own.length / each) * each
    return subscriptions({ clients: padded / each * perTopic, topics: padded, each })
      .map(numbers => numbers.flatMap(number => own[number] ?? []))
      .filter(numbers => numbers.length > 0)
  })
}

/** Reads the metrics of a node. @param {number} port @returns {Promise<(name: string) => number>} */
async function metrics (port) {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  return name => Number(new RegExp(`^tickwire_${name} (.*)$`, 'm').exec(text)?.[1])
}

const sum = (/** @type {readonly number[]} */ values) => values.reduce((total, value) => total + value, 0)
const round = (/** @type {number} */ value, digits = 0) => Number(value.toFixed(digits))

/** Measures all rates. @param {number} count of nodes @param {'any' | 'by shard'} placed */
async function run (count, placed) {
  process.stderr.write(`${count} nodes, clients ${placed === 'any' ? 'on any' : 'by shard'}…\n`)
  const redis = await startRedis()
  const files = clients + SPARE_FILES
  const more = { REDIS_URL: redis.url, LOG_SHARDS: shards }
  const serverSettings = JSON.stringify({ topics, windowMs: WINDOW_MS, flush: 'auto', metrics: true, more })
  const server = () => start([process.execPath, SERVER, serverSettings], { files })
  const publisher = await server()
  const nodes = await Promise.all(Array.from({ length: count }, server))
  const ports = nodes.map(({ said }) => Number(said.split(' ')[1]))
  const placement = placements(count, placed)
  const loads = await Promise.all(nodes.map(async (_, node) => {
    const file = join(tmpdir(), `tickwire-bench-${process.pid}-${node}.requests`)
    writeFileSync(file, requests(row, placement[node] ?? []))
    try {
      const command = [compiled('readers'), String(ports[node]), file, String(topics), '0', '0']
      return await start(command, { files })
    } finally {
      rmSync(file)
    }
  }))
  const tell = async (/** @type {string} */ command) => await Promise.all(loads.map(async load => {
    return /** @type {import('./fan-out/checked.js').Told} */ (JSON.parse(await load.ask(command)))
  }))
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
      cpu: {
        nodes: nodes.map(({ pid }) => cpuSeconds(pid)),
        redis: cpuSeconds(redis.pid),
        publisher: cpuSeconds(publisher.pid),
        clients: sum(told.map(({ cpu }) => cpu))
      }
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
    const redisCpu = after.cpu.redis - before.cpu.redis
    const publisherCpu = after.cpu.publisher - before.cpu.publisher
    const clientsCpu = after.cpu.clients - before.cpu.clients
    const own = sum([...nodeCpu, redisCpu, publisherCpu, clientsCpu])
    const others = Math.max(0, after.machine - before.machine - own) / took
    const perNode = nodeCpu.map((used, node) => {
      return round(1e6 * used / ((after.messages[node] ?? 0) - (before.messages[node] ?? 0)), 1)
    })
    const expected = published * readers({ clients, topics, each })
    const keepsUp = delivered >= KEPT_UP * expected && published >= KEPT_UP * rate * took
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
      'Redis µs/msg': round(1e6 * redisCpu / published, 1),
      'publisher µs/msg': round(1e6 * publisherCpu / published, 1),
      'nodes CPU %': round(100 * sum(nodeCpu) / took),
      'all CPU %': round(100 * own / took),
      'others %': round(100 * others),
      marks: [others > MOST_OTHERS ? 'disturbed' : '', keepsUp ? '' : 'does not keep up']
        .filter(mark => mark !== '').join(', ')
    })
  }
  const total = Number(await publisher.ask('rate 0'))
  const wrong = await unfinished(loads, placement, publishedOf(topics, total))
  const told = await tell('tell')
  const faults = sum(told.map(({ going }) => {
    const { gaps, repeated, unasked, other_resets: others, lagging_resets: lagging, closed } = going
    return gaps + repeated + unasked + others + lagging + closed
  }))
  const last = rows.at(-1)
  if (last !== undefined && wrong + faults > 0) {
    last['marks'] = [last['marks'], `${wrong} topics not complete`, `${faults} faults`].join(', ')
  }
  for (const program of [...loads, ...nodes, publisher]) await program.stop()
  redis.close()
  return rows
}

/**
 * Waits until nothing more comes. Returns the number of topics of which a client then lacks the last message.
 * @param {readonly import('./fan-out/programs.js').Program[]} loads
 * @param {number[][][]} placement
 * @param {readonly number[]} expected
 */
async function unfinished (loads, placement, expected) {
  const wanted = placement.map(subscribed => new Set(subscribed.flat()))
  for (const deadline = Date.now() + DRAIN_MS; ;) {
    const has = await Promise.all(loads.map(async load => {
      return /** @type {Array<[number, number]>} */ (JSON.parse(await load.ask('topics')))
    }))
    const wrong = sum(has.map((topicsOf, node) => topicsOf.filter(([least, most], topic) => {
      const isWrong = least !== expected[topic] || most !== expected[topic]
      return isWrong && wanted[node]?.has(topic) === true
    }).length))
    if (wrong === 0 || Date.now() > deadline) return wrong
    await delay(100)
  }
}

const rows = []
for (const count of settings.nodes.split(',').map(Number)) {
  for (const placed of /** @type {const} */ (['any', 'by shard'])) {
    if (count > 1 || placed === 'any') rows.push(...await run(count, placed))
  }
}
reportTable('nodes', settings, rows, [
  'Redis, the publisher, the nodes and the clients share the cores of one machine; compare µs/delivered'
])
