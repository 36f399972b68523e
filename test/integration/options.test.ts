import { type Test, test } from 'tap'
import { type Message, openClient, openWebSocket, transportNames, until } from '../helpers/clients.js'
import { passedOn, publish, startServer, type TestServer } from '../helpers/server.js'
import { StateFollower } from '../helpers/state-follower.js'

/** The options of a subscription, on every transport alike. */
const quote = (server: TestServer, symbol: string, bid: string): Promise<void> =>
  publish(server.app, 'quotes', symbol, { symbol, bid })
const trade = (server: TestServer, symbol: string, price: string): Promise<void> =>
  publish(server.app, 'trades', symbol, { symbol, price, size: '1', timestamp: '2026-01-01T00:00:00Z' })
const book = (
  server: TestServer,
  symbol: string,
  bids: string[][],
  asks: string[][],
  extra = {}
): Promise<void> => publish(server.app, 'book', symbol, { symbol, bids, asks }, extra)
const declare = (server: TestServer, symbol: string, sector: string): Promise<void> =>
  publish(server.app, 'instruments', symbol, { symbol, market: 'M', sector })

interface Reader {
  readonly messages: Message[]
  readonly follower: StateFollower
  cursor (): string
  cut (): void
}

function read (
  t: Test,
  server: TestServer,
  transport: (typeof transportNames)[number],
  query: string,
  after?: string,
  follower = new StateFollower()
): Reader {
  const messages: Message[] = []
  let cursor = ''
  follower.connect()
  const client = openClient(transport, server.origin, query, after, {
    onMessage: message => {
      messages.push(message)
      // Each poll is a connection of its own.
      if (transport === 'poll') follower.connect()
      follower.take(message)
    },
    onCursor: text => { cursor = text }
  })
  t.teardown(() => { client.cut() })
  return { messages, follower, cursor: () => cursor, cut: () => { client.cut() } }
}

const data = (messages: readonly Message[]): string[] => messages.flatMap(message => {
  const { type, symbol, sequence, prev, snapshot, reason } = message
  if (type === 'reset') return `reset ${symbol} ${String(reason)}`
  if (sequence === undefined) return []
  return `${symbol} ${prev === undefined ? '' : `${prev}…`}${sequence}${snapshot === true ? ' snapshot' : ''}`
})

