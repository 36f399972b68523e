import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { gunzipSync } from 'node:zlib'
import { type Test, test } from 'tap'
import { WebSocket } from 'ws'
import {
  type Message,
  openClient,
  openWebSocket,
  type TransportName,
  transportNames,
  until
} from '../helpers/clients.js'
import { passedOn, publish, startServer, type TestServer } from '../helpers/server.js'

const FROM_BYTES = 384

/** Asks for a path. Returns the head of the answer and, when it ends, its bytes as they came. */
async function get (
  origin: string,
  path: string,
  headers: Record<string, string>
): Promise<{ response: IncomingMessage, body: () => Promise<Buffer> }> {
  const sent = request(origin + path, { headers }).end()
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  return { response, body: async () => Buffer.concat(await response.toArray()) }
}

const quote = (symbol: string, n: number): object => ({
  symbol,
  bid: (185 + n / 100).toFixed(2),
  ask: (185.02 + n / 100).toFixed(2),
  last: '185.51',
  bid_size: String(100 * n),
  ask_size: '200',
  volume: String(1_000_000 + n)
})

async function quotes (
  server: TestServer,
  symbols: readonly string[],
  count: number,
  from = 0
): Promise<void> {
  for (let n = from; n < from + count; n++) {
    await server.app.tickwire.publishAll(
      symbols.map(symbol => ({ channel: 'quotes', symbol, data: quote(symbol, n) }))
    )
  }
}

interface Reading {
  readonly messages: Message[]
  cursor: string | undefined
  cut (): void
  readonly ended: Promise<void>
}

function read (
  t: Test,
  server: TestServer,
  transport: TransportName,
  compressed: boolean,
  query: string,
  after?: string
): Reading {
  const reading: { messages: Message[], cursor: string | undefined } = { messages: [], cursor: undefined }
  const client = openClient(
    transport,
    server.origin,
    query,
    after,
    {
      onMessage: message => {
        reading.messages.push(message)
      },
      onCursor: cursor => {
        reading.cursor = cursor
      }
    },
    1,
    compressed
  )
  t.teardown(() => {
    client.cut()
  })
  return Object.assign(reading, { cut: client.cut, ended: client.ended })
}

/** Groups by topic what must be the same for all: the data messages. */
function byTopic (messages: readonly Message[]): Record<string, Message[]> {
  const topics: Record<string, Message[]> = {}
  for (const message of messages) {
    if (message.sequence !== undefined) (topics[`${message.channel}:${message.symbol}`] ??= []).push(message)
  }
  return topics
}

test('carries the same messages compressed and plain on every transport: live, states, long catch-ups, the end', async t => {
  const server = await startServer(t, { HEARTBEAT_MS: 300, IDLE_TIMEOUT_MS: 5000 })
  const query = 'subscribe=quotes:*&subscribe=book:*&subscribe=news'
  const kinds = transportNames.flatMap(transport =>
    [true, false].map(compressed => ({
      transport,
      compressed,
      name: `${transport}${compressed ? ', compressed' : ''}`
    }))
  )
  const live = kinds.map(kind => ({
    ...kind,
    ...{ reading: read(t, server, kind.transport, kind.compressed, query) }
  }))
  await until('all are there', () => live.every(({ reading }) => reading.cursor !== undefined))
  const start = new Map(live.map(({ name, reading }) => [name, reading.cursor!]))

  const levels = Array.from({ length: 1000 }, (_, n) => [String(100_000 - n), `${n}.5`])
  await publish(server.app, 'book', 'B', { symbol: 'B', bids: levels, asks: [] }, { snapshot: true })
  for (let n = 0; n < 30; n++) {
    await publish(server.app, 'book', 'B', {
      symbol: 'B',
      bids: levels.slice(n, n + 20).map(([price]) => [price, String(n)]),
      asks: []
    })
    await quotes(server, ['A', 'B', '005930'], n % 7 === 0 ? 20 : 2, n * 20)
    await publish(server.app, 'news', undefined, {
      headline: `삼성전자 ${'😀'.repeat(n * 15)} \u2028`,
      source: 's',
      symbols: [],
      timestamp: '2026-01-01T00:00:00Z'
    })
  }
  await passedOn(server)
  const expected = (await server.parts.history('quotes:A', { limit: 10_000 }))!.last
  const complete = (messages: readonly Message[]): boolean =>
    messages.some(
      ({ symbol, sequence, channel }) => channel === 'quotes' && symbol === 'A' && sequence === expected
    ) && messages.some(({ channel, sequence }) => channel === 'news' && sequence === 30)
  await until('all have everything', () => live.every(({ reading }) => complete(reading.messages)))
  const reference = byTopic(live.find(({ name }) => name === 'ws-json')!.reading.messages)
  t.equal(Object.values(reference).flat().length, expected * 3 + 31 + 30)
  for (const { name, reading } of live) {
    t.ok(JSON.stringify(byTopic(reading.messages)) === JSON.stringify(reference), `${name}: live`)
  }

  const heartbeats = live.filter(({ transport }) => transport !== 'poll')
  await until('heartbeats come', () =>
    heartbeats.every(({ reading }) => reading.messages.some(({ type }) => type === 'heartbeat'))
  )

  const resumed = kinds.map(kind => ({
    ...kind,
    reading: read(t, server, kind.transport, kind.compressed, query, start.get(kind.name)!)
  }))
  await until('all have caught up', () => resumed.every(({ reading }) => complete(reading.messages)))
  for (const { name, reading } of resumed) {
    t.ok(JSON.stringify(byTopic(reading.messages)) === JSON.stringify(reference), `${name}: resumed`)
  }

  for (const { transport, reading } of [...live, ...resumed]) if (transport === 'poll') reading.cut()
  server.parts.connections.closeAll({ code: 'going_away', message: 'over' }, 1000)
  for (const { name, transport, reading } of live) {
    if (transport === 'poll') continue
    await reading.ended
    t.match(
      reading.messages.at(-1),
      { type: 'closing', code: 'going_away', retry_after_ms: Number },
      `${name}: the last word`
    )
  }
})

