/**
 * What one worker and two workers of a server without Redis carry, and what a delivery costs them in CPU: all
 * processes of the server counted, the first one too.
 *
 * npm run bench -- workers [--workers 1,2] [--rates 1000,4000] [--clients 2000] [--topics 1000] [--each 5]
 * [--seconds 5] [--warm-up 2]
 *
 * README.md explains how to read the table.
 */
import { spawn } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Feeder } from './fan-out/feeder.js'
import { compiled, coreSeconds, fileLimit, start } from './fan-out/programs.js'
import { requests, ROWS } from './fan-out/rows.js'
import { readers, subscriptions } from './fan-out/shapes.js'
import { cpuSeconds } from './redis.js'
import { options, reportTable } from './report.js'

const settings = options({
  workers: '1,2', rates: '1000,4000', clients: 2000, topics: 1000, each: 5, seconds: 5, 'warm-up': 2
})
const { clients, topics, each, seconds } = settings

/** The feeder publishes a batch for each window of this length. */
const WINDOW_MS = 10
/** A server that delivers less than this share of what it should did not keep up. */
const KEPT_UP = 0.98
/** If other programs use more CPU than this share of a core, the row is marked. */
const MOST_OTHERS = 0.1
/** CPU for each delivery by several workers, beside one, at the same rate. */
const GOAL = 1.15
/** Files that a process opens beside its connections. */
const SPARE_FILES = 200
const QUIET_MS = 600_000
const EVERYBODY = 100_000

const COMMAND = fileURLToPath(new URL('../dist/src/cli/tickwire.js', import.meta.url))
const SECRET = 'a secret for benches only, long enough'
const row = /** @type {import('./fan-out/rows.js').Row} */ (ROWS.find(({ name }) => name === 'tickwire-ws'))

const sum = (/** @type {readonly number[]} */ values) => values.reduce((total, value) => total + value, 0)
const round = (/** @type {number} */ value, digits = 0) => Number(value.toFixed(digits))

/** The processes that a process has started. @param {number} pid */
const childrenOf = pid => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
  .filter(text => text !== '').map(Number)

/** Starts a server. @param {number} count of workers */
async function startServer (count) {
  const env = {
    PATH: process.env['PATH'],
    WORKERS: String(count),
    PORT: '0',
    SOURCES: 'none',
    BARS: 'none',
    BROKER: 'none',
    UNKNOWN_SYMBOLS: 'accept',
    JWT_SECRET: SECRET,
    LOG_LEVEL: 'error',
    DATA_DIR: join(tmpdir(), `tickwire-bench-${process.pid}`),
    MAX_CONNECTIONS: String(EVERYBODY),
    MAX_CONNECTIONS_PER_IP: String(EVERYBODY),
    RATE_LIMIT_REQUESTS: String(EVERYBODY),
    HEARTBEAT_MS: String(QUIET_MS),
    IDLE_TIMEOUT_MS: String(QUIET_MS)
  }
  const command = [...fileLimit(clients + SPARE_FILES), process.execPath, COMMAND, 'start']
  const [program = process.execPath, ...rest] = command
  const child = spawn(program, rest, { env, stdio: ['ignore', 'pipe', 'ignore'] })
  const kill = () => { child.kill('SIGKILL') }
  process.once('exit', kill)
  for await (const line of createInterface(child.stdout)) {
    const port = /listens on http:\/\/[^:]+:(\d+)/.exec(line)?.[1]
    if (port === undefined) continue
    const pid = /** @type {number} */ (child.pid)
    return {
      origin: `http://127.0.0.1:${port}`,
      port,
      pids: [pid, ...childrenOf(pid)],
      async stop () {
        const ended = new Promise(resolve => { child.once('exit', resolve) })
        child.kill('SIGTERM')
        await ended
        process.off('exit', kill)
      }
    }
  }
  throw new Error('the server did not start')
}

