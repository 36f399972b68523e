import type { ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import fp from 'fastify-plugin'
import { untaken } from '../src/transports/untaken.js'

export interface SlowReadersOptions {
  /** How long a peer may read nothing of its answer. Milliseconds. */
  readonly patienceMs?: number
  /** How much it must read on the average beyond that. */
  readonly leastBytesPerSecond?: number
}

/** PROTOCOL.md, Limits. What the system takes, it takes in lumps: on a slow line there may be as much between two of them. */
const PATIENCE_MS = 30_000
/** As on the worst line on which somebody may still want to be served. */
const LEAST_BYTES_PER_SECOND = 4096
/** How often an answer is looked at, in parts of the patience. */
const LOOKS = 10

/**
 * Ends connections whose peers do not read their answers, which the server would hold for as long. Who reads slowly and gets on is
 * waited for. Streams are none of it: transports look after their own.
 */
export const slowReaders = fp<SlowReadersOptions>(async (app, { patienceMs = PATIENCE_MS, leastBytesPerSecond = LEAST_BYTES_PER_SECOND }) => {
  app.addHook('onSend', async (_request, reply, payload) => {
    if (typeof payload === 'string' || Buffer.isBuffer(payload)) limit(reply.raw, Buffer.byteLength(payload))
  })

  function limit (response: ServerResponse, bytes: number): void {
    const { socket } = response
    // None for one that waits behind another, nor where a test injects its request.
    if (!(socket instanceof Socket)) return
    const beganAt = performance.now()
    let progressAt = beganAt
    let left = Infinity
    const looks = setInterval(() => {
      const now = performance.now()
      // Where it cannot be seen, all that is left is the average.
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
