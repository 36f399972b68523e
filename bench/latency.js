/**
 * How long a message is on its way from publishing to its clients, by load: 500 clients × 20 of 200 topics over WebSocket.
 *
 *   npm run bench -- latency [--flush auto,10] [--loads 10,50,80,90] [--capacity 0] [--seconds 8]
 *
 * `loads` are percents of the capacity: the messages a second that the server publishes and delivers with all of its core. It is
 * found by ramping with FLUSH_MS=10, or given. `auto` is left out where this server does not know it.
 */
import { execFileSync } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { options, reportTable } from './report.js'
import { SERVER_CORE, start } from './fan-out/programs.js'
import { ROWS } from './fan-out/rows.js'
import { Session } from './fan-out/session.js'
import { SHAPES } from './fan-out/shapes.js'

/** Messages are published in small pieces, so that they come all the time; a timer cannot be much shorter. */
const PIECE_MS = 2
const CAPACITY_FLUSH_MS = 10
const RAMP_FROM = 2000
const RAMP_FACTOR = 1.3
const RAMP_SECONDS = 2
/** A server that publishes less of what it was told to, or uses more of its core, can do no more there. */
const KEPT_UP = 0.97
const FULL_CORE = 0.95
const CONTROL_SECONDS = 4

const settings = options({ flush: 'auto,10', loads: '10,50,80,90', capacity: 0, seconds: 8 })
const shape = { ...SHAPES['b'], windowMs: PIECE_MS }
const row = ROWS.find(({ name }) => name === 'tickwire-ws') ?? ROWS[0]
const flushes = settings.flush.split(',').filter(known)

/** Whether this server takes a value of FLUSH_MS. @param {string} flush */
function known (flush) {
  try {
    execFileSync(process.execPath, [fileURLToPath(new URL('../dist/src/cli/tickwire.js', import.meta.url)), 'check-config'], { env: { ...process.env, FLUSH_MS: flush }, stdio: 'ignore' })
    return true
  } catch {
    console.error(`FLUSH_MS=${flush} is left out: this server does not take it`)
    return false
  }
}

const asSetting = (/** @type {string} */ flush) => /^\d+$/.test(flush) ? Number(flush) : flush
const round = (/** @type {number} */ value, digits = 2) => Number(value.toFixed(digits))

/** What the machine does to a process that has nothing to do. @param {string} when */
async function control (when) {
  const idle = await start([process.execPath, fileURLToPath(new URL('fan-out/server/idle.js', import.meta.url)), String(CONTROL_SECONDS)], { core: SERVER_CORE, files: 100 })
  const { loop, echo } = JSON.parse(idle.said)
  await idle.stop()
  return `control, idle, ${when} (p50, p99, p99.9 ms): delay of the event loop ${loop.join(', ')}; round trip on loopback ${echo.join(', ')}`
}

/**
 * The most messages a second that the server keeps up with: what it published with a full core, or would have in proportion where
 * others had a part of the core.
 */
async function capacity () {
  const session = await Session.open(row, shape, { flush: CAPACITY_FLUSH_MS })
  try {
    for (let rate = RAMP_FROM; ; rate *= RAMP_FACTOR) {
      await session.publish(rate)
      await delay(RAMP_SECONDS * 500)
      const span = await session.measure(RAMP_SECONDS)
      const [published, share] = [span.published / span.seconds, span.cpu / span.seconds]
      process.stderr.write(`${Math.round(rate)} msg/s asked, ${Math.round(published)} published, ${Math.round(100 * share)} % CPU\n`)
      if (share > FULL_CORE || published < KEPT_UP * rate) return published / Math.min(1, share)
    }
  } finally {
    await session.close()
  }
}

const remarks = [await control('before')]
const most = settings.capacity > 0 ? settings.capacity : await capacity()
/** @type {Array<Record<string, string | number>>} */
const results = []
for (const flush of flushes) {
  const session = await Session.open(row, shape, { flush: asSetting(flush) })
  try {
    for (const load of settings.loads.split(',').map(Number)) {
      const rate = Math.round(most * load / 100)
      await session.publish(rate)
      await delay(2000)
      const span = await session.measure(settings.seconds)
      const { p50, p99, p999 } = span.counted
      results.push({
        FLUSH_MS: flush,
        'load %': load,
        'msg/s': Math.round(span.published / span.seconds),
        'msg/s delivered': Math.round(span.delivered / span.seconds),
        'p50 ms': p50,
        'p99 ms': p99,
        'p99.9 ms': p999,
        'µs/message': round(span.cpu * 1e6 / span.delivered),
        'msg/read': round(span.delivered / span.reads),
        'CPU %': Math.round(100 * span.cpu / span.seconds),
        'others %': Math.round(100 * span.othersCpu / span.seconds),
        'load CPU %': Math.round(100 * span.loadCpu / span.seconds),
        marks: span.published < KEPT_UP * rate * span.seconds ? `${rate} msg/s asked` : ''
      })
    }
    const { expected, counted } = await session.end()
    if (counted.messages !== expected) remarks.push(`FLUSH_MS=${flush}: ${expected - counted.messages} messages were not delivered, ${counted.closed} connections closed`)
  } finally {
    await session.close()
  }
}
remarks.push(await control('after'))
reportTable('latency', { ...settings, capacity: Math.round(most) }, results, remarks)
