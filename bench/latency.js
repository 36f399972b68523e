/**
 * How long a message takes from publishing to its clients, by load: 500 clients × 20 of 200 topics over
 * WebSocket.
 *
 * npm run bench -- latency [--flush auto,10] [--loads 10,50,90,300,1000] [--capacity 0] [--seconds 8]
 * [--shape b] [--trace yes]
 *
 * `trace` says beside each load what the tail is made of: how long windows took inside the server, from the
 * log to the last socket (the rest is the system and the reader), the time of collections, how many of the
 * slowest windows met one, and how late the event loop was.
 *
 * A load is a percentage of the capacity: the messages a second that fill the server's core if none are
 * joined. The bench finds the capacity by raising the rate, unless it is given.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { options, reportTable } from './report.js'
import { SERVER_CORE, start } from './fan-out/programs.js'
import { ROWS } from './fan-out/rows.js'
import { Session } from './fan-out/session.js'
import { SHAPES } from './fan-out/shapes.js'

/**
 * The feeder publishes small batches, so that messages come all the time. A timer cannot be much shorter than
 * this.
 */
const PIECE_MS = 2
const RAMP_FROM = 400
const RAMP_FACTOR = 1.3
const FULL_CORE = 0.95
const RAMP_SECONDS = 2
/** A server that publishes less than this share of its rate is beyond its capacity. */
const KEPT_UP = 0.97
const CONTROL_SECONDS = 4

const settings = options({
  flush: 'auto,10',
  loads: '10,50,90,300,1000',
  capacity: 0,
  seconds: 8,
  shape: 'b',
  trace: ''
})
const isTraced = settings.trace !== ''
const known = SHAPES[settings.shape]
if (known === undefined) {
  console.error(`there is no shape ${settings.shape}; the shapes are: ${Object.keys(SHAPES).join(', ')}`)
  process.exit(2)
}
const shape = { ...known, windowMs: PIECE_MS }
const nodeArguments = isTraced ? ['--import', new URL('fan-out/server/trace.js', import.meta.url).href] : []
const row = ROWS.find(({ name }) => name === 'tickwire-ws') ?? ROWS[0]
const flushes = settings.flush.split(',')

const asSetting = (/** @type {string} */ flush) => /^\d+$/.test(flush) ? Number(flush) : flush
const round = (/** @type {number} */ value, digits = 2) => Number(value.toFixed(digits))

/** @param {import('./fan-out/server/trace.js').Told} told @param {number} seconds */
function columns (told, seconds) {
  return {
    'in server p50 ms': told.windowP50,
    'in server p99 ms': told.windowP99,
    'minor GC ms/s': round(told.minorMs / seconds),
    'major GC ms/s': round(told.majorMs / seconds),
    'longest GC ms': told.longestMs,
    'slow windows with GC %': Math.round(100 * told.slowWithCollection),
    'loop p99 ms': told.loopP99
  }
}

/** Measures what the machine does to a process that has nothing to do. @param {string} when */
async function control (when) {
  const program = fileURLToPath(new URL('fan-out/server/idle.js', import.meta.url))
  const command = [process.execPath, program, String(CONTROL_SECONDS)]
  const idle = await start(command, { core: SERVER_CORE, files: 100 })
  const { loop, echo } = JSON.parse(idle.said)
  await idle.stop()
  return `control, idle, ${when} (p50, p99, p99.9 ms): ` +
    `delay of the event loop ${loop.join(', ')}; round trip on loopback ${echo.join(', ')}`
}

/**
 * Finds the messages a second that fill the server's core if none are joined (FLUSH_MS=0). At a higher rate,
 * windows must grow. The operating system's work on that core for what the server sends is not in the
 * server's own CPU time; it counts here.
 */
async function capacity () {
  const session = await Session.open(row, shape, { flush: 0, remote: true })
  let before = { rate: 0, busy: 0 }
  try {
    for (let rate = RAMP_FROM; ; rate *= RAMP_FACTOR) {
      await session.publish(rate)
      await delay(RAMP_SECONDS * 500)
      const span = await session.measure(RAMP_SECONDS)
      const busy = (span.cpu + span.othersCpu) / span.seconds
      process.stderr.write(`${Math.round(rate)} msg/s: ${Math.round(100 * busy)} % of the core\n`)
      if (busy >= FULL_CORE) {
        return before.rate + (rate - before.rate) * (FULL_CORE - before.busy) / (busy - before.busy)
      }
      before = { rate, busy }
    }
  } finally {
    await session.close()
  }
}

const remarks = [await control('before')]
const loads = settings.loads.split(',').map(Number)
const most = settings.capacity > 0 ? settings.capacity : Math.round(await capacity())
/** @type {Array<Record<string, string | number>>} */
const results = []
for (const flush of flushes) {
  const session = await Session.open(row, shape, { flush: asSetting(flush), remote: true, nodeArguments })
  try {
    for (const load of loads) {
      const rate = Math.round(most * load / 100)
      await session.publish(rate)
      await delay(2000)
      if (isTraced) await session.server.ask('trace')
      const span = await session.measure(settings.seconds)
      const told = isTraced ? JSON.parse(await session.server.ask('trace')) : undefined
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
        ...(told === undefined ? {} : columns(told, span.seconds)),
        marks: span.published < KEPT_UP * rate * span.seconds ? `${rate} msg/s asked` : ''
      })
    }
    const { expected, counted } = await session.end()
    if (counted.messages !== expected) {
      const lost = expected - counted.messages
      remarks.push(`FLUSH_MS=${flush}: ${lost} messages not delivered, ${counted.closed} connections closed`)
    }
  } finally {
    await session.close()
  }
}
remarks.push(await control('after'))
reportTable('latency', { ...settings, capacity: most }, results, remarks)