test('agrees on compression only with clients that can read it', async t => {
  const server = await startServer(t)
  const socketOffering = async (offer: boolean | object, origin = server.origin): Promise<string> => {
    const socket = new WebSocket(`${origin.replace('http', 'ws')}/v1/stream`, 'tickwire.v1.batch', {
      perMessageDeflate: offer
    })
    const [response] = await once(socket, 'upgrade') as [IncomingMessage]
    socket.terminate()
    return response.headers['sec-websocket-extensions'] ?? 'none'
  }
  t.equal(
    await socketOffering(true),
    'permessage-deflate; client_max_window_bits=12; server_no_context_takeover; client_no_context_takeover'
  )
  t.match(await socketOffering({ serverMaxWindowBits: 12 }), /server_max_window_bits=12/)
  t.equal(
    await socketOffering({ serverMaxWindowBits: 10 }),
    'none',
    'a client that can read less than the server sends does without'
  )
  t.equal(await socketOffering(false), 'none')
  for (const malformed of ['permessage-deflate; client_max_window_bits=x', ';;', 'permessage-deflate; a="']) {
    const socket = new WebSocket(`${server.origin.replace('http', 'ws')}/v1/stream`, [], {
      perMessageDeflate: false,
      headers: { 'sec-websocket-extensions': malformed }
    })
    await once(socket, 'open')
    socket.terminate()
    t.pass(`a malformed offer counts as none: ${malformed}`)
  }

  const encoding = async (origin: string, acceptEncoding: string): Promise<string> => {
    const { response } = await get(origin, '/v1/stream?subscribe=quotes:A', {
      accept: 'text/event-stream',
      'accept-encoding': acceptEncoding
    })
    response.destroy()
    t.equal(response.headers['cache-control'], 'no-cache, no-store, no-transform')
    t.equal(response.headers.connection, 'close', 'no request follows a stream')
    t.match(response.headers.vary, /Accept-Encoding/)
    return response.headers['content-encoding'] ?? 'none'
  }
  t.equal(await encoding(server.origin, 'gzip, deflate, br'), 'gzip')
  t.equal(await encoding(server.origin, 'br'), 'none')
  t.equal(await encoding(server.origin, 'gzip;q=0'), 'none')

  const off = await startServer(t, { COMPRESSION: 'off' })
  t.equal(await socketOffering(true, off.origin), 'none')
  t.equal(await encoding(off.origin, 'gzip'), 'none')
})

test('compresses answers from 1 KiB on, and gives their length', async t => {
  const server = await startServer(t)
  await quotes(server, Array.from({ length: 50 }, (_, n) => `S${n}`), 5)
  await quotes(server, ['ONE'], 1)
  for (const path of ['/v1/stream?subscribe=quotes:*', '/v1/history?topic=quotes:S1&limit=100']) {
    const plain = await get(server.origin, path, {})
    const expected = JSON.parse((await plain.body()).toString()) as object
    const { response, body } = await get(server.origin, path, { 'accept-encoding': 'gzip' })
    const bytes = await body()
    t.match(
      response.headers,
      {
        'content-encoding': 'gzip',
        'content-length': String(bytes.length),
        'content-type': 'application/json; charset=utf-8',
        vary: /Accept-Encoding/
      },
      path
    )
    t.same(JSON.parse(gunzipSync(bytes).toString()), expected)
    t.equal(plain.response.headers['content-encoding'], undefined)
    t.match(plain.response.headers.vary, /Accept-Encoding/)
  }
  const { response } = await get(server.origin, '/v1/stream?subscribe=quotes:ONE', {
    'accept-encoding': 'gzip'
  })
  t.equal(response.headers['content-encoding'], undefined, 'a short answer stays as it is')
  response.resume()
  const counted = server.parts.counters.transport('poll').bytes
  const { body } = await get(server.origin, '/v1/stream?subscribe=quotes:*', { 'accept-encoding': 'gzip' })
  t.equal(
    server.parts.counters.transport('poll').bytes - counted,
    (await body()).length,
    'the counted bytes are those of the wire'
  )
})

