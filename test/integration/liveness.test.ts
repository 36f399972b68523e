import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import { KernelQueues } from '../../src/transports/sse/kernel-queues.js'
import { type Message, openClient, until } from '../helpers/clients.js'
import { publish, startServer } from '../helpers/server.js'

const HEARTBEAT_MS = 100
const UPGRADE =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='

test('keeps a listener connected that never sends, for ten heartbeats', async t => {
  // The server judges silence many times within the ten heartbeats, and a machine that is held up for a
  // second does no harm.
  const server = await startServer(t, { HEARTBEAT_MS: 200, IDLE_TIMEOUT_MS: 1500 })
  for (const transport of ['ws-json', 'ws-batch', 'sse'] as const) {
    const messages: Message[] = []
    let ended = false
    const client = openClient(transport, server.origin, 'subscribe=quotes:A', undefined, {
      onMessage: message => {
        messages.push(message)
      },
      onCursor: () => {}
    })
    void client.ended.then(() => { ended = true })
    const beats = (): Message[] => messages.filter(({ type }) => type === 'heartbeat')
    await until('ten heartbeats have come', () => beats().length >= 10)
    t.equal(ended, false, `${transport}: it is still connected`)
    t.ok(
      beats().every(({ cursor, timestamp }) => typeof cursor === 'string' && typeof timestamp === 'string')
    )
    await publish(server.app, 'quotes', 'A', { symbol: 'A', bid: '1' })
    await until('a quote has come', () => messages.some(({ type }) => type === 'quote'))
    client.cut()
  }
})

test('sends heartbeats only when nothing else comes, and a cursor within a second of the last message', async t => {
  const server = await startServer(t, { HEARTBEAT_MS: 400, IDLE_TIMEOUT_MS: 1000 })
  const messages: Message[] = []
  const cursors: number[] = []
  const client = openClient('ws-json', server.origin, 'subscribe=quotes:A', undefined, {
    onMessage: message => { messages.push(message) }, onCursor: () => { cursors.push(messages.length) }
  })
  await until('the first cursor has come', () => cursors.length === 1)
  for (let i = 1; i <= 20; i++) {
    await publish(server.app, 'quotes', 'A', { symbol: 'A', bid: String(i) })
    await delay(50)
  }
  t.equal(messages.filter(({ type }) => type === 'heartbeat').length, 0, 'no heartbeat while messages flow')
  const last = (): number => messages.findLastIndex(({ sequence }) => sequence === 20) + 1
  await until(
    'a cursor after the last message has come',
    () => last() > 0 && cursors.some(at => at >= last()),
    1500
  )
  t.ok(cursors.length <= 4, 'cursors come at most once a second')
  client.cut()
})

test('takes nobody as silent while the process is stopped', async t => {
  const server = await startServer(t, { HEARTBEAT_MS, IDLE_TIMEOUT_MS: 300 })
  const beats = { 'ws-json': 0, sse: 0 }
  for (const transport of ['ws-json', 'sse'] as const) {
    const client = openClient(transport, server.origin, 'subscribe=quotes:A', undefined, {
      onMessage: ({ type }) => {
        if (type === 'heartbeat') beats[transport]++
      },
      onCursor: () => {}
    })
    t.teardown(() => { client.cut() })
  }
  await until('heartbeats come', () => Object.values(beats).every(count => count > 0))
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500)
  const before = { ...beats }
  await until(
    'heartbeats go on',
    () => beats['ws-json'] > before['ws-json'] + 5 && beats.sse > before.sse + 5
  )
  t.equal(server.parts.connections.active, 2, 'both stay')
})

