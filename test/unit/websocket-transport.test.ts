import { EventEmitter } from 'node:events'
import { test } from 'tap'
import type { WebSocket } from 'ws'
import type { KernelQueues } from '../../src/transports/sse/kernel-queues.js'
import { WebSocketTransport } from '../../src/transports/ws/websocket-transport.js'
import { native } from '../helpers/native.js'

/** PROTOCOL.md, Liveness, on a clock of the test. */
const HEARTBEAT_MS = 25_000
const IDLE_TIMEOUT_MS = 30_000
const TICK_MS = 1000
const PING_BYTES = 3

let clock = Date.now()
Date.now = () => clock

/** A peer behind buffers. It has acknowledged some of what was written, and has read some of that. */
class Peer {
  gone = false
  controls = 0
  acknowledged = 0
  read = 0
  /** Which pings it answers of those that it reads at a time. */
  answers: 'all' | 'newest' | 'none' = 'all'
  readonly raw = Object.assign(new EventEmitter(), {
    bytesWritten: 0, writableLength: 0, _handle: { writeQueueSize: 0 }, setNoDelay: () => {}
  })

  private pings: Array<{ readonly payload: string, readonly end: number }> = []
  private readonly queues = { unacknowledged: () => this.known, readings: 0, isReading: false }
  private known = 0
  readonly socket: EventEmitter
  private readonly transport: WebSocketTransport

  constructor () {
    this.socket = Object.assign(new EventEmitter(), {
      _socket: this.raw,
      _extensions: {},
      _receiver: { prependListener: () => {} },
      protocol: '',
      extensions: '',
      isPaused: false,
      terminate: () => { this.gone = true },
      ping: (payload: string) => {
        this.write(PING_BYTES)
        this.pings.push({ payload, end: this.raw.bytesWritten })
      }
    })
    this.transport = new WebSocketTransport(this.socket as unknown as WebSocket, native, {
      heartbeatMs: HEARTBEAT_MS,
      idleTimeoutMs: IDLE_TIMEOUT_MS,
      kernelQueues: this.queues as unknown as KernelQueues
    })
    this.transport.connect({
      onMessage: () => {},
      onControl: () => { this.controls++ },
      onDrain: () => {},
      onClose: () => {},
      onTooBig: () => {},
      onNotText: () => {}
    })
  }

  write (bytes: number): void {
    this.raw.bytesWritten += bytes
  }

  /** Lives for some seconds. @returns after how many it was dropped, or Infinity */
  live (seconds: number, eachSecond: (second: number) => void): number {
    for (let second = 1; second <= seconds; second++) {
      eachSecond(second)
      this.acknowledged = Math.min(this.acknowledged, this.raw.bytesWritten)
      this.read = Math.min(this.read, this.acknowledged)
      this.known = this.raw.bytesWritten - this.acknowledged
      this.queues.readings++
      this.answer(this.pings.filter(({ end }) => end <= this.read))
      this.transport.tick(clock += TICK_MS, 0)
      if (this.gone) return second
    }
    return Infinity
  }

  private answer (read: typeof this.pings): void {
    this.pings = this.pings.slice(read.length)
    if (this.answers === 'none') return
    for (const { payload } of this.answers === 'all' ? read : read.slice(-1)) this.socket.emit('pong', Buffer.from(payload))
  }
}

const SLOW = 40_000

test('keeps a peer that reads steadily behind megabytes, however long its pings take', async t => {
  const peer = new Peer()
  peer.write(12_000_000)
  // 4 MB of it are in buffers of its own, so the transport sees nothing of the last 100 seconds.
  peer.acknowledged = 4_000_000
  t.equal(peer.live(400, () => {
    peer.read += SLOW
    peer.acknowledged += SLOW
  }), Infinity)
  t.ok(peer.read > 12_000_000, 'it has read everything')
  t.equal(peer.controls, 0, 'its answers count as answers')
})

test('drops a peer that reads nothing, however much it has acknowledged', async t => {
  for (const acknowledged of [0, 10_000, 4_000_000]) {
    const peer = new Peer()
    peer.write(12_000_000)
    peer.acknowledged = acknowledged
    t.ok(peer.live(200, () => {}) <= (HEARTBEAT_MS + IDLE_TIMEOUT_MS) / TICK_MS + 2, `${acknowledged} bytes`)
  }
})

test('drops a peer that acknowledges all and reads nothing after the time that reading may take', async t => {
  const peer = new Peer()
  peer.write(1_600_000)
  const dropped = peer.live(1000, () => { peer.acknowledged = Infinity })
  t.ok(dropped > 60 && dropped < 180, `${dropped} s`)
})

test('drops a peer that reads all and answers no ping, however much it is sent', async t => {
  for (const perSecond of [0, 100, 10_000, 1_000_000]) {
    const peer = new Peer()
    peer.answers = 'none'
    const dropped = peer.live(1000, () => {
      peer.write(perSecond)
      peer.read = peer.acknowledged = Infinity
    })
    t.ok(dropped < 30 + 25 + 1 + 8 * 64 + 25, `${perSecond} bytes a second: ${dropped} s`)
    if (perSecond <= 100) t.ok(dropped <= 60, `${dropped} s`)
  }
})

test('counts an answer to several pings for all of them, and one to none as a message', async t => {
  const peer = new Peer()
  peer.answers = 'newest'
  t.equal(peer.live(1000, second => {
    peer.write(20_000)
    if (second % 55 === 0) peer.read = peer.acknowledged = Infinity
    else peer.acknowledged = Infinity
  }), Infinity)
  t.equal(peer.controls, 0)
  peer.socket.emit('pong', Buffer.from('nothing'))
  t.equal(peer.controls, 1)
})

test('drops a peer that is gone within the idle timeout if little was sent to it', async t => {
  const peer = new Peer()
  peer.live(60, () => { peer.read = peer.acknowledged = Infinity })
  t.ok(peer.live(100, () => { peer.write(10) }) <= IDLE_TIMEOUT_MS / TICK_MS + 1)
})
