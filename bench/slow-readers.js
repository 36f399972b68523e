/**
 * What clients that stop reading cost the server and the other clients, and whether they get everything once
 * they read again.
 *
 * npm run bench -- slow-readers [--stall 60] [--retention 20] [--clients 200] [--stopping 100] [--topics 20]
 * [--rate 500] [--warm-up 5]
 *
 * Three runs: all clients read; some stop reading for `stall` seconds; the same with a log that retains
 * messages for `retention` seconds (0: without this run). README.md explains how to read the table.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { options, reportTable } from './report.js'
import { cpuSeconds } from './redis.js'
import { Checked, faults } from './fan-out/checked.js'
import { coreSeconds, SERVER_CORE } from './fan-out/programs.js'

const settings = options({
  stall: 60,
  retention: 20,
  clients: 200,
  stopping: 100,
  topics: 20,
  rate: 500,
  'warm-up': 5
})
const { stall, retention, clients, stopping, topics, rate } = settings
/** Every client subscribes to every topic. */
const shape = { name: 'slow-readers', what: '', clients, topics, each: topics, rate, windowMs: 10 }

/** Receive buffers of clients that stop reading. The system makes them 16 KiB, the least that it gives. */
const BUFFER_BYTES = 8192
/** The log has room for everything that is published while they do not read, however long. */
const HOLDS_ALL = { RETENTION_MESSAGES: 1_000_000, RETENTION_BYTES: 2 ** 31, RETENTION_SECONDS: 3600 }
/**
 * A log that retains less. The hub's recent entries, for 60 s and within a quarter of these bytes, reach back
 * half of `retention`. If they reached back further, clients would catch up from them, without a reset.
 */
const KEEPS_LESS = { ...HOLDS_ALL, RETENTION_SECONDS: retention, RETENTION_BYTES: 2 * retention * rate * 520 }
const SAMPLE_MS = 250
/** How long the catch-up may take. */
const MOST_CATCH_UP_MS = 180_000
/** How long the bench measures after the catch-up, or instead of it if there is none. */
const AFTER_MS = 5000
/**
 * If other programs use more of the server's core than this percentage, latencies are marked as disturbed.
 */
const MOST_OTHERS = 10
/**
 * Promised: memory grows by no more than this beyond the run in which all read, and latency of the others is
 * at most this multiple.
 */
const MOST_GROWTH_MIB = 20
const MOST_LATENCY = 1.5

const mib = (/** @type {number} */ bytes) => Number((bytes / 2 ** 20).toFixed(1))

/**
 * Waits, and watches the memory of the server meanwhile.
 * @param {Checked} session
 * @param {number} ms
 * @param {() => Promise<boolean>} [enough]
 * @returns {Promise<number>} the most bytes
 */
async function mostResident (session, ms, enough = async () => false) {
  const end = performance.now() + ms
  let most = session.resident
  while (performance.now() < end && !await enough()) {
    await delay(SAMPLE_MS)
    most = Math.max(most, session.resident)
  }
  return most
}

/**
 * Measures one run.
 * @param {string} name
 * @param {{ stops: boolean, more: Record<string, number> }} options
 */
