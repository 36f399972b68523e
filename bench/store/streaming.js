import { execFileSync } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { buildApp } from '../../dist/src/app.js'
import { loadConfig } from '../../dist/src/config.js'
import { percentile } from '../report.js'

const SYMBOLS = Array.from({ length: 20 }, (_, index) => `S${index}`)
/** Clients that come and go meanwhile, so that the monitor has rows to write. */
const COMING_PER_SECOND = 20
const WARM_UP_MS = 2000

/**
 * @typedef {object} Trouble
 * @property {string} name
 * @property {() => Promise<void> | void} begin
 * @property {() => Promise<void> | void} end
 */

/**
 * Measures how long trades take from publishing to clients while the store is as it should be, and while it
 * is in trouble. Between troubles the store recovers, and the present state is measured anew.
 * @param {string} database
 * @param {Record<string, string>} env where the store is
 * @param {readonly Trouble[]} troubles
 * @param {{ seconds: number, clients: number, rate: number }} options
 */
export async function measureStreaming (database, env, troubles, { seconds, clients, rate }) {
  const config = loadConfig({
    PORT: '0',
    LOG_LEVEL: 'silent',
    SOURCES: 'none',
    BARS: 'none',
    UNKNOWN_SYMBOLS: 'accept',
    MONITOR_DAYS: '1',
    ...env
  })
  const app = await buildApp({ ...config, MAX_CONNECTIONS_PER_IP: 10_000 })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const address = /** @type {import('node:net').AddressInfo} */ (app.server.address())
  const url = `ws://127.0.0.1:${address.port}/v1/stream?subscribe=trades:${SYMBOLS.join()}`
  /** @type {number[]} */
  let latencies = []
  const open = () => {
    const socket = new WebSocket(url, 'tickwire.v1.json')
    socket.on('error', () => {})
    return socket
  }
  const sockets = Array.from({ length: clients }, open)
  for (const socket of sockets) {
    socket.on('message', data => {
      const message = JSON.parse(String(data))
      if (message.type === 'trade') latencies.push(performance.now() - Number(message.data.trade_id))
    })
  }
  await Promise.all(sockets.map(socket => new Promise(resolve => { socket.once('open', resolve) })))
  const { publisher, monitoring } = app.tickwire.parts
  let published = 0
  const publish = async () => {
    const symbol = SYMBOLS[published++ % SYMBOLS.length]
    const data = {
      symbol, price: '1', size: '1', timestamp: '2026-01-01T00:00:00Z', trade_id: String(performance.now())
    }
    await publisher.publishOwn([{ channel: 'trades', symbol, data }])
  }
  const measure = async (/** @type {number} */ forMs) => {
    latencies = []
    const began = performance.now()
    let sent = 0
    const timer = setInterval(() => {
      const due = (performance.now() - began) / 1000 * rate
      for (; sent < due; sent++) publish().catch(() => {})
    }, 1)
    const coming = setInterval(() => {
      const socket = open()
      setTimeout(() => { socket.close() }, 500)
    }, 1000 / COMING_PER_SECOND)
    await delay(forMs)
    clearInterval(timer)
    clearInterval(coming)
    await delay(200)
    return { p99: percentile(latencies, 99) ?? NaN, count: latencies.length }
  }
  const rows = []
  const round = (/** @type {number} */ value) => Number(value.toFixed(2))
  await measure(WARM_UP_MS)
  for (const { name, begin, end } of troubles) {
    const sound = await measure(seconds * 1000)
    await begin()
    // The store needs a moment to see it.
    await measure(WARM_UP_MS)
    const troubled = await measure(seconds * 1000)
    const waiting = monitoring.store?.counts.waiting ?? 0
    await end()
    const after = await measure(seconds * 1000)
    rows.push({
      database,
      'the store is': name,
      'rows that wait': waiting,
      deliveries: troubled.count,
      'p99 before, ms': round(sound.p99),
      'p99 meanwhile': round(troubled.p99),
      'p99 after': round(after.p99),
      ratio: round(troubled.p99 / Math.max(sound.p99, after.p99))
    })
  }
  for (const socket of sockets) socket.terminate()
  await app.close()
  return rows
}

/**
 * Sends a signal to all processes of a PostgreSQL.
 * @param {number} parent
 * @param {NodeJS.Signals} signal
 */
export function signalAll (parent, signal) {
  const listed = execFileSync('ps', ['-o', 'pid=', '--ppid', String(parent)]).toString()
  for (const pid of [...listed.trim().split(/\s+/).map(Number), parent]) {
    try {
      process.kill(pid, signal)
    } catch {
      // It has ended.
    }
  }
}
