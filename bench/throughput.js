/**
 * How much one server takes and passes on: many topics with few readers each, every message looked at by every client.
 *
 *   npm run bench -- throughput [--rate 100000] [--flush auto,10] [--seconds 60] [--warm-up 3] [--clients 500] [--topics 1000] [--each 5]
 *     [--profile folder] [--node=--max-semi-space-size=64]
 *
 * `rate` and `flush` may be lists: each of one with each of the other; `node`: arguments of the server's Node. README.md says how to read the table.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { options, reportTable } from './report.js'
import { cpuSeconds } from './redis.js'
import { Checked, faults } from './fan-out/checked.js'
import { coreSeconds, SERVER_CORE } from './fan-out/programs.js'

const settings = options({ rate: '100000', flush: 'auto,10', seconds: 60, 'warm-up': 3, clients: 500, topics: 1000, each: 5, profile: '', node: '' })
const { seconds, clients, topics, each } = settings

/** What the feeder publishes at a time. */
const WINDOW_MS = 10
/** A pause of the server is made up for: what counts is the rate over seconds. */
const MOST_LATE_MS = 2000
/** Share of what was to be published below which the server did not keep up. */
const KEPT_UP = 0.98
/** Share of the server's core that others may have. */
const MOST_OTHERS = 0.1

const mib = (/** @type {number} */ bytes) => Math.round(bytes / 2 ** 20)
const share = (/** @type {number} */ value) => Math.round(100 * value)

/** @param {number} rate @param {string} flush */
async function run (rate, flush) {
  process.stderr.write(`${rate} a second, FLUSH_MS=${flush}…\n`)
  const session = await Checked.open({ name: 'throughput', what: '', clients, topics, each, rate, windowMs: WINDOW_MS }, {
    mostLateMs: MOST_LATE_MS,
    flush: flush === 'auto' ? flush : Number(flush),
    nodeArguments: [...settings.node.split(' ').filter(Boolean), ...(settings.profile === '' ? [] : ['--cpu-prof', `--cpu-prof-dir=${settings.profile}`])]
  })
  try {
    const before = await session.collected()
    await session.publish(rate)
    await delay(settings['warm-up'] * 1000)
    const [publishedBefore, cpuBefore, coreBefore] = [await session.published(), cpuSeconds(session.server.pid), coreSeconds(SERVER_CORE)]
    const first = await session.ask('forget')
    const [residentFirst, began] = [session.resident, performance.now()]
    await delay(seconds * 1000)
    const last = await session.ask()
    const took = (performance.now() - began) / 1000
    const { rss, heapTotal, external } = await session.memory()
    const [published, cpu, core] = [await session.published() - publishedBefore, cpuSeconds(session.server.pid) - cpuBefore, coreSeconds(SERVER_CORE) - coreBefore]
    const end = await session.end()
    const after = await session.collected()
    const marks = [
      published < KEPT_UP * rate * took ? 'does not keep up' : '',
      Math.max(0, core - cpu) > MOST_OTHERS * took ? 'disturbed' : '',
      ...faults(end)
    ]
    return {
      'msg/s told': rate,
      FLUSH_MS: flush,
      'msg/s published': Math.round(published / took),
      'msg/s delivered': Math.round((last.going.messages - first.going.messages) / took),
      'msg/read': Number(((last.going.messages - first.going.messages) / (last.reads - first.reads)).toFixed(2)),
      'p50 ms': last.going.p50,
      'p99 ms': last.going.p99,
      'CPU %': share(cpu / took),
      'others %': share(Math.max(0, core - cpu) / took),
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
for (const rate of settings.rate.split(',').map(Number)) for (const flush of settings.flush.split(',')) results.push(await run(rate, flush))
reportTable('throughput', settings, results)
