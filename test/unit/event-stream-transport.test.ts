import type { ServerResponse } from 'node:http'
import { test } from 'tap'
import { identity } from '../../src/transports/sse/content-coding.js'
import { EventStreamTransport } from '../../src/transports/sse/event-stream-transport.js'
import type { KernelQueues } from '../../src/transports/sse/kernel-queues.js'
import { native } from '../helpers/native.js'

const HEARTBEAT_MS = 1000
const HEARTBEAT_BYTES = 150

/** A peer, and what the system knows of it, which it tells with a delay. */
class Peer {
  destroyed = false
  readonly queues = { unacknowledged: () => this.known, readings: 0, isReading: false }
  private readonly socket = { bytesWritten: 0, _handle: { writeQueueSize: 0 } }
  private readonly transport: EventStreamTransport
  private readonly started = Date.now()
  private known = 0

  constructor (liveness: { readonly heartbeatMs?: number, readonly idleTimeoutMs?: number } = {}) {
    const response = {
      on: () => {},
      write: () => true,
      writableLength: 0,
      socket: this.socket,
      destroy: () => { this.destroyed = true }
    }
    this.transport = new EventStreamTransport(response as unknown as ServerResponse, native, identity, {
      heartbeatMs: HEARTBEAT_MS,
      idleTimeoutMs: HEARTBEAT_MS,
      kernelQueues: this.queues as unknown as KernelQueues,
      ...liveness
    })
  }

  get written (): number {
    return this.socket.bytesWritten
  }

  write (bytes: number): void {
    this.socket.bytesWritten += bytes
  }

  /** Lets the transport tick. @param beats since the beginning */
  tick (beats: number): void {
    this.transport.tick(this.started + beats * HEARTBEAT_MS, 0)
  }

  /** Lets the system report its unacknowledged bytes. */
  tell (unacknowledged: number): void {
    this.known = unacknowledged
    this.queues.readings++
  }
}

/** Sends a peer nothing but heartbeats. @returns after how many it was dropped */
function liveFor (acknowledges: boolean): number {
  const peer = new Peer()
  for (let beat = 1; beat <= 10; beat++) {
    peer.write(HEARTBEAT_BYTES)
    peer.tick(beat)
    peer.tell(acknowledges ? 0 : peer.written)
    peer.tick(beat + 0.5)
    if (peer.destroyed) return beat
  }
  return Infinity
}

test('drops a peer whose bytes stay unacknowledged for two heartbeats, whatever is written meanwhile', async t => {
  t.ok(liveFor(false) <= 4, 'it is dropped')
  t.equal(liveFor(true), Infinity, 'a peer that acknowledges stays')
})

test('keeps a peer that slowly takes what the system took at once, and drops one that takes nothing of it', async t => {
  const BURST = 4_000_000
  for (const [perBeat, stays] of [[100_000, true], [0, false]] as const) {
    const peer = new Peer()
    peer.tick(0.5)
    peer.tell(0)
    peer.tick(0.9)
    // The transport looks before the system is asked again, as if all had been acknowledged.
    peer.write(BURST)
    peer.tick(1)
    for (let beat = 1; beat <= 20; beat++) {
      peer.write(HEARTBEAT_BYTES)
      peer.tell(peer.written - perBeat * beat)
      peer.tick(beat + 0.5)
    }
    t.equal(peer.destroyed, !stays, `${perBeat} bytes a heartbeat`)
  }
})

test('is never less patient than the idle timeout, however short the heartbeat', async t => {
  const peer = new Peer({ idleTimeoutMs: 8 * HEARTBEAT_MS })
  peer.write(HEARTBEAT_BYTES)
  peer.tell(HEARTBEAT_BYTES)
  for (let beat = 1; beat <= 7; beat++) peer.tick(beat)
  t.equal(peer.destroyed, false)
  for (let beat = 8; beat <= 12; beat++) peer.tick(beat)
  t.equal(peer.destroyed, true)
})