test('saves bytes in windows of 5 and of 20 messages, and counts what it sends', async t => {
  const server = await startServer(t, { FLUSH_MS: 50 })
  const { counters } = server.parts
  const sent = async (transport: 'ws-batch' | 'sse', compressed: boolean, count: number): Promise<number> => {
    const name = transport === 'sse' ? 'sse' : 'websocket'
    const reading = read(t, server, transport, compressed, 'subscribe=quotes:*;fresh&snapshot=false')
    await until('the client is there', () => reading.cursor !== undefined)
    const before = counters.transport(name).bytes
    const seen = reading.messages.length
    for (let n = 0; n < 5; n++) {
      const symbols = ['AAPL', 'MSFT', 'KO', '005930']
      await server.app.tickwire.publishAll(
        Array.from({ length: count }, (_, i) => i).flatMap(i =>
          symbols.map(symbol => ({ channel: 'quotes', symbol, data: quote(symbol, i) }))
        )
      )
      await until('the window came', () => reading.messages.length >= seen + (n + 1) * count * symbols.length)
    }
    reading.cut()
    await reading.ended
    return counters.transport(name).bytes - before
  }
  for (const transport of ['ws-batch', 'sse'] as const) {
    const ratio = async (count: number): Promise<number> =>
      (await sent(transport, false, count)) / (await sent(transport, true, count))
    const [few, many] = [await ratio(5), await ratio(20)]
    t.ok(few >= 4, `${transport}: ${few.toFixed(1)} times fewer at 5`)
    t.ok(many >= 7, `${transport}: ${many.toFixed(1)} times fewer at 20`)
  }
})

test('reads what a client compresses, and counts it as large as it is', async t => {
  const server = await startServer(t, { MAX_MESSAGE_BYTES: 4096 })
  const messages: Message[] = []
  const client = openWebSocket(server.origin, '', 'tickwire.v1.json', {
    onMessage: message => {
      messages.push(message)
    },
    onCursor: () => {}
  })
  t.teardown(() => { client.cut() })
  await once(client.socket, 'open')
  const symbols = Array.from({ length: 100 }, (_, n) => `SYMBOL${n}`)
  client.send({ action: 'ping', id: 1 })
  client.socket.send(JSON.stringify({ action: 'subscribe', id: 2, channel: 'quotes', symbols }), {
    compress: true
  })
  client.socket.send(JSON.stringify({ action: 'unsubscribe', id: 3, channel: 'quotes', symbols }), {
    compress: true
  })
  client.send({ action: 'ping', id: 4 })
  await until('it was answered', () => messages.some(({ id }) => id === 3))
  t.same(
    messages.filter(({ id, type }) => id !== undefined && type !== 'pong').map(({ type, id }) => [type, id]),
    [
      ['subscribed', 2],
      ['unsubscribed', 3]
    ],
    'in the order in which they came'
  )

  const closed = once(client.socket, 'close')
  const bomb = Buffer.alloc(10 * 1024 * 1024, ' ')
  const memory = process.memoryUsage().rss
  client.socket.send(bomb, { compress: true, binary: false })
  const [code] = await closed as [number]
  t.equal(code, 1009)
  t.match(messages.at(-1), { type: 'closing', code: 'message_too_big' })
  t.ok(
    process.memoryUsage().rss - memory < 64 * 1024 * 1024,
    'it did not keep what the message would have become'
  )
})

test('leaves short frames as they are', async t => {
  const server = await startServer(t)
  const socket = new WebSocket(
    `${server.origin.replace('http', 'ws')}/v1/stream?subscribe=quotes:A`,
    'tickwire.v1.json'
  )
  t.teardown(() => { socket.terminate() })
  const [first] = await once(socket, 'message') as [Buffer]
  t.ok(first.length < FROM_BYTES)
  const raw = (socket as unknown as { _socket: NodeJS.EventEmitter })._socket
  const chunks: Buffer[] = []
  raw.on('data', (chunk: Buffer) => { chunks.push(chunk) })
  await publish(server.app, 'quotes', 'A', { symbol: 'A', bid: '1' })
  await until('the quote came', () => Buffer.concat(chunks).includes('"bid":"1"'))
  t.pass('readable on the wire')
})