test('drops a client that is gone', async t => {
  const server = await startServer(t, { HEARTBEAT_MS, IDLE_TIMEOUT_MS: 250 })
  const { connections } = server.parts
  const { hostname, port } = new URL(server.origin)

  await t.test('a WebSocket that answers no ping', async t => {
    const socket = connect(Number(port), hostname)
    socket.write(`GET /v1/stream?subscribe=quotes:A HTTP/1.1\r\nHost: x\r\n${UPGRADE}\r\n\r\n`)
    socket.resume()
    await until('it is connected', () => connections.active === 1)
    await until('it is dropped', () => connections.active === 0, 3000)
    socket.destroy()
    t.pass('it is dropped')
  })

  const stalled = { 'an event stream': 'Accept: text/event-stream', 'a WebSocket': UPGRADE } as const
  for (const [name, headers] of Object.entries(stalled)) {
    await t.test(`${name} that reads nothing`, async t => {
      const sockets = new Set<Socket>()
      server.app.server.once('connection', (served: Socket) => { sockets.add(served) })
      const socket = connect(Number(port), hostname)
      socket.pause()
      socket.write(`GET /v1/stream?subscribe=book:A HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n`)
      await until('it is connected', () => connections.active === 1)
      // Publishes until the system has bytes that the client does not take, while the process itself has
      // nothing unsent.
      const queues = new KernelQueues(1)
      const served = [...sockets][0]!
      const unacknowledged = (): number => queues.unacknowledged(served, Date.now())
      const bids = Array.from({ length: 1500 }, (_, index) => [String(100_000 - index), '1.00000000'])
      // A system may take 32 MiB for a client that does not read.
      const takesMore = (): boolean => unacknowledged() === 0 && connections.active === 1
      for (let written = 0; written < 48 * 1024 * 1024 && takesMore(); written += 35_000) {
        await publish(server.app, 'book', 'A', { symbol: 'A', bids, asks: [] }, { snapshot: true })
        await delay(2)
      }
      // On a machine that is held up, the client may be dropped before this test sees the bytes.
      t.ok(unacknowledged() > 0 || connections.active === 0, 'the system has unacknowledged bytes')
      t.ok(served.writableLength === 0 || connections.active === 0, 'the process has nothing unsent')
      await until('it is dropped', () => connections.active === 0, 5000)
      socket.destroy()
      t.pass('it is dropped')
    })
  }

  for (const transport of ['ws-json', 'sse', 'poll'] as const) {
    await t.test(`${transport}: a client that breaks off`, async t => {
      const client = openClient(
        transport,
        server.origin,
        'subscribe=quotes:A&subscribe=quotes:*',
        undefined,
        { onMessage: () => {}, onCursor: () => {} }
      )
      await until('it is connected', () => connections.active === 1)
      await delay(50)
      client.cut()
      await until('it is dropped', () => connections.active === 0, 3000)
      await until('nothing of it is left', () => server.parts.hub.audience.size === 0, 3000)
      t.pass('it is dropped')
    })
  }
})

test('closes a WebSocket that never subscribes with 4408', async t => {
  const server = await startServer(t, { HEARTBEAT_MS, IDLE_TIMEOUT_MS: 250 })
  const { openWebSocket } = await import('../helpers/clients.js')
  const messages: Message[] = []
  const client = openWebSocket(server.origin, '', 'tickwire.v1.json', {
    onMessage: message => {
      messages.push(message)
    },
    onCursor: () => {}
  })
  const code = await new Promise<number>(resolve => { client.socket.on('close', resolve) })
  t.equal(code, 4408)
  t.match(messages.at(-1), { type: 'closing', code: 'idle_timeout' })
})

test('tells every stream that it closes before it goes', async t => {
  const server = await startServer(t)
  const seen: Array<{ transport: string, messages: Message[] }> = []
  for (const transport of ['ws-json', 'ws-batch', 'sse'] as const) {
    const messages: Message[] = []
    seen.push({ transport, messages })
    openClient(transport, server.origin, 'subscribe=quotes:A', undefined, {
      onMessage: message => {
        messages.push(message)
      },
      onCursor: () => {}
    })
  }
  const poll = fetch(`${server.origin}/v1/stream?subscribe=quotes:A&wait=20`)
  await until('all are there', () => server.parts.connections.active === 4)
  await until('all are subscribed', () =>
    seen.every(({ messages }) => messages.some(({ type }) => type === 'subscribed'))
  )
  await server.app.close()
  for (const { transport, messages } of seen) {
    await until('the closing message has come', () => messages.at(-1)?.type === 'closing')
    t.match(messages.at(-1), { type: 'closing', code: 'going_away', retry_after_ms: Number }, transport)
  }
  const answer = await poll
  t.equal(answer.status, 503)
  t.match(await answer.json(), { type: 'error', code: 'going_away' })
})
