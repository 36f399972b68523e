/**
 * What throttling saves and what it costs in time: a market of quotes, one client that is sent every message and one
 * that is throttled, side by side on one server in this process.
 *
 *   npm run bench -- throttle [--symbols 50] [--rate 100] [--throttle 250] [--seconds 20]
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import Fastify from 'fastify'
import { tickwire } from '@tickwire/server'
import { WebSocket } from 'ws'
import { options, percentile, report } from './report.js'

const { symbols, rate, throttle, seconds } = options({ symbols: 50, rate: 100, throttle: 250, seconds: 20 })

const app = Fastify()
await app.register(tickwire, { settings: { UNKNOWN_SYMBOLS: 'accept' } })
await app.listen({ port: 0, host: '127.0.0.1' })
const { port } = /** @type {import('node:net').AddressInfo} */ (app.server.address())

/** @param {string} query */
function open (query) {
  /** @type {{ bytes: number, got: Array<{ symbol: string, sequence: number, before: number, at: number, sent: number }> }} */
  const client = { bytes: 0, got: [] }
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/stream?${query}`, 'tickwire.v1.json', { perMessageDeflate: false })
  socket.on('message', data => {
    const at = Date.now()
    client.bytes += /** @type {Buffer} */ (data).length
    const { symbol, sequence, prev, snapshot, timestamp } = JSON.parse(String(data))
    if (sequence !== undefined && snapshot !== true) client.got.push({ symbol, sequence, before: prev ?? sequence - 1, at, sent: Date.parse(timestamp) })
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
  // One update of each symbol a turn, spread over it as a market's would be: in ten parts.
  for (let part = 0; part < 10; part++) {
    const due = began + (turn + part / 10) * 1000 / rate
    if (due > Date.now()) await delay(due - Date.now())
    const batch = names.filter((_, index) => index % 10 === part).map(symbol => (
      { channel: 'quotes', symbol, data: { symbol, bid: (100 + turn / 100).toFixed(2), ask: (100.01 + turn / 100).toFixed(2), last: '100.00', bid_size: '100', ask_size: '100', volume: String(turn) } }))
    await app.tickwire.publishAll(batch)
  }
}
const lasted = (Date.now() - began) / 1000
await delay(2 * throttle)
loop.disable()

/** When the log accepted each message. */
const published = new Map(whole.got.map(({ symbol, sequence, sent }) => [`${symbol} ${sequence}`, sent]))
// How long the oldest message of those that were joined has waited: no value is later than that.
const waits = throttled.got.map(({ symbol, before, at }) => at - (published.get(`${symbol} ${before + 1}`) ?? at))
const counts = names.map(name => throttled.got.filter(({ symbol }) => symbol === name).map(({ at }) => at))
/** Intervals by the time between the first and the last message. @param {readonly number[]} times */
const perSecond = times => (times.length - 1) * 1000 / (times[times.length - 1] - times[0])
/** @param {readonly number[]} times */
const gaps = times => times.slice(1).map((time, index) => time - times[index])
const last = new Map(throttled.got.map(({ symbol, sequence }) => [symbol, sequence]))
const behind = names.filter(name => last.get(name) !== seconds * rate)

report('throttle', { symbols, rate, throttle, seconds }, {
  'updates a second and symbol': (whole.got.length / symbols / lasted).toFixed(1),
  'throttled messages a second and symbol (most)': Math.max(...counts.map(perSecond)).toFixed(3),
  'time between two messages of a symbol as received, ms (least, p50, most)': [0, 50, 100].map(p => percentile(counts.flatMap(gaps), p)).join(', '),
  'bytes, throttled to whole': (throttled.bytes / whole.bytes).toFixed(4),
  'wait of the oldest update joined, ms (p50, p99, most)': [50, 99, 100].map(p => percentile(waits, p)).join(', '),
  'control: latency of the whole stream, ms (p50, p99, most)': [50, 99, 100].map(p => percentile(whole.got.map(({ at, sent }) => at - sent), p)).join(', '),
  "control: the event loop's delay, ms (p99, most)": [loop.percentile(99), loop.max].map(ns => (ns / 1e6).toFixed(1)).join(', '),
  'symbols that did not end with their last value': behind.length,
})
await app.close()
process.exit(0)
