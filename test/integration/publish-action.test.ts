import { type Test, test } from 'tap'
import type { AppendResult } from '../../src/log/log.js'
import { type Message, openWebSocket, until, type WebSocketClient } from '../helpers/clients.js'
import { startServer, type TestServer } from '../helpers/server.js'

/**
 * PROTOCOL.md, Publishing: the action `publish` follows the rules of `POST /v1/publish`, over a WebSocket.
 */

const quote = (symbol: string, bid: unknown = '1'): object => ({
  channel: 'quotes',
  symbol,
  data: { symbol, bid }
})

interface Session extends WebSocketClient {
  readonly heard: Message[]
  /** Resolves with the message that answers an id. */
  answer (id: number | string): Promise<Message>
}

function connect (t: Test, server: TestServer, query: string): Session {
  const heard: Message[] = []
  const client = openWebSocket(server.origin, query, 'tickwire.v1.json', {
    onMessage: message => {
      heard.push(message)
    },
    onCursor () {}
  })
  t.teardown(() => { client.cut() })
  const answerTo = (id: number | string): Message | undefined => heard.find(message => message['id'] === id)
  return {
    ...client,
    heard,
    async answer (id) {
      await until(`an answer to ${id}`, () => answerTo(id) !== undefined)
      return answerTo(id)!
    }
  }
}

/** A message with a number that cannot be held exactly. */
const INEXACT =
  '{"channel":"book","symbol":"A","data":{"symbol":"A","bids":[],"asks":[],"venue_sequence":9007199254740993}}'

/** Batches as JSON texts of an array, with the claims of their publisher. */
const BATCHES: ReadonlyArray<readonly [name: string, messages: string, claims?: object]> = [
  ['one', JSON.stringify([quote('A')])],
  ['two of a topic and one of another', JSON.stringify([quote('A'), quote('B'), quote('A')])],
  ['bad items beside good ones', JSON.stringify([
    quote('A'), quote('A', 1), { ...quote('A'), colour: 'red' }, { channel: 'nothing', data: {} },
    'text', null, 7, [], quote('A'),
    { channel: 'quotes', data: {} }, { channel: 'quotes', symbol: 'A', data: { symbol: 'B' } },
    { channel: 'instruments', symbol: 'A', data: { symbol: 'A' } }
  ])],
  ['a number that cannot be held exactly', `[${JSON.stringify(quote('A'))}, ${INEXACT}, ${JSON.stringify(quote('B'))}]`],
  ['a key given twice', JSON.stringify([{ ...quote('K'), idempotency_key: 'one' }, { ...quote('K'), idempotency_key: 'one' }])],
  ['a private channel without its owner', JSON.stringify([{ channel: 'alerts', data: {} }, quote('A')])],
  ['some that the token does not permit', JSON.stringify([quote('A'), quote('B')]), { publish: ['quotes:B'] }],
  ['none that the token permits', JSON.stringify([quote('A'), quote('B')]), { publish: ['trades:*'] }],
  ['a token that permits nothing', JSON.stringify([quote('A')]), { publish: undefined }]
]

test('answers each batch as POST /v1/publish does', async t => {
  for (const [name, messages, claims = {}] of BATCHES) {
    // Two servers, so that both begin with the same log.
    const [overHttp, overSocket] = [await startServer(t), await startServer(t)]
    const response = await fetch(`${overHttp.origin}/v1/publish`, {
      method: 'POST',
      body: messages,
      headers: {
        authorization: `Bearer ${overHttp.token({ ...claims })}`,
        'content-type': 'application/json'
      }
    })
    const expected = await response.json() as Message
    const session = connect(t, overSocket, `token=${overSocket.token({ ...claims })}`)
    await until('welcome', () => session.heard.length > 0)
    session.send(`{"action":"publish","id":1,"messages":${messages}}`)
    const { id, ...answer } = await session.answer(1)
    t.equal(id, 1)
    t.strictSame(answer, response.status === 200 ? { ...expected, type: 'published' } : expected, name)
    t.equal(overSocket.parts.counters.transport('websocket').closed, 0, 'the connection goes on')
  }
})

test('refuses a batch without messages, with too many, or with anything else as a bad message', async t => {
  const server = await startServer(t)
  const session = connect(t, server, `token=${server.token()}`)
  await until('welcome', () => session.heard.length > 0)
  const wrong: unknown[] = [[], {}, 'quotes', null, undefined, Array.from({ length: 10_001 }, () => 0)]
  for (const [index, messages] of wrong.entries()) {
    session.send({ action: 'publish', id: index, messages })
    t.match(
      await session.answer(index),
      { type: 'error', code: 'invalid_message', message: /^publish: / },
      String(messages).slice(0, 40)
    )
  }
  session.send({ action: 'publish', id: 'more', messages: [quote('A')], idempotency_key: 'x' })
  t.match(await session.answer('more'), { type: 'error', code: 'invalid_message' })
  session.send('{"action":"publish","id":"outside","messages":[],"extra":9007199254740993}')
  t.match(
    await session.answer('outside'),
    { type: 'error', code: 'invalid_message', message: /9007199254740993/ },
    'a number outside of the items refuses the whole batch'
  )
})

