/**
 * What throttling saves, and what it costs in time. One client gets every message of a market of quotes, and
 * another is throttled, side by side on one server in this process.
 *
 * npm run bench -- throttle [--symbols 50] [--rate 100] [--throttle 250] [--seconds 20]
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import Fastify from 'fastify'
import { tickwire } from '@tickwire/server'
import { WebSocket } from 'ws'
import { options, percentile, report } from './report.js'

const settings = options({ symbols: 50, rate: 100, throttle: 250, seconds: 20 })
const { symbols, rate, throttle, seconds } = settings

const app = Fastify()
await app.register(tickwire, { settings: { UNKNOWN_SYMBOLS: 'accept' } })
await app.listen({ port: 0, host: '127.0.0.1' })
const { port } = /** @type {import('node:net').AddressInfo} */ (app.server.address())

/** @typedef {{ symbol: string, sequence: number, before: number, at: number, sent: number }} Got */

/** @param {string} query */
function open (query) {
  /** @type {{ bytes: number, got: Got[] }} */
  const client = { bytes: 0, got: [] }
  const url = `ws://127.0.0.1:${port}/v1/stream?${query}`
  const socket = new WebSocket(url, 'tickwire.v1.json', { perMessageDeflate: false })
  socket.on('message', data => {
    const at = Date.now()
    client.bytes += /** @type {Buffer} */ (data).length
    const { symbol, sequence, prev, snapshot, timestamp } = JSON.parse(String(data))
    if (sequence === undefined || snapshot === true) return
    client.got.push({ symbol, sequence, before: prev ?? sequence - 1, at, sent: Date.parse(timestamp) })
  })
  return client
}

const whole = open('subscribe=quotes:*')
const throttled = open(`subscribe=quotes:*;throttle_ms=${throttle}`)
await delay(500)

const loop = monitorEventLoopDelay({ resolution: 5 })
loop.enable()
const began = Date.now()
const names = Array.from({ length: symbols }, (_, index) => `S${index}`)
for (let turn = 0; turn < seconds * rate; turn++) {
  // Each symbol gets one update in a turn. The updates are spread over the turn in ten parts, as those of a
  // market are.
  for (let part = 0; part < 10; part++) {
    const due = began + (turn + part / 10) * 1000 / rate
    if (due > Date.now()) await delay(due - Date.now())
    const [bid, ask] = [100 + turn / 100, 100.01 + turn / 100].map(price => price.toFixed(2))
    const data = { bid, ask, last: '100.00', bid_size: '100', ask_size: '100', volume: String(turn) }
    const batch = names
      .filter((_, index) => index % 10 === part)
      .map(symbol => ({ channel: 'quotes', symbol, data: { symbol, ...data } }))
    await app.tickwire.publishAll(batch)
  }
}
const lasted = (Date.now() - began) / 1000
await delay(2 * throttle)
loop.disable()

/** By message, when the log accepted it. */
const published = new Map(whole.got.map(({ symbol, sequence, sent }) => [`${symbol} ${sequence}`, sent]))
// How long the oldest of the joined messages has waited. No value is later than that.
const waits = throttled.got.map(({ symbol, before, at }) => {
  return at - (published.get(`${symbol} ${before + 1}`) ?? at)
})
const counts = names.map(name => {
  return throttled.got.filter(({ symbol }) => symbol === name).map(({ at }) => at)
})
/** Messages a second between the first and the last. @param {readonly number[]} times */
const perSecond = times => (times.length - 1) * 1000 / (times[times.length - 1] - times[0])
/** @param {readonly number[]} times */
const gaps = times => times.slice(1).map((time, index) => time - times[index])
const last = new Map(throttled.got.map(({ symbol, sequence }) => [symbol, sequence]))
const behind = names.filter(name => last.get(name) !== seconds * rate)

const latencies = whole.got.map(({ at, sent }) => at - sent)
/** @param {readonly number[]} values @param {readonly number[]} percents */
const percentiles = (values, percents) => percents.map(percent => percentile(values, percent)).join(', ')
report('throttle', settings, {
  'updates a second and symbol': (whole.got.length / symbols / lasted).toFixed(1),
  'throttled messages a second and symbol (most)': Math.max(...counts.map(perSecond)).toFixed(3),
  'time between two messages of a symbol as received, ms (least, p50, most)':
    percentiles(counts.flatMap(gaps), [0, 50, 100]),
  'bytes, throttled to whole': (throttled.bytes / whole.bytes).toFixed(4),
  'wait of the oldest update joined, ms (p50, p99, most)': percentiles(waits, [50, 99, 100]),
  'control: latency of the whole stream, ms (p50, p99, most)': percentiles(latencies, [50, 99, 100]),
  "control: the event loop's delay, ms (p99, most)":
    [loop.percentile(99), loop.max].map(ns => (ns / 1e6).toFixed(1)).join(', '),
  'symbols that did not end with their last value': behind.length,
})
await app.close()
process.exit(0)
