import { type Test, test } from 'tap'
import { type Message, openWebSocket, until, type WebSocketClient } from '../helpers/clients.js'
import { publish, startServer, type TestServer } from '../helpers/server.js'

const quote = (server: TestServer, symbol: string, bid: string): Promise<void> =>
  publish(server.app, 'quotes', symbol, { symbol, bid })
const trade = (server: TestServer, symbol: string, price: string): Promise<void> =>
  publish(server.app, 'trades', symbol, { symbol, price, size: '1', timestamp: '2026-01-01T00:00:00Z' })

interface Talk {
  readonly client: WebSocketClient
  readonly messages: Message[]
  /** Sends an action, and resolves with everything that came until its answer, which has the same id. */
  ask (action: object, answer?: string): Promise<Message[]>
}

let ids = 0

async function talk (t: Test, server: TestServer, query = '', protocol = 'tickwire.v1.json'): Promise<Talk> {
  const messages: Message[] = []
  const client = openWebSocket(server.origin, query, protocol, {
    onMessage: message => {
      messages.push(message)
    },
    onCursor: cursor => {
      messages.push({ type: 'cursor', cursor })
    }
  })
  t.teardown(() => { client.cut() })
  await until('welcome', () => messages.length > 0)
  return {
    client,
    messages,
    async ask (action) {
      const id = ++ids
      const from = messages.length
      client.send({ ...action, id })
      await until(`an answer to ${JSON.stringify(action)}`, () =>
        messages.slice(from).some(message => message.id === id)
      )
      return messages.slice(from)
    }
  }
}

const data = (messages: readonly Message[]): string[] => messages.flatMap(message => {
  const { type, symbol, sequence, snapshot, reason } = message
  if (type === 'reset') return `reset ${symbol} ${String(reason)}`
  return sequence === undefined ? [] : `${symbol} ${sequence}${snapshot === true ? ' snapshot' : ''}`
})

test('sends welcome, subscribed, snapshots, a cursor and live messages, in that order', async t => {
  const server = await startServer(t)
  await quote(server, 'A', '1')
  await quote(server, 'B', '1')
  for (const protocol of ['tickwire.v1.json', 'tickwire.v1.batch']) {
    const { messages } = await talk(t, server, 'subscribe=quotes:*&subscribe=trades:A', protocol)
    await until('the cursor has come', () => messages.some(({ type }) => type === 'cursor'))
    t.same(
      messages.map(({ type }) => type),
      ['welcome', 'subscribed', 'subscribed', 'quote', 'quote', 'cursor']
    )
    t.match(messages[0], {
      protocol: 'tickwire.v1',
      connection_id: String,
      server_time: String,
      heartbeat_ms: 25_000
    })
    t.match(messages[1], {
      channel: 'quotes',
      symbols: ['*'],
      rejected: [],
      subscription_id: 's1',
      epoch: String
    })
    t.notOk('recovered' in messages[1]!, 'recovered goes with after')
    t.match(messages[3], { channel: 'quotes', sequence: 1, snapshot: true, data: { bid: '1' } })
  }
})

test('sends a symbol that appears later from sequence 1 to subscribers of all', async t => {
  const server = await startServer(t)
  const { messages } = await talk(t, server, 'subscribe=quotes:*&subscribe=trades:*')
  await until('the cursor has come', () => messages.some(({ type }) => type === 'cursor'))
  await quote(server, 'NEW', '1')
  await trade(server, 'NEW', '1')
  await until('both have come', () => data(messages).length === 2)
  t.same(data(messages), ['NEW 1', 'NEW 1'])
})

test('sends each topic once, whatever selectors overlap', async t => {
  const server = await startServer(t)
  await quote(server, 'A', '1')
  const { messages, ask } = await talk(t, server)
  await ask({ action: 'subscribe', channel: 'quotes', symbols: ['A', 'A', '*'] })
  await ask({ action: 'subscribe', channel: 'quotes', symbols: ['A'] })
  await ask({ action: 'subscribe', channel: 'quotes', symbols: ['*'] })
  await quote(server, 'A', '2')
  await ask({ action: 'ping' })
  await until('the update has come', () => data(messages).includes('A 2'))
  await quote(server, 'A', '3')
  await until('the next update has come', () => data(messages).includes('A 3'))
  t.same(data(messages), ['A 1 snapshot', 'A 2', 'A 3'])
})

