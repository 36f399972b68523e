import type { ServerResponse } from 'node:http'
import { test } from 'tap'
import type { KernelQueues } from '../../src/transports/sse/kernel-queues.js'
import { identity } from '../../src/transports/sse/content-coding.js'
import { EventStreamTransport } from '../../src/transports/sse/event-stream-transport.js'

const HEARTBEAT_MS = 1000
const HEARTBEAT_BYTES = 150

/** A peer that gets nothing but heartbeats. What the system holds of them is known with a delay. */
function liveFor (acknowledges: boolean): number {
  let destroyed = false
  const socket = { bytesWritten: 0 }
  const response = { on: () => {}, write: () => true, writableLength: 0, socket, destroy: () => { destroyed = true } }
  let known = 0
  const kernelQueues: Pick<KernelQueues, 'unacknowledged'> = { unacknowledged: () => known }
  const transport = new EventStreamTransport(response as unknown as ServerResponse, 'string', identity, { heartbeatMs: HEARTBEAT_MS, kernelQueues: kernelQueues as KernelQueues })
  const started = Date.now()
  for (let beat = 1; beat <= 10; beat++) {
    socket.bytesWritten += HEARTBEAT_BYTES
    transport.tick(started + beat * HEARTBEAT_MS, 0)
    if (!acknowledges) known = socket.bytesWritten
    transport.tick(started + (beat + 0.5) * HEARTBEAT_MS, 0)
    if (destroyed) return beat
  }
  return Infinity
}

test('a peer is dead when what was written stays unacknowledged for two heartbeats, whatever is written meanwhile', async t => {
  t.ok(liveFor(false) <= 4, 'dropped')
  t.equal(liveFor(true), Infinity, 'one that acknowledges stays')
})
