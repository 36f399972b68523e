import type { ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import fp from 'fastify-plugin'
import { LEAST_BYTES_PER_SECOND } from '../src/transports/reading-pace.js'
import { untaken } from '../src/transports/untaken.js'

export interface SlowReadersOptions {
  /** How long a peer may read nothing of its answer, in milliseconds. */
  readonly patienceMs?: number
  /** How much it must read on average after that. */
  readonly leastBytesPerSecond?: number
}

/** PROTOCOL.md, Limits. The system takes bytes in lumps; on a slow line, a lump may come only this often. */
const PATIENCE_MS = 30_000
/** How many times within the patience the plugin looks at an answer. */
const LOOKS = 10

/**
 * Cuts connections whose peers do not read their answers, which the server would have to hold. It waits for
 * peers that read slowly but make progress. Streams are exempt: the transports watch their own clients.
 */
export const slowReaders = fp<SlowReadersOptions>(async (app, options) => {
  const { patienceMs = PATIENCE_MS, leastBytesPerSecond = LEAST_BYTES_PER_SECOND } = options
  app.addHook('onSend', async (_request, reply, payload) => {
    if (typeof payload === 'string' || Buffer.isBuffer(payload)) limit(reply.raw, Buffer.byteLength(payload))
  })

  function limit (response: ServerResponse, bytes: number): void {
    const { socket } = response
    // An answer that waits behind another has no socket yet, and neither has a request that a test injects.
    if (!(socket instanceof Socket)) return
    const beganAt = performance.now()
    let progressAt = beganAt
    let left = Infinity
    const looks = setInterval(() => {
      const now = performance.now()
      // If the platform does not tell what is left, only the average counts.
      const before = left
      left = untaken(socket) ?? 0
      if (left < before) progressAt = now
      const dueAt = beganAt + patienceMs + Math.max(0, bytes - left) / leastBytesPerSecond * 1000
      if (now > dueAt || (left > 0 && now - progressAt > patienceMs)) socket.destroy()
    }, patienceMs / LOOKS).unref()
    const done = (): void => { clearInterval(looks) }
    response.once('finish', done).once('close', done)
  }
}, { name: 'tickwire-slow-readers', fastify: '5.x' })