for (const transport of transportNames) {
  test(`${transport}: sends a throttled symbol once an interval, with its last value, and misses nothing`, async t => {
    const server = await startServer(t)
    await quote(server, 'A', '0')
    const { messages, follower } = read(t, server, transport, 'subscribe=quotes:*;throttle_ms=100')
    await until('the snapshot has come', () => data(messages).length > 0)
    const began = Date.now()
    for (let bid = 1; bid <= 200; bid++) {
      await quote(server, 'A', String(bid))
      if (bid % 20 === 0) await new Promise(resolve => { setTimeout(resolve, 10) })
    }
    await until(
      'the last value has come',
      () => (follower.states.get('quotes:A') as { bid: string }).bid === '200'
    )
    const sent = data(messages).length - 1
    // A poll answers as often as it is asked; within an answer a symbol comes once.
    if (transport === 'poll') t.ok(sent < 200, `${sent} messages`)
    else t.ok(sent <= Math.floor((Date.now() - began) / 100) + 2, `${sent} messages in ${Date.now() - began} ms`)
    t.ok(messages.some(({ prev }) => prev !== undefined), 'they name what they stand for')
  })

  test(`${transport}: resumes a topic with its state if it is throttled, or was at the cursor`, async t => {
    const server = await startServer(t)
    await quote(server, 'A', '1')
    const first = read(t, server, transport, 'subscribe=quotes:A;throttle_ms=60000')
    await until('a cursor has come', () => first.cursor() !== '')
    await quote(server, 'A', '2')
    await quote(server, 'A', '3')
    await until('the first tick has come', () => transport === 'poll' || data(first.messages).length > 1)
    first.cut()
    for (const query of ['subscribe=quotes:A;throttle_ms=60000', 'subscribe=quotes:A']) {
      const again = read(t, server, transport, query, first.cursor(), first.follower)
      await until(
        'the state has come',
        () => (first.follower.states.get('quotes:A') as { bid: string }).bid === '3'
      )
      if (transport !== 'poll') {
        await until('data has come', () => data(again.messages).length > 0)
        t.same(data(again.messages), ['A 3 snapshot'])
      }
      again.cut()
    }
  })

  test(`${transport}: sends the changes within the depth of a book, and no others`, async t => {
    const server = await startServer(t)
    await book(
      server,
      'A',
      [
        ['9', '1'],
        ['8', '1'],
        ['7', '1']
      ],
      [
        ['10', '1'],
        ['11', '1'],
        ['12', '1']
      ],
      { snapshot: true }
    )
    const { messages, follower } = read(t, server, transport, 'subscribe=book:A;depth=2')
    await until('the snapshot has come', () => data(messages).length > 0)
    t.same(messages.find(({ sequence }) => sequence === 1)?.data, {
      symbol: 'A',
      bids: [
        ['9', '1'],
        ['8', '1']
      ],
      asks: [
        ['10', '1'],
        ['11', '1']
      ]
    })
    await book(server, 'A', [['7', '5']], [])
    await book(server, 'A', [['9', '0']], [])
    await until('the level below comes up', () => follower.holds('book:A') === 3)
    t.match(follower.states.get('book:A'), {
      bids: [
        ['8', '1'],
        ['7', '5']
      ],
      asks: [
        ['10', '1'],
        ['11', '1']
      ]
    })
    if (transport !== 'poll') {
      t.same(data(messages), ['A 1 snapshot', 'A 1…3'])
      t.same(messages.find(({ sequence }) => sequence === 3)?.data, {
        symbol: 'A',
        bids: [
          ['9', '0'],
          ['7', '5']
        ],
        asks: []
      })
    }
  })

  test(`${transport}: last=N sends the newest messages, then the state, then what comes`, async t => {
    const server = await startServer(t)
    for (let price = 1; price <= 10; price++) {
      await trade(server, 'A', String(price))
      await quote(server, 'A', String(price))
    }
    const { messages, cursor } = read(
      t,
      server,
      transport,
      'subscribe=trades:A;last=3&subscribe=quotes:A;last=2'
    )
    await until('the cursor has come', () => cursor() !== '')
    await trade(server, 'A', '11')
    await until('the next message has come', () => data(messages).includes('A 11'))
    const of = (channel: string): string[] => data(messages.filter(message => message.channel === channel))
    t.same(of('trades'), ['A 8', 'A 9', 'A 10', 'A 11'])
    t.same(of('quotes'), ['A 9', 'A 10', 'A 10 snapshot'])
    const resumed = read(t, server, transport, 'subscribe=trades:A;last=3', cursor())
    await trade(server, 'A', '12')
    await until('the newest message has come', () => data(resumed.messages).includes('A 12'))
    t.notOk(data(resumed.messages).some(line => line === 'A 10'), 'on a resume `last` is ignored')
  })

  test(`${transport}: fresh sends the state first, in spite of a position`, async t => {
    const server = await startServer(t)
    await quote(server, 'A', '1')
    await trade(server, 'A', '1')
    await passedOn(server)
    const first = read(t, server, transport, 'subscribe=trades:A')
    await until('a cursor has come', () => first.cursor() !== '')
    first.cut()
    await trade(server, 'A', '2')
    await quote(server, 'A', '2')
    const again = read(
      t,
      server,
      transport,
      'subscribe=trades:A&subscribe=quotes:A;fresh',
      transport === 'sse' ? undefined : first.cursor()
    )
    if (transport === 'sse') {
      await until('the state has come', () => data(again.messages).length > 0)
      again.cut()
      const byHeader = read(t, server, 'sse', 'subscribe=trades:A&subscribe=quotes:A;fresh', first.cursor())
      await until('the missed messages have come', () => data(byHeader.messages).length >= 2)
      t.notOk(byHeader.messages.some(({ snapshot }) => snapshot), 'beside Last-Event-ID it is ignored')
    } else {
      await until('both have come', () => data(again.messages).length >= 2)
      // A poll that goes on would leave `fresh` out; this one repeats it.
      t.same([...new Set(data(again.messages))].sort(), ['A 2', 'A 2 snapshot'])
    }
  })

  test(`${transport}: decimals=number takes the quotes off prices and sizes, and nothing else`, async t => {
    const server = await startServer(t)
    await book(server, '005930', [['185.50', '1.000']], [], { snapshot: true })
    await trade(server, '005930', '0.10')
    const texts: string[] = []
    const { messages } = await recordTexts(texts, async () => {
      const reader = read(
        t,
        server,
        transport,
        'subscribe=trades:005930;last=1&subscribe=book:005930&decimals=number'
      )
      await until('both have come', () => data(reader.messages).length >= 2)
      return reader
    })
    const all = texts.join('\n')
    t.ok(all.includes('"bids":[[185.50,1.000]]'), 'each digit stays')
    t.ok(all.includes('"price":0.10,"size":1,"timestamp":"2026-01-01T00:00:00Z"'))
    t.ok(
      messages.every(({ symbol }) => symbol === undefined || symbol === '005930'),
      'a symbol of digits stays a text'
    )
  })

  test(`${transport}: resets a symbol that enters a set and sends its state; one that leaves stays away`, async t => {
    const server = await startServer(t)
    await declare(server, 'A', 'x')
    await declare(server, 'B', 'y')
    for (const symbol of ['A', 'B']) await quote(server, symbol, '1')
    await passedOn(server)
    const { messages, cursor, cut, follower } = read(t, server, transport, 'subscribe=quotes:@sector/x')
    await until('a cursor has come', () => cursor() !== '')
    t.same(data(messages), ['A 1 snapshot'])
    await declare(server, 'B', 'x')
    await declare(server, 'A', 'y')
    await quote(server, 'A', '2')
    await quote(server, 'B', '2')
    await until('the newcomer has come', () => follower.holds('quotes:B') === 2)
    const got = data(messages)
    t.ok(
      got.indexOf('reset B entered') >= 0 &&
        got.indexOf('reset B entered') < got.findIndex(line => /^B \d/.test(line)),
      got.join(', ')
    )
    await quote(server, 'A', '3')
    await quote(server, 'B', '3')
    await until('its next message has come', () => follower.holds('quotes:B') === 3)
    t.notOk(data(messages).includes('A 3'), 'a symbol that left is not sent')
    const old = cursor()
    await quote(server, 'B', '4')
    await until('a cursor after it has come', () => follower.holds('quotes:B') === 4 && cursor() !== old)
    cut()

    // A symbol that may have entered since the cursor is reset; one that was there before is not.
    const before = cursor()
    await declare(server, 'C', 'x')
    await quote(server, 'C', '1')
    await quote(server, 'B', '5')
    const again = read(t, server, transport, 'subscribe=quotes:@sector/x', before, follower)
    await until('both have come', () => follower.holds('quotes:C') === 1 && follower.holds('quotes:B') === 5)
    t.ok(data(again.messages).includes('reset C entered'))
    t.notOk(data(again.messages).some(line => line.startsWith('reset B')), 'a symbol that was there resumes')
  })
}