async function run (name, { stops, more }) {
  process.stderr.write(`${name}…\n`)
  const session = await Checked.open(shape, { isMixed: true, stopping, buffer: BUFFER_BYTES, more })
  try {
    await session.publish(rate)
    await delay(settings['warm-up'] * 1000)

    const before = await session.collected()
    const [cpu, core] = [cpuSeconds(session.server.pid), coreSeconds(SERVER_CORE)]
    const residentBefore = session.resident
    await session.ask(stops ? 'stop' : 'forget')
    const most = await mostResident(session, stall * 1000)
    const during = await session.ask()
    const resident = session.resident
    const [cpuUsed, coreUsed] = [cpuSeconds(session.server.pid) - cpu, coreSeconds(SERVER_CORE) - core]
    const system = session.systemHolds()
    const after = await session.collected()

    const published = await session.published()
    const { at } = await session.ask(stops ? 'read' : 'forget')
    const isLive = async () => {
      const { stopped: { messages, missed, lagging, closed } } = await session.ask()
      return lagging === 0 && messages + missed >= published * (stopping - closed)
    }
    const mostInCatchUp = stops ? await mostResident(session, MOST_CATCH_UP_MS, isLive) : 0
    const mostBehind = Math.max(mostInCatchUp, await mostResident(session, AFTER_MS))
    const behind = await session.ask()
    const end = await session.end()
    const last = await session.collected()
    const { going, stopped } = end.told
    return {
      during: during.going,
      growth: most - residentBefore,
      collectedGrowth: after.resident - before.resident,
      /** @type {Record<string, string | number>} */
      table: {
        'p50 ms of the others': during.going.p50,
        'p99 ms of the others': during.going.p99,
        'p99 ms of the others afterwards': behind.going.p99,
        'server CPU %': Math.round(100 * cpuUsed / stall),
        'other programs %': Math.round(100 * Math.max(0, coreUsed - cpuUsed) / stall),
        'MiB before': mib(residentBefore),
        'MiB most': mib(most),
        'MiB at the end': mib(resident),
        'MiB at the end, collected': mib(after.resident),
        'growth, MiB most': mib(most - residentBefore),
        'growth, MiB at the end': mib(resident - residentBefore),
        'growth, MiB collected': mib(after.resident - before.resident),
        'growth, MiB of heap and buffers collected': mib(after.held - before.held),
        'KiB each that the system held': stops ? Math.round(system / stopping / 1024) : 0,
        'clients told that they lag': stopped.lagged,
        'others told that they lag': going.lagged,
        'clients dropped': going.closed + stopped.closed,
        'catch-up, seconds to the last':
          stops && stopped.live_at > 0 ? Number(((stopped.live_at - at) / 1e6).toFixed(1)) : 0,
        'MiB most afterwards': mib(mostBehind),
        'MiB at last, collected': mib(last.resident),
        'messages published': end.published,
        'messages each that stopped got': Number((stopped.messages / stopping).toFixed(1)),
        'messages each that a reset told of': Number((stopped.missed / stopping).toFixed(1)),
        'resets each, lagging': Number((stopped.lagging_resets / stopping).toFixed(1)),
        'snapshots each': Number((stopped.snapshots / stopping).toFixed(1)),
        wrong: faults(end).join(', ') || 'nothing'
      },
      wrong: faults(end)
    }
  } finally {
    await session.close()
  }
}

/** @typedef {Awaited<ReturnType<typeof run>>} Result */
/** @type {Array<[name: string, Result]>} */
const runs = []
const names = {
  all: 'all read',
  stall: `${stopping} stop for ${stall} s`,
  short: `the same, the log keeps ${retention} s`
}
const all = await run(names.all, { stops: false, more: HOLDS_ALL })
const stalled = await run(names.stall, { stops: true, more: HOLDS_ALL })
runs.push([names.all, all], [names.stall, stalled])
if (retention > 0) runs.push([names.short, await run(names.short, { stops: true, more: KEEPS_LESS })])

/** @param {boolean} does */
const judged = does => does ? 'holds' : 'does not hold'
const grew = (/** @type {'growth' | 'collectedGrowth'} */ which) => mib(stalled[which] - all[which])
const latency = Number((stalled.during.p99 / all.during.p99).toFixed(2))
const disturbed = [all, stalled].some(({ table }) => Number(table['other programs %']) > MOST_OTHERS)
const missedSome = Number(stalled.table['messages each that a reset told of']) > 0
const [growth, collected] = [grew('growth'), grew('collectedGrowth')]
const allLagged = stalled.table['clients told that they lag'] === stopping
const remarks = [
  `memory grew by ${growth} MiB more than in the run in which all read (collected: ${collected}), ` +
    `at most ${MOST_GROWTH_MIB}: ${judged(growth < MOST_GROWTH_MIB)}`,
  `the others' p99 ×${latency}, at most ×${MOST_LATENCY}: ` +
    `${disturbed ? 'disturbed by other programs, ' : ''}${judged(latency <= MOST_LATENCY)}`,
  `nobody was dropped: ${judged(runs.every(([, { table }]) => table['clients dropped'] === 0))}`,
  'all clients that stopped lagged, and got every message in order: ' +
    judged(stalled.wrong.length === 0 && !missedSome && allLagged),
  ...runs.slice(2).map(([name, { wrong, table }]) => {
    const hasResets = Number(table['resets each, lagging']) > 0
    return `${name}: no gap without a reset: ${judged(wrong.length === 0 && hasResets)}`
  })
]
const rows = Object.keys(all.table).map(what => {
  return { what, ...Object.fromEntries(runs.map(([name, { table }]) => [name, table[what]])) }
})
reportTable('slow-readers', settings, rows, remarks)