test('has several batches under way at once, and appends them in the order in which they were sent', async t => {
  const server = await startServer(t)
  const { log } = server.parts
  const append = log.append.bind(log)
  const waiting: Array<() => void> = []
  let most = 0
  log.append = async (...given): Promise<readonly AppendResult[]> => {
    const answered = append(...given)
    await new Promise<void>(resolve => { most = Math.max(most, waiting.push(resolve)) })
    return await answered
  }
  const session = connect(t, server, `token=${server.token()}`)
  await until('welcome', () => session.heard.length > 0)
  const count = 200
  const publish = (from: number, to: number): void => {
    for (let n = from; n < to; n++) {
      session.send({ action: 'publish', id: n, messages: [quote('A', String(n))] })
    }
  }
  // 64 wait for the log, and fewer than 32 for their turn. If all come at once, the server reads nothing, and
  // no ping, before it is down to 32.
  publish(0, 90)
  session.send({ action: 'ping', id: 'ping' })
  await session.answer('ping')
  await until('64 wait for the log', () => waiting.length === 64)
  publish(90, count)
  t.notOk(session.heard.some(({ type }) => type === 'published'), 'none is answered before the log has it')
  // The newest is answered first: an answer waits for no other.
  waiting.pop()!()
  t.match(await session.answer(63), { type: 'published', sequences: [64] })
  while (session.heard.filter(({ type }) => type === 'published').length < count) {
    waiting.shift()?.()
    await new Promise<void>(resolve => { setImmediate(resolve) })
  }
  t.equal(most, 64, 'no more than 64 at once')
  for (let n = 0; n < count; n++) t.same((await session.answer(n))['sequences'], [n + 1])
  const { entries } = await log.read('quotes:A', { sequence: 0 }, count)
  t.same(
    entries.map(({ payload }) => (JSON.parse(payload) as { bid: string }).bid),
    Array.from({ length: count }, (_, n) => String(n))
  )
})

test('publishes for a client once it has authenticated, and not before', async t => {
  const server = await startServer(t, { AUTH: 'required' })
  const session = connect(t, server, '')
  await until('welcome', () => session.heard.length > 0)
  session.send({ action: 'publish', id: 1, messages: [quote('A')] })
  session.send({ action: 'auth', id: 2, token: server.token() })
  session.send({ action: 'publish', id: 3, messages: [quote('A')] })
  t.match(await session.answer(1), { type: 'error', code: 'unauthorized' })
  t.match(await session.answer(3), { type: 'published', accepted: 1, rejected: [], sequences: [1] })
  const open = await startServer(t, { AUTH: 'optional' })
  const stranger = connect(t, open, '')
  await until('welcome', () => stranger.heard.length > 0)
  stranger.send({ action: 'publish', id: 1, messages: [quote('A')] })
  t.match(
    await stranger.answer(1),
    { type: 'error', code: 'unauthorized' },
    'nobody publishes without a name'
  )
})

test('refuses a batch as a whole while the log cannot take it, and the connection goes on', async t => {
  const server = await startServer(t)
  const { log } = server.parts
  const append = log.append.bind(log)
  const { ProtocolError } = await import('@tickwire/protocol')
  log.append = async () => { throw new ProtocolError('log_unavailable') }
  const session = connect(t, server, `token=${server.token()}`)
  await until('welcome', () => session.heard.length > 0)
  session.send({ action: 'publish', id: 1, messages: [quote('A')] })
  t.match(await session.answer(1), { type: 'error', code: 'log_unavailable', retry_after_ms: Number })
  log.append = append
  session.send({ action: 'publish', id: 2, messages: [quote('A')] })
  t.match(await session.answer(2), { type: 'published', sequences: [1] })
})

test('a connection that only publishes stays, while one that does nothing is closed', async t => {
  const server = await startServer(t, { HEARTBEAT_MS: 100, IDLE_TIMEOUT_MS: 250 })
  const publisher = connect(t, server, `token=${server.token({})}`)
  await until('welcome', () => publisher.heard.length > 0)
  publisher.send({ action: 'publish', id: 1, messages: [quote('A')] })
  t.match(await publisher.answer(1), { type: 'published', accepted: 1 })
  // Opened later, the other one is also looked at later.
  const silent = connect(t, server, `token=${server.token({})}`)
  const code = await new Promise<number>(resolve => { silent.socket.on('close', resolve) })
  t.equal(code, 4408)
  publisher.send({ action: 'publish', id: 2, messages: [quote('A')] })
  t.match(await publisher.answer(2), { type: 'published', accepted: 1 })
})