/** Makes what publishes to a server over HTTP. @param {string} origin */
function publisher (origin) {
  const part = (/** @type {object} */ value) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const exp = Math.floor(Date.now() / 1000) + 3600
  const claims = { iss: 'tickwire', aud: 'tickwire', exp, sub: 'bench', publish: ['*'] }
  const unsigned = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`
  const headers = {
    authorization: `Bearer ${unsigned}.${createHmac('sha256', SECRET).update(unsigned).digest('base64url')}`,
    'content-type': 'application/json'
  }
  return new Feeder(topics, WINDOW_MS, async batch => {
    const body = JSON.stringify(batch.map(data => ({ channel: 'trades', symbol: data.symbol, data })))
    await (await fetch(`${origin}/v1/publish`, { method: 'POST', headers, body })).arrayBuffer()
  })
}

/** Measures all rates. @param {number} count of workers */
async function run (count) {
  process.stderr.write(`${count} workers…\n`)
  const server = await startServer(count)
  const feeder = publisher(server.origin)
  const file = join(tmpdir(), `tickwire-bench-${process.pid}.requests`)
  writeFileSync(file, requests(row, subscriptions({ clients, topics, each })))
  const command = [compiled('readers'), server.port, file, String(topics), '0', '0']
  const load = await start(command, { files: clients + SPARE_FILES }).finally(() => { rmSync(file) })
  const look = async (/** @type {string} */ command) => {
    const told = /** @type {import('./fan-out/checked.js').Told} */ (JSON.parse(await load.ask(command)))
    const { user, system } = process.cpuUsage()
    return {
      at: performance.now(),
      machine: sum(Array.from({ length: availableParallelism() }, (_, core) => coreSeconds(core))),
      published: feeder.published,
      messages: told.going.messages,
      p50: told.going.p50,
      p99: told.going.p99,
      server: server.pids.map(cpuSeconds),
      others: told.cpu + (user + system) / 1e6
    }
  }
  /** @type {Array<Record<string, string | number>>} */
  const rows = []
  for (const rate of settings.rates.split(',').map(Number)) {
    feeder.setRate(rate)
    await delay(settings['warm-up'] * 1000)
    const before = await look('forget')
    await delay(seconds * 1000)
    const after = await look('tell')
    const took = (after.at - before.at) / 1000
    const published = after.published - before.published
    const delivered = after.messages - before.messages
    const each = after.server.map((used, index) => used - (before.server[index] ?? 0))
    const used = sum(each)
    const others = Math.max(0, after.machine - before.machine - used - (after.others - before.others)) / took
    const keepsUp = delivered >= KEPT_UP * published * readers(settings) && published >= KEPT_UP * rate * took
    rows.push({
      workers: count,
      'msg/s told': rate,
      'msg/s published': round(published / took),
      'msg/s delivered': round(delivered / took),
      'p50 ms': round(after.p50, 1),
      'p99 ms': round(after.p99, 1),
      'µs/delivered': round(1e6 * used / delivered, 2),
      'beside one': '',
      'CPU % of each process': each.map(own => round(100 * own / took)).join(' '),
      'others %': round(100 * others),
      marks: [others > MOST_OTHERS ? 'disturbed' : '', keepsUp ? '' : 'does not keep up']
        .filter(mark => mark !== '').join(', ')
    })
  }
  feeder.setRate(0)
  await load.stop()
  await server.stop()
  return rows
}

const rows = []
for (const count of settings.workers.split(',').map(Number)) rows.push(...await run(count))
for (const found of rows) {
  const one = rows.find(other => other['workers'] === 1 && other['msg/s told'] === found['msg/s told'])
  if (found['workers'] === 1 || one === undefined) continue
  const ratio = Number(found['µs/delivered']) / Number(one['µs/delivered'])
  found['beside one'] = `${ratio.toFixed(2)} ${ratio <= GOAL ? 'met' : 'missed'}`
}
reportTable('workers', settings, rows, [
  `goal: CPU for each delivery at most ${GOAL} of one worker's at the same rate`,
  'the server, the publisher and the clients share the cores of one machine; compare µs/delivered',
  'the first process of several workers is the first of its row'
])
