/**
 * Whether memory stays flat while messages come at a steady rate for long. Retention by number and by bytes
 * is reached early.
 *
 * npm run bench -- steady [--rate 5000] [--topics 500] [--seconds 600] [--megabytes 256]
 *
 * `megabytes` is RETENTION_BYTES. Every half minute the bench prints how much memory Redis and the node use.
 */
import { setTimeout as delay } from 'node:timers/promises'
import Fastify from 'fastify'
import { tickwire } from '@tickwire/server'
import { options, percentile, report } from './report.js'
import { startRedis } from './redis.js'

const settings = options({ rate: 5000, topics: 500, seconds: 600, megabytes: 256 })
const { rate, topics, seconds, megabytes } = settings
const STEP_MS = 20
const PRINT_EACH_S = 30

const redis = await startRedis()
const control = redis.client()
const app = Fastify()
await app.register(tickwire, {
  settings: { UNKNOWN_SYMBOLS: 'accept', REDIS_URL: redis.url, RETENTION_BYTES: megabytes * 2 ** 20 }
})
await app.ready()

let sent = 0
let refused = 0
const began = Date.now()
const publishing = setInterval(() => {
  const due = Math.floor((Date.now() - began) / 1000 * rate) - sent
  // One topic in ten gets half of all messages.
  const publications = Array.from({ length: due }, () => {
    const turn = sent++
    const symbol = `S${turn % 2 === 0 ? turn / 2 % (topics / 10) : turn % topics}`
    const time = { timestamp: new Date().toISOString(), trade_id: `id-${turn}` }
    const data = { symbol, price: '185.50', size: String(turn), exchange: 'XNAS', side: 'buy', ...time }
    return { channel: 'trades', symbol, data }
  })
  app.tickwire.publishAll(publications).catch(() => { refused += due })
}, STEP_MS)

/** @type {Array<{ second: number, redis: number, rss: number, streams: number }>} */
const samples = []
while (Date.now() - began < seconds * 1000) {
  await delay(1000)
  const second = Math.round((Date.now() - began) / 1000)
  const used = Number(/used_memory:(\d+)/.exec(await control.info('memory'))?.[1]) / 2 ** 20
  const resident = process.memoryUsage().rss / 2 ** 20
  samples.push({ second, redis: used, rss: resident, streams: await control.dbsize() })
  const { rss, streams } = /** @type {typeof samples[number]} */ (samples.at(-1))
  const text = `Redis ${used.toFixed(0)} MiB, node ${rss.toFixed(0)} MiB, ${streams} keys`
  if (second % PRINT_EACH_S === 0) console.log(`${second} s: ${sent} messages, ${text}`)
}
clearInterval(publishing)
await delay(1000)
await app.close()
control.disconnect()
redis.close()

const third = Math.floor(samples.length / 3)
const middle = samples.slice(third, 2 * third).map(sample => sample.redis)
const last = samples.slice(2 * third).map(sample => sample.redis)
const resident = samples.slice(2 * third).map(({ rss }) => rss)
const mean = (/** @type {number[]} */ values) => values.reduce((sum, value) => sum + value, 0) / values.length
report('steady', settings, {
  messages: sent,
  refused,
  'Redis MiB, mean of the second third': Math.round(mean(middle)),
  'Redis MiB, mean of the last third': Math.round(mean(last)),
  'Redis MiB, most': Math.round(Math.max(...samples.map(sample => sample.redis))),
  'last third to second third': Number((mean(last) / mean(middle)).toFixed(3)),
  'node MiB, p50 of the last third': Math.round(percentile(resident, 50))
})
process.exit(refused === 0 ? 0 : 1)
