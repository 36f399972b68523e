import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { connect, type Socket } from 'node:net'
import { type Test, test } from 'tap'
import { WebSocketServer } from 'ws'
import type { Transport } from '../../src/connection/transport.js'
import { identity } from '../../src/transports/sse/content-coding.js'
import { EventStreamTransport } from '../../src/transports/sse/event-stream-transport.js'
import { KernelQueues } from '../../src/transports/sse/kernel-queues.js'
import { WebSocketTransport } from '../../src/transports/ws/websocket-transport.js'
import { bytesUsed } from '../helpers/memory.js'
import { listen } from '../helpers/network.js'
import { native } from '../helpers/native.js'

/** More than the kernel takes for a client that does not read. */
const STALLS = 16 * 2 ** 20
const MESSAGES = 2000
const HEARTBEAT_MS = 60_000
const LIVENESS = {
  heartbeatMs: HEARTBEAT_MS,
  idleTimeoutMs: HEARTBEAT_MS,
  kernelQueues: new KernelQueues(HEARTBEAT_MS)
}

/** Opens a client that connects and then reads nothing more. */
async function openStalled (t: Test, server: Server, request: string): Promise<Socket> {
  const socket = connect(await listen(t, server), '127.0.0.1')
  t.teardown(() => { socket.destroy() })
  socket.write(request)
  await once(socket, 'readable')
  return socket
}

const wires: Record<string, (t: Test) => Promise<Transport>> = {
  async websocket (t) {
    const server = createServer()
    const sockets = new WebSocketServer({ server })
    const connected = once(sockets, 'connection')
    const request = [
      'GET / HTTP/1.1', 'Host: localhost', 'Upgrade: websocket', 'Connection: Upgrade',
      'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', '', ''
    ].join('\r\n')
    await openStalled(t, server, request)
    const [socket] = await connected
    return new WebSocketTransport(socket, native, LIVENESS)
  },
  async sse (t) {
    const server = createServer((_request, response) => {
      response.writeHead(200).flushHeaders()
      server.emit('opened', response)
    })
    const opened = once(server, 'opened')
    await openStalled(t, server, 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const [response] = await opened
    return new EventStreamTransport(response, native, identity, LIVENESS)
  }
}

for (const [name, open] of Object.entries(wires)) {
  test(`${name}: unsent messages keep no memory but their own`, async t => {
    const transport = await open(t)
    transport.write([Buffer.allocUnsafeSlow(STALLS)])
    // What was written last may be kept, to be written to others.
    transport.write([transport.format.join(['{}'])])
    t.ok(transport.unsent() > 0, 'the client does not read')
    const before = await bytesUsed()
    const unsent = transport.unsent()
    for (let n = 0; n < MESSAGES; n++) {
      transport.write([transport.format.join([JSON.stringify({ n })])])
      // What others are sent meanwhile takes the rest of the shared memory.
      for (let other = 0; other < 10; other++) transport.format.join(['x'.repeat(1000)])
    }
    const waits = transport.unsent() - unsent
    const grown = await bytesUsed() - before
    t.ok(waits > MESSAGES * 10 && waits < MESSAGES * 100, `${waits} bytes are unsent`)
    t.ok(grown < MESSAGES * 2000, `${grown} bytes are used for them`)
  })
}