test('unsubscribes the selector as written, and resets and resends what another one still covers', async t => {
  const server = await startServer(t)
  await quote(server, 'A', '1')
  await quote(server, 'B', '1')
  await trade(server, 'A', '1')
  const { messages, ask } = await talk(t, server)
  await ask({ action: 'subscribe', channel: 'quotes', symbols: ['*'] })
  await ask({ action: 'subscribe', channel: 'quotes', symbols: ['A'] })
  const answer = await ask({ action: 'unsubscribe', channel: 'quotes', symbols: ['NOT-THERE'] })
  t.match(answer.at(-1), { type: 'unsubscribed', symbols: ['NOT-THERE'] }, 'not an error')
  const from = messages.length
  await ask({ action: 'unsubscribe', channel: 'quotes', symbols: ['A'] })
  await until('A has come again', () => data(messages.slice(from)).includes('A 1 snapshot'))
  t.same(data(messages.slice(from)), ['reset A entered', 'A 1 snapshot'])
  await ask({ action: 'subscribe', channel: 'trades', symbols: ['*'] })
  await ask({ action: 'subscribe', channel: 'trades', symbols: ['A'] })
  await trade(server, 'A', '2')
  await until('the trade has come', () => messages.at(-1)?.type === 'trade')
  const history = messages.length
  await ask({ action: 'unsubscribe', channel: 'trades', symbols: ['A'] })
  await until('the trades have come again', () => data(messages.slice(history)).includes('A 2'))
  t.same(
    data(messages.slice(history)),
    ['reset A entered', 'A 1', 'A 2'],
    'a history begins again with what the log retains'
  )
  await ask({ action: 'unsubscribe', channel: 'trades', symbols: ['*'] })
  await ask({ action: 'unsubscribe', channel: 'quotes', symbols: ['*'] })
  await quote(server, 'A', '2')
  await quote(server, 'B', '2')
  const later = messages.length
  await ask({ action: 'subscribe', channel: 'trades', symbols: ['A'] })
  await trade(server, 'A', '3')
  await until('a trade has come', () => messages.slice(later).some(({ type }) => type === 'trade'))
  t.same(data(messages.slice(later)), ['A 3'], 'nothing of what was unsubscribed')
  t.equal(server.parts.hub.audience.size, 1)
})

test('sends a snapshot on demand that is exact while the topic moves, and then done', async t => {
  const server = await startServer(t)
  await publish(server.app, 'book', 'A', { symbol: 'A', bids: [['1', '1']], asks: [] }, { snapshot: true })
  const { messages, ask } = await talk(t, server)
  await ask({ action: 'subscribe', channel: 'book', symbols: ['A'] })
  // The snapshot of the subscription follows its answer.
  await until('the cursor has come', () => messages.some(({ type }) => type === 'cursor'))
  const state = { running: true }
  let level = 0
  const publisher = (async () => {
    while (state.running) {
      await publish(server.app, 'book', 'A', { symbol: 'A', bids: [[String(++level), '1']], asks: [] })
      if (level % 7 === 0) await new Promise(resolve => setTimeout(resolve, 1))
    }
  })()
  for (let i = 0; i < 50; i++) {
    const answer = await ask({ action: 'snapshot', channel: 'book', symbols: ['A'] })
    t.equal(answer.filter(({ type, snapshot }) => type === 'book' && snapshot === true).length, 1)
  }
  state.running = false
  await publisher
  await until('the last message has come', () =>
    messages.at(-1)?.sequence === level + 1 || messages.some(({ sequence }) => sequence === level + 1))
  // PROTOCOL.md, The client's rule, 2: nothing at or below a snapshot's sequence follows it, and none is
  // older.
  let last = 0
  let broken = 0
  const book = new Set<string>()
  for (const { type, sequence, snapshot, data } of messages) {
    if (type !== 'book') continue
    const { bids } = data as { bids: Array<[string, string]> }
    if (snapshot === true) {
      if (sequence! < last) broken++
      if (last > 0 && bids.length !== book.size) broken++
      book.clear()
    } else if (sequence !== last + 1) broken++
    for (const [price] of bids) book.add(price)
    last = sequence!
  }
  t.equal(broken, 0, 'every snapshot is exactly where the stream is')
  t.equal(book.size, level)
})

