import { request as httpRequest } from 'node:http'
import { Agent, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { connect, type TLSSocket } from 'node:tls'
import { type Test, test } from 'tap'
import { WebSocket } from 'ws'
import { CertificateFiles, makeCertificate } from '../helpers/certificate.js'
import { type Message, until } from '../helpers/clients.js'
import { runCommand, startCommand } from '../helpers/command.js'
import { keptLog } from '../helpers/kept-log.js'
import { publish, startServer, type TestServer } from '../helpers/server.js'

const quote = (server: TestServer, bid: number): Promise<void> =>
  publish(server.app, 'quotes', 'A', { symbol: 'A', bid: String(bid) })
const QUERY = 'subscribe=quotes:A'

interface Reader {
  readonly messages: Message[]
  readonly state: { ended: boolean }
}

const sequences = ({ messages }: Reader): number[] => messages.flatMap(({ sequence }) => sequence ?? [])

function overWebSocket (t: Test, server: TestServer, ca: string): Reader {
  const reader: Reader = { messages: [], state: { ended: false } }
  const socket = new WebSocket(
    `${server.origin.replace('http', 'ws')}/v1/stream?${QUERY}`,
    'tickwire.v1.json',
    { ca }
  )
  socket.on('message', data => { reader.messages.push(JSON.parse(String(data)) as Message) })
  socket.on('error', error => { t.fail(error.message) })
  socket.on('close', () => { reader.state.ended = true })
  t.teardown(() => { socket.terminate() })
  return reader
}

function overEvents (t: Test, server: TestServer, ca: string): Reader {
  const reader: Reader = { messages: [], state: { ended: false } }
  let text = ''
  const asked = request(
    `${server.origin}/v1/stream?${QUERY}`,
    { ca, agent: false, headers: { accept: 'text/event-stream' } },
    response => {
      response
        .setEncoding('utf8')
        .on('data', chunk => {
          const events = (text + String(chunk)).split('\n\n')
          text = events.pop()!
          for (const event of events) {
            const data = /^data: (\{.*)$/m.exec(event)?.[1]
            if (data !== undefined) reader.messages.push(JSON.parse(data) as Message)
          }
        })
        .on('close', () => {
          reader.state.ended = true
        })
    }
  ).on('error', () => {})
  asked.end()
  t.teardown(() => { asked.destroy() })
  return reader
}

interface Poll { readonly cursor: string, readonly messages: Message[] }

async function poll (server: TestServer, agent: Agent, after?: string): Promise<Poll> {
  return await new Promise((resolve, reject) => {
    const position = after === undefined ? '' : `&wait=10&after=${after}`
    request(`${server.origin}/v1/stream?${QUERY}${position}`, { agent }, response => {
      let body = ''
      response
        .setEncoding('utf8')
        .on('data', chunk => {
          body += chunk
        })
        .on('end', () => {
          resolve(JSON.parse(body) as Poll)
        })
    }).on('error', reject).end()
  })
}

/** Performs a handshake. Returns what was agreed. */
async function handshake (
  server: TestServer,
  ca: string,
  maxVersion: 'TLSv1.2' | 'TLSv1.3' = 'TLSv1.3'
): Promise<{ protocol: string, name: string }> {
  const { port } = server.app.server.address() as AddressInfo
  return await new Promise((resolve, reject) => {
    const socket: TLSSocket = connect(
      { port, host: '127.0.0.1', ca, maxVersion, rejectUnauthorized: false },
      () => {
        resolve({ protocol: socket.getProtocol()!, name: String(socket.getPeerCertificate().subject.CN) })
        socket.destroy()
      }
    ).on('error', reject)
  })
}

test('serves all transports over TLS 1.3, and nothing below it', async t => {
  const certificate = makeCertificate('only')
  const server = await startServer(t, new CertificateFiles(t, certificate).settings)
  t.match(server.origin, /^https:/)
  t.same(await handshake(server, certificate.cert), { protocol: 'TLSv1.3', name: 'only' })
  await t.rejects(handshake(server, certificate.cert, 'TLSv1.2'), { code: /PROTOCOL_VERSION/ })
  const plain = await new Promise((resolve, reject) => {
    const url = server.origin.replace('https', 'http') + '/healthz'
    httpRequest(url, ({ statusCode }) => { resolve(statusCode) }).on('error', reject).end()
  })
  t.equal(plain, 400, 'plain HTTP is asked whether it meant https')

  const agent = new Agent({ ca: certificate.cert, keepAlive: true })
  t.teardown(() => { agent.destroy() })
  const streams = [overWebSocket(t, server, certificate.cert), overEvents(t, server, certificate.cert)]
  await until('both are subscribed', () =>
    streams.every(({ messages }) => messages.some(({ type }) => type === 'subscribed'))
  )
  const { cursor } = await poll(server, agent)
  const held = poll(server, agent, cursor)
  for (let bid = 1; bid <= 100; bid++) await quote(server, bid)
  const all = Array.from({ length: 100 }, (_, index) => index + 1)
  await until('both have everything', () => streams.every(reader => sequences(reader).length === 100))
  for (const reader of streams) t.same(sequences(reader), all)
  t.equal((await held).messages[0]!.sequence, 1)
  t.notOk(
    streams.some(({ messages }) => messages.some(({ type }) => type === 'lagging')),
    'nobody was taken for slow'
  )
})

test('takes no reading client for slow when a window exceeds the unsent bytes', async t => {
  const certificate = makeCertificate('only')
  const server = await startServer(t, {
    ...new CertificateFiles(t, certificate).settings,
    MAX_BUFFERED_BYTES: 16_384,
    COMPRESSION: 'off'
  })
  const streams = [overWebSocket(t, server, certificate.cert), overEvents(t, server, certificate.cert)]
  await until('both are subscribed', () => streams.every(({ messages }) => messages.some(({ type }) => type === 'subscribed')))
  for (let round = 1; round <= 10; round++) {
    const items = Array.from({ length: 3000 }, (_, index) => ({
      channel: 'quotes', symbol: 'A', data: { symbol: 'A', bid: `${round}.${index}` }
    }))
    const results = await server.app.tickwire.publishAll(items)
    t.ok(results.every(result => 'sequence' in result))
    await until('both have everything', () =>
      streams.every(reader => sequences(reader).at(-1) === round * 3000)
    )
  }
  for (const { messages } of streams) t.notOk(messages.some(({ type }) => type === 'lagging'))
})

test('keeps only the position of a slow reader over TLS, which misses nothing', async t => {
  const certificate = makeCertificate('only')
  const server = await startServer(t, {
    ...new CertificateFiles(t, certificate).settings,
    COMPRESSION: 'off'
  })
  const { hub } = server.parts
  const served: TLSSocket[] = []
  server.app.server.once('secureConnection', (socket: TLSSocket) => { served.push(socket) })
  const url = `${server.origin.replace('http', 'ws')}/v1/stream?subscribe=book:A`
  const socket = new WebSocket(url, 'tickwire.v1.json', { ca: certificate.cert })
  t.teardown(() => { socket.terminate() })
  const messages: Message[] = []
  socket.on('message', data => { messages.push(JSON.parse(String(data)) as Message) })
  await until('it is subscribed', () => messages.some(({ type }) => type === 'subscribed'))
  socket.pause()
  const bids = Array.from({ length: 1500 }, (_, index) => [String(100_000 - index), '1.00000000'])
  let published = 0
  const { lags } = hub.counters.transport('websocket')
  t.equal(lags, 0)
  for (; hub.counters.transport('websocket').lags === 0 && published < 2000; published++) {
    await publish(server.app, 'book', 'A', { symbol: 'A', bids, asks: [] }, { snapshot: true })
    await new Promise(resolve => { setImmediate(resolve) })
  }
  const left = served[0]!.writableLength
  for (let more = 0; more < 20; more++, published++) {
    await publish(server.app, 'book', 'A', { symbol: 'A', bids, asks: [] }, { snapshot: true })
  }
  t.equal(served[0]!.writableLength, left, 'nothing more is kept for it')
  socket.resume()
  await until('it has everything', () =>
    messages.at(-1)?.type !== 'lagging' && messages.some(({ sequence }) => sequence === published))
  t.same(
    messages.flatMap(({ sequence }) => sequence ?? []),
    Array.from({ length: published }, (_, index) => index + 1)
  )
  t.match(messages.filter(({ type }) => type === 'lagging'), [{ behind: Number }, { behind: 0 }])
})

test('tells a client over TLS that reads nothing from one that reads', async t => {
  const certificate = makeCertificate('only')
  const server = await startServer(t, {
    ...new CertificateFiles(t, certificate).settings,
    HEARTBEAT_MS: 100,
    IDLE_TIMEOUT_MS: 250
  })
  const { connections } = server.parts
  const { port } = server.app.server.address() as AddressInfo
  const reading = overEvents(t, server, certificate.cert)
  await until('the reading client is there', () => reading.messages.length > 0)
  const stalled = connect({ port, host: '127.0.0.1', ca: certificate.cert })
  stalled.on('error', () => {})
  stalled.pause()
  stalled.write(
    'GET /v1/stream?subscribe=book:A HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n'
  )
  await until('both are there', () => connections.active === 2)
  const bids = Array.from({ length: 1500 }, (_, index) => [String(100_000 - index), '1.00000000'])
  // A system may take 32 MiB for a client that does not read.
  for (let written = 0; written < 48 * 1024 * 1024 && connections.active === 2; written += 35_000) {
    await publish(server.app, 'book', 'A', { symbol: 'A', bids, asks: [] }, { snapshot: true })
    await delay(2)
  }
  await until('the stalled client is dropped', () => connections.active === 1, 5000)
  stalled.destroy()
  const beats = (): number => reading.messages.filter(({ type }) => type === 'heartbeat').length
  const before = beats()
  await until('the reading client stays', () => beats() >= before + 5)
})

test('takes up a new certificate, refuses a wrong one, and cuts nobody', async t => {
  const first = makeCertificate('first')
  const second = makeCertificate('second')
  const files = new CertificateFiles(t, first)
  const lines: Array<Record<string, unknown>> = []
  const write = (line: string): void => {
    keptLog.write(line)
    lines.push(JSON.parse(line) as Record<string, unknown>)
  }
  const server = await startServer(t, files.settings, { lines: { write } })
  const told = (): string[] =>
    lines.filter(({ event }) => event === 'certificate').map(({ msg }) => String(msg))
  t.equal(told().length, 1, 'it says which one it began with')
  const agent = new Agent({ ca: first.cert + second.cert, keepAlive: true })
  t.teardown(() => { agent.destroy() })
  const streams = [overWebSocket(t, server, first.cert), overEvents(t, server, first.cert)]
  await until('both are subscribed', () => streams.every(({ messages }) => messages.some(({ type }) => type === 'subscribed')))
  const { cursor } = await poll(server, agent)
  const held = poll(server, agent, cursor)
  const name = async (): Promise<string> => (await handshake(server, first.cert)).name

  files.write({ cert: second.cert })
  await until('it has noticed the pair that does not fit', () => told().length === 2)
  t.match(
    lines.findLast(({ event }) => event === 'certificate'),
    { level: 40, reason: /is not the key of the certificate/ }
  )
  t.equal(await name(), 'first')
  files.write({ cert: second.cert.slice(0, 100) })
  await until('it has noticed half a file', () => told().length === 3)
  t.equal(await name(), 'first')
  files.write(second)
  await until('it has noticed the new pair', () => told().at(-1) === 'this certificate is in use')
  t.same(await handshake(server, second.cert), { protocol: 'TLSv1.3', name: 'second' })
  await t.rejects(handshake(server, second.cert, 'TLSv1.2'), 'still nothing below')

  await quote(server, 1)
  await until('both go on', () => streams.every(reader => sequences(reader).at(-1) === 1))
  t.equal((await held).messages.length, 1, 'the held poll is answered, too')
  t.notOk(streams.some(({ state }) => state.ended))
})

test('closes at once over TLS, even with clients that only shook hands', async t => {
  const certificate = makeCertificate('only')
  const server = await startServer(t, new CertificateFiles(t, certificate).settings)
  const { port } = server.app.server.address() as AddressInfo
  const streams = [overWebSocket(t, server, certificate.cert), overEvents(t, server, certificate.cert)]
  const idle = connect({ port, host: '127.0.0.1', ca: certificate.cert })
  idle.on('error', () => {})
  await new Promise(resolve => { idle.once('secureConnect', resolve) })
  await until('both are subscribed', () => streams.every(({ messages }) => messages.some(({ type }) => type === 'subscribed')))
  const began = Date.now()
  await server.app.close()
  // Of the grace of ten seconds, eight are for clients.
  t.ok(Date.now() - began < 4000, `${Date.now() - began} ms`)
  for (const { messages } of streams) t.match(messages.at(-1), { type: 'closing', code: 'going_away' })
})

test('the command says https, reads on every transport, and says what to do if it does not trust', async t => {
  const certificate = makeCertificate('only')
  const files = new CertificateFiles(t, certificate)
  const started = startCommand(['start'], { ...files.settings, PORT: '0' })
  t.teardown(() => { started.child.kill('SIGKILL') })
  await until('it listens', () => started.lines.some(line => line.startsWith('tickwire listens')))
  const url = started.lines
    .find(line => line.startsWith('tickwire listens'))!
    .slice('tickwire listens on '.length)
  t.match(url, /^https:\/\/127\.0\.0\.1:\d+$/)
  await Promise.all([
    ...['ws', 'sse'].map(async transport => {
      const env = { NODE_EXTRA_CA_CERTS: files.cert, TICKWIRE_URL: url }
      const { code, out, err } = await runCommand(
        ['tail', 'quotes:*', '-n', '1', '--json', '--transport', transport],
        env
      )
      t.equal(code, 0, err)
      t.match(out, '"type":"quote"')
    }),
    ...['ws', 'sse'].map(async transport => {
      const { code, err } = await runCommand(['tail', 'quotes:*', '-n', '1', '--transport', transport], {
        TICKWIRE_URL: url
      })
      t.equal(code, 1)
      t.match(err, /certificate .* is not trusted here .*NODE_EXTRA_CA_CERTS/)
    }),
    (async () => {
      const { err } = await runCommand(['check-config'], { ...files.settings, TLS_KEY: files.cert })
      t.match(err, /^tickwire: TLS_KEY: .* is not a private key/)
    })()
  ])
  started.child.kill('SIGTERM')
  t.equal((await started.finished).code, 0)
})
