/**
 * Clients subscribe to `quotes:*` at once, on a node whose Redis is some milliseconds away. The bench
 * measures how long until each client has all states, and what that costs Redis. Beside it, in the same run,
 * the way before: one state after another is read for each client.
 *
 * npm run bench -- states [--clients 20] [--topics 1000] [--delay 1]
 *
 * `delay` is the time from the node to Redis in each direction, in milliseconds.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import Fastify from 'fastify'
import { tickwire } from '@tickwire/server'
import { WebSocket } from 'ws'
import { cpuSeconds, startRedis } from './redis.js'
import { options, percentile, reportTable } from './report.js'

const settings = options({ clients: 20, topics: 1000, delay: 1 })
const redis = await startRedis()
const distant = await atDistance(redis.url, settings.delay)
const app = Fastify()
await app.register(tickwire, {
  settings: {
    UNKNOWN_SYMBOLS: 'accept',
    REDIS_URL: `redis://127.0.0.1:${distant.port}`,
    MAX_CONNECTIONS_PER_IP: 2 * settings.clients,
    RATE_LIMIT_REQUESTS: 1_000_000
  }
})
await app.listen({ port: 0, host: '127.0.0.1' })
const { port } = /** @type {import('node:net').AddressInfo} */ (app.server.address())
const symbols = Array.from({ length: settings.topics }, (_, index) => `S${index}`)
await app.tickwire.publishAll(symbols.map(symbol => {
  const data = { symbol, bid: '185.50', ask: '185.52', last: '185.51', volume: '1000' }
  return { channel: 'quotes', symbol, data }
}))

const client = redis.client()
const folder = new URL('../src/log/redis/scripts/', import.meta.url)
const lua = (/** @type {string} */ name) => readFileSync(new URL(`${name}.lua`, folder), 'utf8')
const sha = createHash('sha1').update(lua('epoch') + lua('state')).digest('hex')
let asked = 0
const monitor = connect(redis.url)
monitor.write('MONITOR\r\n')
monitor.on('data', chunk => { asked += String(chunk).split(sha).length - 1 })

/** @type {Array<Record<string, string | number>>} */
const rows = []
/** @param {string} how @param {number} clients @param {() => Promise<unknown>} one */
async function measure (how, clients, one) {
  asked = 0
  const [own, its] = [process.cpuUsage(), cpuSeconds(redis.pid)]
  const began = performance.now()
  const timed = () => one().then(() => performance.now() - began)
  const waits = await Promise.all(Array.from({ length: clients }, timed))
  await client.ping()
  const { user, system } = process.cpuUsage(own)
  rows.push({
    how,
    clients,
    'p50 ms': Math.round(percentile(waits, 50)),
    'last ms': Math.round(Math.max(...waits)),
    'questions for states': asked,
    'CPU of node and clients, s': Number(((user + system) / 1e6).toFixed(2)),
    'CPU of Redis, s': Number((cpuSeconds(redis.pid) - its).toFixed(2))
  })
}

const { log } = app.tickwire.parts
const subscribe = () => new Promise((resolve, reject) => {
  let left = settings.topics
  const url = `ws://127.0.0.1:${port}/v1/stream?subscribe=quotes:*`
  const socket = new WebSocket(url, 'tickwire.v1.batch', { perMessageDeflate: false })
  socket.on('error', reject)
  socket.on('message', data => {
    for (const { snapshot } of JSON.parse(String(data))) if (snapshot === true) left--
    if (left > 0) return
    socket.terminate()
    resolve(undefined)
  })
})
const oneByOne = async () => { for (const symbol of symbols) await log.snapshot(`quotes:${symbol}`) }
// Redis then knows the script, and everything is warm.
await subscribe()
for (const clients of new Set([1, settings.clients])) {
  await measure('one state after another', clients, oneByOne)
  await measure('quotes:*', clients, subscribe)
}
monitor.destroy()
client.disconnect()
await app.close()
distant.close()
redis.close()
reportTable('states', settings, rows, [
  '"one state after another" is what a client of quotes:* cost before states were read in batches, without ' +
    'the cost of sending them; clients that ask for the same state at the same time share its answer here, ' +
    'which they did not then'
])
process.exit(0)

/**
 * Opens a way to a Redis on which every message is delayed.
 * @param {string} socket
 * @param {number} delayMs
 * @returns {Promise<{ port: number, close: () => void }>}
 */
async function atDistance (socket, delayMs) {
  /** @param {import('node:net').Socket} from @param {import('node:net').Socket} to */
  const pipe = (from, to) => {
    from.on('data', chunk => { setTimeout(() => { to.write(chunk) }, delayMs) })
    from.on('close', () => { to.destroy() })
    from.on('error', () => {})
  }
  const server = createServer(near => {
    near.setNoDelay(true)
    const far = connect(socket)
    pipe(near, far)
    pipe(far, near)
  })
  await new Promise(resolve => { server.listen(0, '127.0.0.1', () => { resolve(undefined) }) })
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  return { port, close: () => { server.close() } }
}
