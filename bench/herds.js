/**
 * Herds: many clients connect in the same moment, as when another server has gone or a network comes back.
 * The bench measures how long until all are caught up, what that costs the server, and what the clients
 * notice that are connected already.
 *
 * npm run bench -- herds [--clients 1000,10000] [--stores memory,redis] [--live 200] [--away 3]
 * [--profile folder]
 *
 * Clients ask for `quotes:*` or for 20 topics each; without a cursor, or with that of `away` seconds before.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { BATCH_SUBPROTOCOL } from '@tickwire/protocol'
import WebSocket from 'ws'
import { compiled, LOAD_CORE, residentBytes, SERVER_CORE, start } from './fan-out/programs.js'
import { mixedQuery } from './fan-out/mixed.js'
import { requests, topicName, upgrade } from './fan-out/rows.js'
import { subscriptions } from './fan-out/shapes.js'
import { cpuSeconds, startRedis } from './redis.js'
import { options, reportTable } from './report.js'

/** Files that a process opens beside its connections. */
const SPARE_FILES = 1000
const TOPICS = 1000
const EACH = 20
const WINDOW_MS = 50
/** Before the herd, each topic gets a state and some messages. */
const FILLING = { rate: 2000, ms: 3000 }
const CALM_MS = 5000
/** How long the server may take to give memory back. */
const REST_MS = 5000
/** Between two collections. */
const GIVE_BACK_MS = 500
/** Messages a second: what a herd of this kind can be sent once it is caught up. */
const KINDS = { 'quotes:*': 20, '20 topics': 100 }

const settings = options({ clients: '1000,10000', stores: 'memory,redis', live: 200, away: 3, profile: '' })
const kinds = /** @type {Array<keyof typeof KINDS>} */ (Object.keys(KINDS))

/** @param {string} query @param {string} cursor */
const ask = (query, cursor) => upgrade(
  `/v1/stream?${query}${cursor === '' ? '' : `&after=${encodeURIComponent(cursor)}`}`,
  `Sec-WebSocket-Protocol: ${BATCH_SUBPROTOCOL}\r\n`)

/**
 * Starts clients.
 * @param {string} port
 * @param {number} clients
 * @param {(numbers: readonly number[]) => string} request of a client, by the numbers of its topics
 * @param {readonly string[]} more
 */
async function load (port, clients, request, more = []) {
  const file = join(tmpdir(), `tickwire-herd-${process.pid}.requests`)
  const shape = { clients, topics: TOPICS, each: EACH }
  const asked = (/** @type {readonly string[]} */ topics) => (
    request(topics.map(topic => Number(topic.slice(1)))))
  writeFileSync(file, requests({ request: asked, next: () => '' }, subscriptions(shape)))
  try {
    const command = [compiled('load'), port, file, 'stream', '{"type":"cursor"', ...more]
    return await start(command, { core: LOAD_CORE, files: clients + SPARE_FILES })
  } finally {
    rmSync(file)
  }
}

