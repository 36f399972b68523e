/**
 * What private topics cost: one message in each topic of each user, on a log in memory and on Redis, with a
 * node that follows all of them.
 *
 * npm run bench -- users [--users 100000]
 *
 * Each log has a process of its own.
 */
import { fork } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Type } from '@sinclair/typebox'
import { defineChannel, standardChannels } from '@tickwire/protocol'
import { Hub } from '../dist/src/hub/hub.js'
import { MemoryLog } from '../dist/src/log/memory/memory-log.js'
import { RedisLog } from '../dist/src/log/redis/redis-log.js'
import { Counters } from '../dist/src/metrics/counters.js'
import { startRedis } from './redis.js'
import { options, reportTable } from './report.js'

const BATCH = 2000
const settings = options({ users: 100_000 })
const plans = defineChannel({
  name: 'plans',
  type: 'plan',
  description: 'a channel of an application',
  keyed: false,
  access: 'user',
  schema: Type.Object({ text: Type.String() })
})
const channels = new Map([...standardChannels, ['plans', plans]])
const CHANNELS = ['orders', 'portfolio', 'alerts', 'plans']
const payload = JSON.stringify({
  order_id: 'o-1234567',
  symbol: 'AAPL',
  side: 'buy',
  order_type: 'limit',
  status: 'new',
  quantity: '100',
  filled_qty: '0',
  limit_price: '185.50'
})

const KIB = 1024
const mib = (/** @type {number} */ bytes) => Math.round(bytes / KIB / KIB)

async function measure (/** @type {string | undefined} */ url) {
  const retention = { messages: 10_000, seconds: 3600, bytes: 2 * KIB ** 3 }
  const shape = { channels, shards: 1, retention, maxTopics: CHANNELS.length * settings.users + 1 }
  const onError = (/** @type {unknown} */ error) => { console.error(error) }
  const log = url === undefined
    ? new MemoryLog(shape)
    : await RedisLog.open({ ...shape, url, keyPrefix: 'users', onError })
  const hub = new Hub({ log, channels, flushMs: 0, recentBytes: KIB ** 2, counters: new Counters(), onError })
  await hub.start()
  // Makes the node follow the shard, as if a client needed it.
  await hub.interest.follow([0])
  const memory = () => {
    global.gc?.()
    global.gc?.()
    return process.memoryUsage()
  }
  const before = memory()
  const began = performance.now()
  const { user: cpuBefore, system: systemBefore } = process.cpuUsage()
  for (let user = 0; user < settings.users; user += BATCH / CHANNELS.length) {
    await log.append(Array.from({ length: BATCH }, (_, index) => {
      const owner = `user${user + Math.floor(index / CHANNELS.length)}`
      return { topic: `${CHANNELS[index % CHANNELS.length]}@${owner}`, payload }
    }))
  }
  const seconds = (performance.now() - began) / 1000
  const { user, system } = process.cpuUsage()
  await delay(1000)
  const full = memory()
  const heap = full.heapUsed - before.heapUsed
  const cpu = user + system - cpuBefore - systemBefore
  const topics = CHANNELS.length * settings.users
  return {
    topics,
    'appended in s': Number(seconds.toFixed(1)),
    'CPU µs of each': Number((cpu / topics).toFixed(1)),
    'node, MiB': mib(full.rss - before.rss),
    'heap, MiB': mib(heap),
    'bytes of heap for a topic': Math.round(heap / topics),
    'outside of the heap, MiB': mib(full.arrayBuffers - before.arrayBuffers)
  }
}

if (process.send !== undefined) {
  process.send(await measure(process.env['BENCH_URL'] || undefined))
  process.exit(0)
}

/**
 * Measures a log in a process of its own.
 * @param {string} url
 * @returns {Promise<Record<string, string | number>>}
 */
async function inProcess (url) {
  const child = fork(fileURLToPath(import.meta.url), ['--users', String(settings.users)], {
    execArgv: ['--expose-gc', '--max-old-space-size=8192'],
    env: { ...process.env, BENCH_URL: url }
  })
  return await new Promise((resolve, reject) => {
    child.on('message', message => { resolve(/** @type {Record<string, string | number>} */ (message)) })
    child.on('exit', code => { reject(new Error(`ended with ${code}`)) })
  })
}

/** @type {Array<Record<string, string | number>>} */
const rows = [{ log: 'memory', ...await inProcess(''), 'Redis, MiB': '–' }]
for (const nodeBytes of ['4096', '1024']) {
  const redis = await startRedis(['--stream-node-max-bytes', nodeBytes])
  const client = redis.client()
  const usedMemory = async () => Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1])
  const empty = await usedMemory()
  const figures = await inProcess(redis.url)
  const used = await usedMemory() - empty
  rows.push({ log: `redis, stream-node-max-bytes ${nodeBytes}`, ...figures, 'Redis, MiB': mib(used) })
  client.disconnect()
  redis.close()
}
reportTable('users', settings, rows)
process.exit(0)
