/**
 * How much one server takes and delivers: many topics with few readers each, whose clients check every
 * message.
 *
 * npm run bench -- throughput [--rate 100000] [--flush auto,10] [--seconds 60] [--warm-up 3] [--clients 500]
 * [--topics 1000] [--each 5] [--profile folder] [--node=--max-semi-space-size=64]
 *
 * `rate` and `flush` may be lists; the bench runs every combination. `node` has arguments for the server's
 * Node. README.md explains how to read the table.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { options, reportTable } from './report.js'
import { cpuSeconds } from './redis.js'
import { Checked, faults } from './fan-out/checked.js'
import { coreSeconds, SERVER_CORE } from './fan-out/programs.js'

const settings = options({
  rate: '100000',
  flush: 'auto,10',
  seconds: 60,
  'warm-up': 3,
  clients: 500,
  topics: 1000,
  each: 5,
  profile: '',
  node: ''
})
const { seconds, clients, topics, each } = settings

/** The feeder publishes a batch for each window of this length. */
const WINDOW_MS = 10
/** The feeder makes up for a pause of the server of up to this time: what counts is the rate over seconds. */
const MOST_LATE_MS = 2000
/** A server that publishes less than this share of what it should did not keep up. */
const KEPT_UP = 0.98
/** If other programs use more of the server's core than this share, the row is marked. */
const MOST_OTHERS = 0.1

const mib = (/** @type {number} */ bytes) => Math.round(bytes / 2 ** 20)
const share = (/** @type {number} */ value) => Math.round(100 * value)

/** @param {number} rate @param {string} flush */
async function run (rate, flush) {
  process.stderr.write(`${rate} a second, FLUSH_MS=${flush}…\n`)
  const shape = { name: 'throughput', what: '', clients, topics, each, rate, windowMs: WINDOW_MS }
  const profiling = settings.profile === '' ? [] : ['--cpu-prof', `--cpu-prof-dir=${settings.profile}`]
  const session = await Checked.open(shape, {
    mostLateMs: MOST_LATE_MS,
    flush: flush === 'auto' ? flush : Number(flush),
    nodeArguments: [...settings.node.split(' ').filter(Boolean), ...profiling]
  })
  const used = async () => ({
    published: await session.published(),
    cpu: cpuSeconds(session.server.pid),
    core: coreSeconds(SERVER_CORE)
  })
  try {
    const before = await session.collected()
    await session.publish(rate)
    await delay(settings['warm-up'] * 1000)
    const usedBefore = await used()
    const first = await session.ask('forget')
    const [residentFirst, began] = [session.resident, performance.now()]
    await delay(seconds * 1000)
    const last = await session.ask()
    const took = (performance.now() - began) / 1000
    const { rss, heapTotal, external } = await session.memory()
    const usedAfter = await used()
    const published = usedAfter.published - usedBefore.published
    const [cpu, core] = [usedAfter.cpu - usedBefore.cpu, usedAfter.core - usedBefore.core]
    const end = await session.end()
    const after = await session.collected()
    const [othersCpu, delivered] = [Math.max(0, core - cpu), last.going.messages - first.going.messages]
    const marks = [
      published < KEPT_UP * rate * took ? 'does not keep up' : '',
      othersCpu > MOST_OTHERS * took ? 'disturbed' : '',
      ...faults(end)
    ]
    return {
      'msg/s told': rate,
      FLUSH_MS: flush,
      'msg/s published': Math.round(published / took),
      'msg/s delivered': Math.round(delivered / took),
      'msg/read': Number((delivered / (last.reads - first.reads)).toFixed(2)),
      'p50 ms': last.going.p50,
      'p99 ms': last.going.p99,
      'CPU %': share(cpu / took),
      'others %': share(othersCpu / took),
      'load CPU %': share((last.cpu - first.cpu) / took),
      'MiB idle': mib(before.resident),
      'MiB first': mib(residentFirst),
      'MiB last': mib(rss),
      'of it heap': mib(heapTotal),
      'of it buffers': mib(external),
      'MiB collected': mib(after.resident),
      'held MiB': mib(after.held),
      lagged: last.going.lagged,
      published: end.published,
      received: end.told.going.messages,
      marks: marks.filter(mark => mark !== '').join(', ')
    }
  } finally {
    await session.close()
  }
}

const results = []
for (const rate of settings.rate.split(',').map(Number)) {
  for (const flush of settings.flush.split(',')) results.push(await run(rate, flush))
}
reportTable('throughput', settings, results)
