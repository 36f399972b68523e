/**
 * The control of a latency: what the machine itself does to a process that has nothing else to do. It prints,
 * as JSON, the delays of its event loop, and the round trips of 200 bytes that it sends to itself over TCP,
 * in milliseconds.
 *
 * node idle.js <seconds>
 */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { percentile } from '../../report.js'

const RESOLUTION_MS = 2
const PAUSE_MS = 5

const server = createServer(socket => { socket.setNoDelay(true).pipe(socket) }).listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
const socket = connect(port, '127.0.0.1').setNoDelay(true)
await once(socket, 'connect')

const end = performance.now() + Number(process.argv[2]) * 1000
const loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
loop.enable()
/** @type {number[]} */
const trips = []
while (performance.now() < end) {
  const sent = performance.now()
  socket.write(Buffer.alloc(200))
  await once(socket, 'data')
  trips.push(performance.now() - sent)
  await delay(PAUSE_MS)
}
loop.disable()
/** @param {(percent: number) => number} value */
const of = value => [50, 99, 99.9].map(percent => Number(value(percent).toFixed(2)))
console.log(JSON.stringify({
  // The monitor measures the time between two of its timers.
  loop: of(percent => Math.max(0, loop.percentile(percent) / 1e6 - RESOLUTION_MS)),
  echo: of(percent => percentile(trips, percent))
}))
process.exit(0)
