/**
 * How many messages a second one node appends to one Redis through the publisher: validated, numbered,
 * replayable, and published to all nodes. Beside it, in the same run, how many bare XADDs Redis does.
 *
 * npm run bench -- publish [--bytes 200] [--topics 1000] [--batch 100] [--ahead 40] [--seconds 10]
 *
 * A publish has `batch` messages, and `ahead` publishes are under way at a time.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import Fastify from 'fastify'
import { tickwire } from '@tickwire/server'
import { options, percentile, report } from './report.js'
import { bareXadd, cpuSeconds, startRedis } from './redis.js'

const settings = options({ bytes: 200, topics: 1000, batch: 100, ahead: 40, seconds: 10 })
const { bytes, topics, batch, ahead, seconds } = settings

const redis = await startRedis()
const bareBefore = bareXadd(redis.program, redis.url, bytes, 100)

const app = Fastify()
await app.register(tickwire, { settings: { UNKNOWN_SYMBOLS: 'accept', REDIS_URL: redis.url } })
await app.listen({ port: 0, host: '127.0.0.1' })

// A quote as venues send it. The digits of its volume make up the size.
const FIXED = { bid_size: '100', ask_size: '200', change: '0.50', change_percent: '0.5' }
const DAY = { open: '99.50', high: '101.00', low: '99.00' }
const quote = (/** @type {string} */ symbol, /** @type {string} */ price, /** @type {string} */ volume) => (
  { symbol, bid: price, ask: price, last: price, volume, ...FIXED, ...DAY })
const digits = bytes - JSON.stringify(quote('S0000', '100.00', '')).length
if (digits < 1 || digits > 60) {
  const least = bytes - digits + 1
  throw new Error(`--bytes=${bytes} cannot be used: give ${least} to ${least + 59}`)
}
const message = (/** @type {number} */ n) => {
  const symbol = `S${String(n % topics).padStart(4, '0')}`
  const price = `1${String(n % 100).padStart(2, '0')}.00`
  return { channel: 'quotes', symbol, data: quote(symbol, price, '1'.repeat(digits)) }
}

let next = 0
let accepted = 0
let refused = 0
/** @type {number[]} */
let waits = []
let end = Infinity
async function publisher () {
  while (Date.now() < end) {
    const publications = Array.from({ length: batch }, () => message(next++))
    const at = performance.now()
    const results = await app.tickwire.publishAll(publications)
    waits.push(performance.now() - at)
    for (const result of results) {
      if ('sequence' in result) accepted++
      else if (refused++ === 0) console.error(result)
    }
  }
}

/** Publishes for some seconds. @param {number} lasting */
async function run (lasting) {
  end = Date.now() + lasting * 1000
  accepted = 0
  waits = []
  const [own, its] = [process.cpuUsage(), cpuSeconds(redis.pid)]
  const began = performance.now()
  await Promise.all(Array.from({ length: ahead }, publisher))
  const took = (performance.now() - began) / 1000
  const used = process.cpuUsage(own)
  return {
    rate: accepted / took,
    node: (used.user + used.system) / 1e6 / took,
    redis: (cpuSeconds(redis.pid) - its) / took
  }
}

await run(2)
const loop = monitorEventLoopDelay({ resolution: 5 })
loop.enable()
const { rate, node, redis: redisShare } = await run(seconds)
loop.disable()
await delay(1000)
const [head] = await app.tickwire.parts.log.head()
const received = app.tickwire.parts.counters.received
const client = redis.client()
const memory = /used_memory:(\d+)/.exec(await client.info('memory'))?.[1]
client.disconnect()
const known = await app.tickwire.parts.log.read('quotes:S0000', { sequence: 0 }, 100_000)
const holes = known.entries.filter(({ sequence }, index, all) => {
  return index > 0 && sequence !== (all[index - 1]?.sequence ?? 0) + 1
}).length
const bareAfter = bareXadd(redis.program, redis.url, bytes, 100)
await app.close()
redis.close()

const round = (/** @type {number} */ value, digits = 0) => Number(value.toFixed(digits))
const bare = (bareBefore + bareAfter) / 2
report('publish', settings, {
  'messages a second': round(rate),
  'bare XADD a second, before': round(bareBefore),
  'bare XADD a second, after': round(bareAfter),
  'ratio to bare XADD': round(rate / bare, 3),
  'answered after ms, p50': round(percentile(waits, 50), 1),
  'answered after ms, p99': round(percentile(waits, 99), 1),
  refused,
  'offset of the log': head?.offset ?? 0,
  'received by the node': received,
  'holes in a topic read back': holes,
  'cores used by the node': round(node, 2),
  'cores used by Redis': round(redisShare, 2),
  'event loop delay ms, p99': round(loop.percentile(99) / 1e6, 1),
  'Redis memory MB': round(Number(memory) / 1e6)
})
process.exit(holes === 0 && refused === 0 && received >= (head?.offset ?? 0) ? 0 : 1)
