/**
 * Preloaded into a server (`node --import`) to say what its tail is made of: how long windows took from the
 * log to the last socket, what the collector did meanwhile, and how late the event loop was. `serve.js` tells
 * it at the command `trace`.
 */
import { constants, monitorEventLoopDelay, performance, PerformanceObserver } from 'node:perf_hooks'
import { percentile } from '../../report.js'

const RESOLUTION_MS = 2
/** A collection shorter than this is not the reason of a slow window. */
const LEAST_GC_MS = 1

/** @type {Array<{ isMajor: boolean, end: number, ms: number }>} */
let collections = []
/** @type {Array<{ end: number, ms: number }>} */
let windows = []
const loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
loop.enable()
/** @typedef {{ startTime: number, duration: number, detail?: unknown }} Entry */
new PerformanceObserver(list => {
  for (const { startTime, duration, detail } of /** @type {Entry[]} */ (list.getEntries())) {
    const { kind } = /** @type {{ kind: number }} */ (detail)
    const isMajor = kind !== constants.NODE_PERFORMANCE_GC_MINOR
    collections.push({ isMajor, end: startTime + duration, ms: duration })
  }
}).observe({ entryTypes: ['gc'] })

const round = (/** @type {number} */ value) => Number(value.toFixed(2))

/** Says what has happened since it was last asked. */
function tell () {
  const p99 = percentile(windows.map(({ ms }) => ms), 99)
  const slow = windows.filter(({ ms }) => ms >= p99)
  const collected = slow.filter(({ end, ms }) => collections.some(collection =>
    collection.ms >= LEAST_GC_MS && collection.end > end - ms && collection.end - collection.ms < end))
  const sum = (/** @type {boolean} */ major) => collections
    .filter(({ isMajor }) => isMajor === major)
    .reduce((total, { ms }) => total + ms, 0)
  const told = {
    windowP50: round(percentile(windows.map(({ ms }) => ms), 50)),
    windowP99: round(p99),
    minorMs: round(sum(false)),
    majorMs: round(sum(true)),
    longestMs: round(Math.max(0, ...collections.map(({ ms }) => ms))),
    slowWithCollection: round(collected.length / Math.max(1, slow.length)),
    loopP99: round(Math.max(0, loop.percentile(99) / 1e6 - RESOLUTION_MS))
  }
  collections = []
  windows = []
  loop.reset()
  return told
}

/** @typedef {ReturnType<typeof tell>} Told */

Object.assign(globalThis, {
  benchTrace: { tell, window: (/** @type {number} */ ms) => { windows.push({ end: performance.now(), ms }) } }
})