/** Reads the cursor of a client of a query that has caught up. @param {string} port @param {string} query */
async function cursorOf (port, query) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/stream?${query}`, BATCH_SUBPROTOCOL)
  try {
    return await new Promise((resolve, reject) => {
      socket.on('error', reject).on('message', data => {
        const messages = /** @type {Array<{ type: string, cursor: string }>} */ (JSON.parse(String(data)))
        const last = messages.findLast(({ type }) => type === 'cursor')
        if (last !== undefined) resolve(last.cursor)
      })
    })
  } finally {
    socket.terminate()
  }
}

/** @param {string} store @param {keyof typeof KINDS} kind @param {boolean} resumes @param {number} clients */
async function run (store, kind, resumes, clients) {
  const redis = store === 'redis' ? await startRedis() : undefined
  const more = { MAX_BUFFERED_BYTES: 65536, ...redis === undefined ? {} : { REDIS_URL: redis.url } }
  const program = new URL('fan-out/server/tickwire.js', import.meta.url).pathname
  const given = JSON.stringify({ topics: TOPICS, windowMs: WINDOW_MS, mixed: true, more, warmMs: 1500 })
  const profile = settings.profile === '' ? [] : ['--cpu-prof', `--cpu-prof-dir=${settings.profile}`]
  const command = [process.execPath, '--expose-gc', ...profile, program, given]
  const server = await start(command, { core: SERVER_CORE, files: clients + SPARE_FILES })
  const [, port = ''] = server.said.split(' ')
  // V8 gives pages of a heap that was larger back with the collections after the first.
  const collect = async () => {
    for (let collections = 0; collections < 3; collections++) {
      await server.ask('gc')
      await delay(GIVE_BACK_MS)
    }
    return residentBytes(server.pid) / 2 ** 20
  }
  const all = mixedQuery(Array.from({ length: TOPICS }, (_, number) => topicName(number)))
  const query = (/** @type {readonly number[]} */ numbers) => (
    kind === 'quotes:*' ? 'subscribe=quotes:*' : mixedQuery(numbers.map(topicName)))
  try {
    await server.ask(`rate ${FILLING.rate}`)
    await delay(FILLING.ms)
    await server.ask(`rate ${KINDS[kind]}`)
    const live = await load(port, settings.live, numbers => ask(mixedQuery(numbers.map(topicName)), ''))
    await delay(CALM_MS)
    const before = await collect()
    await live.ask('tell')
    await delay(CALM_MS)
    const calm = JSON.parse(await live.ask('tell'))
    // A cursor is good for any topics; that of all topics covers those of each client.
    const cursor = resumes ? await cursorOf(port, kind === 'quotes:*' ? 'subscribe=quotes:*' : all) : ''
    await delay(settings.away * 1000)
    await live.ask('tell')
    const [cpu, redisCpu] = [cpuSeconds(server.pid), redis === undefined ? 0 : cpuSeconds(redis.pid)]
    const herd = await load(port, clients, numbers => ask(query(numbers), cursor), ['herd'])
    const perClient = (/** @type {number} */ seconds) => Number((seconds * 1000 / clients).toFixed(2))
    const used = perClient(cpuSeconds(server.pid) - cpu)
    const ofRedis = redis === undefined ? '-' : perClient(cpuSeconds(redis.pid) - redisCpu)
    const during = JSON.parse(await live.ask('tell'))
    const told = JSON.parse(await herd.ask('tell'))
    const peak = residentBytes(server.pid) / 2 ** 20
    await herd.stop()
    await delay(REST_MS)
    const after = await collect()
    await live.stop()
    return {
      log: store,
      'each asks for': kind,
      cursor: resumes ? `${settings.away} s old` : 'none',
      clients,
      'caught up p50 ms': Math.round(told.ready_p50),
      'p99 ms': Math.round(told.ready_p99),
      'CPU ms/client': used,
      'Redis CPU ms/client': ofRedis,
      'MiB received': Math.round(told.bytes / 2 ** 20),
      'live p99 before': calm.p99,
      'live p99 meanwhile': during.p99,
      'MiB before': Math.round(before),
      'MiB with the herd': Math.round(peak),
      'MiB afterwards': Math.round(after),
      closed: told.closed + during.closed
    }
  } finally {
    await server.stop()
    redis?.close()
  }
}

const results = []
for (const store of settings.stores.split(',')) {
  for (const kind of kinds) {
    for (const resumes of [false, true]) {
      for (const clients of settings.clients.split(',').map(Number)) {
        const how = resumes ? 'with' : 'without'
        process.stderr.write(`${store} ${kind} ${how} cursors, ${clients} clients…\n`)
        results.push(await run(store, kind, resumes, clients))
      }
    }
  }
}
reportTable('herds', settings, results)
process.exit(0)