test('loses nothing over many new subscriptions while everything moves', async t => {
  const server = await startServer(t)
  const { messages, ask } = await talk(t, server)
  const state = { running: true }
  let n = 0
  const publisher = (async () => {
    while (state.running) {
      for (const symbol of ['A', 'B', `S${n % 50}`]) await quote(server, symbol, String(++n))
      await new Promise(resolve => setTimeout(resolve, 1))
    }
  })()
  for (let i = 0; i < 30; i++) {
    await ask({ action: 'subscribe', channel: 'quotes', symbols: i % 2 === 0 ? ['*'] : ['A', 'B'] })
    await new Promise(resolve => setTimeout(resolve, 5))
    await ask({ action: 'unsubscribe', channel: 'quotes', symbols: i % 2 === 0 ? ['*'] : ['A', 'B'] })
  }
  state.running = false
  await publisher
  const last = new Map<string, number>()
  const gaps: string[] = []
  for (const { type, symbol, sequence, snapshot } of messages) {
    if (type === 'unsubscribed') last.clear()
    else if (type === 'quote') {
      const before = last.get(symbol!)
      if (snapshot !== true && before !== undefined && sequence !== before + 1) {
        gaps.push(`${symbol} ${before} → ${sequence}`)
      }
      last.set(symbol!, sequence!)
    }
  }
  t.same(gaps, [])
})

test('gives private channels to the user of the token only', async t => {
  const server = await startServer(t)
  const order = {
    order_id: '1',
    symbol: 'A',
    side: 'buy',
    order_type: 'limit',
    status: 'new',
    quantity: '1',
    filled_qty: '0'
  }
  const publishFor = async (user: string): Promise<void> => {
    const response = await fetch(`${server.origin}/v1/publish`, {
      method: 'POST',
      body: JSON.stringify({ channel: 'orders', user, data: order }),
      headers: { authorization: `Bearer ${server.token()}`, 'content-type': 'application/json' }
    })
    t.match(await response.json(), { accepted: 1 })
  }
  const alice = await talk(t, server, `subscribe=orders&token=${server.token({ sub: 'alice' })}`)
  const bob = await talk(t, server)
  const authenticated = await bob.ask({ action: 'auth', token: server.token({ sub: 'bob' }) })
  t.match(authenticated.at(-1), { type: 'authenticated', user_id: 'bob', expires_at: String })
  await bob.ask({ action: 'subscribe', channel: 'orders' })
  await until('both are subscribed', () =>
    [alice, bob].every(({ messages }) => messages.some(({ type }) => type === 'cursor')))
  await publishFor('alice')
  await publishFor('bob')
  await publishFor('alice')
  const orders = ({ messages }: Talk): Message[] => messages.filter(({ type }) => type === 'order')
  await until('all have come', () => orders(alice).length === 2 && orders(bob).length > 0)
  t.same(orders(alice).map(({ sequence }) => sequence), [1, 2])
  t.same(orders(bob).map(({ sequence }) => sequence), [1])
  t.notOk('symbol' in orders(alice)[0]!, 'no symbol, and no user')
  t.match(alice.messages[0], { user_id: 'alice' })

  const less = await talk(t, server, `subscribe=orders&token=${server.token({ sub: 'carol' })}`)
  less.client.send({ action: 'auth', token: server.token({ sub: 'carol', read: ['quotes:*'] }) })
  const closed = await new Promise<number>(resolve => { less.client.socket.on('close', resolve) })
  t.equal(closed, 4403, 'a token that permits less closes a connection with more')

  bob.client.send({ action: 'auth', token: server.token({ sub: 'alice' }) })
  const code = await new Promise<number>(resolve => { bob.client.socket.on('close', resolve) })
  t.equal(code, 4403, 'auth must name the same user')
  const history = await fetch(`${server.origin}/v1/history?topic=orders`, {
    headers: { authorization: `Bearer ${server.token({ sub: 'bob' })}` }
  })
  t.equal((await history.json() as { messages: unknown[] }).messages.length, 1)
})

test('AUTH=required: serves nothing without a token, which must come within five seconds', async t => {
  const server = await startServer(t, { AUTH: 'required' })
  for (const accept of ['text/event-stream', 'application/json']) {
    t.equal(
      (await fetch(`${server.origin}/v1/stream?subscribe=quotes:*`, { headers: { accept } })).status,
      401
    )
  }
  t.equal(
    (
      await fetch(`${server.origin}/v1/stream?subscribe=quotes:*`, {
        headers: { authorization: `Bearer ${server.token()}` }
      })
    ).status,
    200
  )
  const { messages, ask } = await talk(t, server)
  t.match((await ask({ action: 'subscribe', channel: 'quotes', symbols: ['*'] })).at(-1), {
    type: 'error',
    code: 'unauthorized'
  })
  await ask({ action: 'auth', token: server.token() })
  t.match((await ask({ action: 'subscribe', channel: 'quotes', symbols: ['*'] }))[0], { type: 'subscribed' })
  const silent = await talk(t, server)
  const code = await new Promise<number>(resolve => { silent.client.socket.on('close', resolve) })
  t.equal(code, 4401)
  t.match(silent.messages.at(-1), { type: 'closing', code: 'unauthorized' })
  t.ok(messages.length > 0)
})

