import { connect } from 'node:net'
import { test } from 'tap'
import { openWebSocket, until } from '../helpers/clients.js'
import { RawHttp } from '../helpers/raw-http.js'
import { startServer } from '../helpers/server.js'

const GOOD = {
  Host: 'x',
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ=='
}

const handshake = (changes: Readonly<Record<string, string | undefined>>): string => {
  const lines = Object.entries({ ...GOOD, ...changes }).flatMap(([name, value]) =>
    value === undefined ? [] : `${name}: ${value}\r\n`
  )
  return `GET /v1/stream HTTP/1.1\r\n${lines.join('')}\r\n`
}

const broken: ReadonlyArray<readonly [string, Readonly<Record<string, string | undefined>>]> = [
  ['no key', { 'Sec-WebSocket-Key': undefined }],
  ['a malformed key', { 'Sec-WebSocket-Key': 'short' }],
  ['no version', { 'Sec-WebSocket-Version': undefined }],
  ['another version', { 'Sec-WebSocket-Version': '12' }],
  ['a subprotocol twice', { 'Sec-WebSocket-Protocol': 'tickwire.v1.json, tickwire.v1.json' }],
  ['an empty subprotocol', { 'Sec-WebSocket-Protocol': 'tickwire.v1.json,,' }],
  ['a subprotocol with a comma after it', { 'Sec-WebSocket-Protocol': 'tickwire.v1.json,' }]
]

test('refuses a bad handshake by the table, and frees its place', async t => {
  const server = await startServer(t, { MAX_CONNECTIONS_PER_IP: 3 })
  const port = Number(new URL(server.origin).port)
  for (const [name, changes] of broken) {
    for (let time = 0; time < 4; time++) {
      const answer = await new RawHttp(port).send(handshake(changes), 5000)
      if (typeof answer === 'string') t.fail(`${name}: ${answer}`)
      else t.match({ status: answer.status, ...JSON.parse(answer.body.toString()) as object }, { status: 400, type: 'error', code: 'bad_request' }, name)
    }
  }
  t.equal(server.parts.connections.active, 0)
  const good = await new RawHttp(port).send(handshake({}), 5000)
  t.equal(typeof good === 'string' ? good : good.status, 101)
})

test('frees the place of a client that is gone before its upgrade is done', async t => {
  const server = await startServer(t, { MAX_CONNECTIONS_PER_IP: 3 })
  const { port, hostname } = new URL(server.origin)
  for (let time = 0; time < 20; time++) {
    await new Promise<void>(resolve => {
      const socket = connect(Number(port), hostname)
      socket.on('close', () => { resolve() }).on('error', () => {})
      socket.write(handshake({}), () => { socket.resetAndDestroy() })
    })
  }
  await until('all have left', () => server.parts.connections.active === 0)
  let welcome = false
  const client = openWebSocket(server.origin, '', 'tickwire.v1.json', {
    onMessage: () => {
      welcome = true
    },
    onCursor: () => {}
  })
  t.teardown(() => { client.cut() })
  await until('another is let in', () => welcome)
})

test('refuses a URL that cannot be read by the table, and does not repeat it', async t => {
  const server = await startServer(t)
  for (const path of ['/%', '/%zz<script>', '/v1/admin/sources/%E0%A4/start']) {
    const answer = await new RawHttp(Number(new URL(server.origin).port)).send(
      `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`,
      5000
    )
    if (typeof answer === 'string') t.fail(`${path}: ${answer}`)
    else {
      t.equal(answer.status, 400, path)
      t.same(JSON.parse(answer.body.toString()), { type: 'error', code: 'bad_request', message: 'the server cannot read the URL' }, path)
    }
  }
})