/** Records what JSON.parse gets: the text as it came over the wire. */
async function recordTexts<Result> (texts: string[], run: () => Promise<Result>): Promise<Result> {
  const parse = JSON.parse
  JSON.parse = (text: string, reviver) => {
    texts.push(text)
    return parse(text, reviver) as unknown
  }
  try {
    return await run()
  } finally {
    JSON.parse = parse
  }
}

test('rejects a throttle of what cannot be merged, and leaves it out if it is for the whole query', async t => {
  const server = await startServer(t)
  await trade(server, 'A', '1')
  const messages: Message[] = []
  const client = openWebSocket(server.origin, '', 'tickwire.v1.json', {
    onMessage: message => {
      messages.push(message)
    },
    onCursor: () => {}
  })
  t.teardown(() => { client.cut() })
  await until('welcome', () => messages.length > 0)
  client.send({ action: 'subscribe', id: 1, channel: 'trades', symbols: ['A'], throttle_ms: 100 })
  client.send({ action: 'subscribe', id: 2, channel: 'quotes', symbols: ['*'], throttle_ms: 100 })
  await until('both are answered', () => messages.filter(({ type }) => type === 'subscribed').length === 2)
  const [first, second] = messages.filter(({ type }) => type === 'subscribed')
  t.match(first, { id: 1, symbols: [], rejected: [{ symbol: 'A', code: 'not_throttleable' }] })
  t.match(second, { id: 2, symbols: ['*'], rejected: [], throttle_ms: 100 })
  const answer = await fetch(
    `${server.origin}/v1/stream?subscribe=trades:A;last=1&subscribe=quotes:*&throttle_ms=100`
  )
  t.equal(answer.status, 200)
  t.match(await answer.json(), { messages: [{ type: 'trade', sequence: 1 }] })
})

test('grants a set to a reader of the whole channel only', async t => {
  const server = await startServer(t)
  await declare(server, 'A', 'x')
  const ask = async (read: string[]): Promise<number> =>
    (
      await fetch(`${server.origin}/v1/stream?subscribe=quotes:@sector/x`, {
        headers: { authorization: `Bearer ${server.token({ read })}` }
      })
    ).status
  t.equal(await ask(['quotes:*']), 200)
  t.equal(await ask(['quotes:A']), 403, 'a list of symbols does not say who is in the set tomorrow')
})