test('closes a stream with 4401 when its token expires', async t => {
  const server = await startServer(t, { HEARTBEAT_MS: 100, IDLE_TIMEOUT_MS: 1000 })
  const token = server.app.tickwire.signToken({ sub: 'alice' }, 1)
  const { client, messages } = await talk(t, server, `subscribe=quotes:*&token=${token}`)
  const code = await new Promise<number>(resolve => { client.socket.on('close', resolve) })
  t.equal(code, 4401)
  t.match(messages.at(-1), { type: 'closing', code: 'unauthorized' })
})

test('sends cursors during a long catch-up, and none that forgets one of several resumes', async t => {
  const server = await startServer(t)
  const first = await talk(t, server, 'subscribe=trades:*&subscribe=quotes:*')
  await until('a cursor has come', () => first.messages.some(({ type }) => type === 'cursor'))
  const cursor = first.messages.find(({ type }) => type === 'cursor')!['cursor'] as string
  first.client.cut()
  for (let i = 1; i <= 3000; i++) {
    await trade(server, 'A', String(i))
    if (i % 10 === 0) await quote(server, 'A', String(i))
  }
  const response = await fetch(
    `${server.origin}/v1/stream?subscribe=trades:*&subscribe=quotes:*&after=${cursor}`,
    { headers: { accept: 'text/event-stream' } }
  )
  let text = ''
  for await (const chunk of response.body!) {
    text += Buffer.from(chunk as Uint8Array).toString()
    if (text.includes('"sequence":3000')) break
  }
  const cursors = text.split('event: cursor').length - 1
  t.ok(cursors >= 3, `an event stream gets cursors on its way (${cursors})`)

  const second = await talk(t, server)
  second.client.send({ action: 'subscribe', channel: 'trades', symbols: ['*'], after: cursor })
  second.client.send({ action: 'subscribe', channel: 'quotes', symbols: ['*'], after: cursor })
  await until('both have everything', () =>
    second.messages.some(({ type, sequence }) => type === 'quote' && sequence === 300) &&
    second.messages.at(-1)?.type === 'cursor')
  const types = second.messages.map(({ type }) => type)
  const firstCursor = types.indexOf('cursor')
  t.ok(
    firstCursor > types.lastIndexOf('trade') || firstCursor > types.lastIndexOf('subscribed'),
    'no cursor comes before the second resume was taken up'
  )
  t.same(second.messages.filter(({ type }) => type === 'trade').length, 3000)
  t.same(second.messages.filter(({ type }) => type === 'quote').length, 300)
  t.match(
    second.messages.filter(({ type }) => type === 'subscribed'),
    [{ recovered: true }, { recovered: true }]
  )
})

test('polls: keeps its limit, says whether there is more, and holds an answer', async t => {
  const server = await startServer(t)
  const poll = async (query: string): Promise<{ cursor: string, messages: Message[], more: boolean }> =>
    (await (
      await fetch(`${server.origin}/v1/stream?subscribe=quotes:*&subscribe=trades:*${query}`)
    ).json()) as never
  await quote(server, 'A', '1')
  await trade(server, 'A', '1')
  await new Promise(resolve => setTimeout(resolve, 30))
  const first = await poll('')
  t.same(data(first.messages), ['A 1 snapshot'], 'the states and a cursor')
  t.equal(first.more, false)
  for (let i = 2; i <= 11; i++) await trade(server, 'A', String(i))
  await new Promise(resolve => setTimeout(resolve, 30))
  const second = await poll(`&after=${first.cursor}&limit=4`)
  t.same(data(second.messages), ['A 2', 'A 3', 'A 4', 'A 5'])
  t.equal(second.more, true)
  const third = await poll(`&after=${second.cursor}`)
  t.same(data(third.messages), ['A 6', 'A 7', 'A 8', 'A 9', 'A 10', 'A 11'])
  t.equal(third.more, false)
  const held = poll(`&after=${third.cursor}&wait=10`)
  await until('it is held', () => server.parts.hub.audience.size === 2)
  await quote(server, 'A', '2')
  t.same(data((await held).messages), ['A 2'])
  t.same((await poll(`&after=${third.cursor}&snapshot=false`)).messages.length, 1)
  t.same((await poll('&snapshot=false')).messages, [])
})
