import type { AddressInfo } from 'node:net'
import { test } from 'tap'
import { until } from '../helpers/clients.js'
import { networkTo } from '../helpers/network.js'
import { publish, startServer, subscribers, type TestServer } from '../helpers/server.js'
import { clientTransports, openTickwire, readAll } from '../helpers/tickwire-client.js'

const CUTS = 10

async function trade (server: TestServer, symbol = 'A'): Promise<void> {
  await publish(server.app, 'trades', symbol, { symbol, price: '1', size: '1', timestamp: '2026-01-01T00:00:00Z' })
}

const quote = async (server: TestServer, symbol: string, bid: string): Promise<void> => {
  await publish(server.app, 'quotes', symbol, { symbol, bid })
}

const portOf = ({ app }: TestServer): number => (app.server.address() as AddressInfo).port
/** Waits are a tenth as long. */
const SOON = { random: () => Math.random() / 10 }
const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1)

for (const transport of clientTransports) {
  const only = { transports: [transport] }

  test(`${transport}: gives every message once and in order through ${CUTS} cuts`, async t => {
    const server = await startServer(t)
    const network = await networkTo(t, portOf(server))
    const client = openTickwire(t, network.origin, { ...only, environment: SOON })
    const read = readAll(client.subscribe('trades', ['A']))
    await until('the client is live', () => client.state.name === 'live')
    for (let cut = 0; cut < CUTS; cut++) {
      for (let i = 0; i < 5; i++) await trade(server)
      network.take()
      for (let i = 0; i < 5; i++) await trade(server)
      network.giveBack()
      await until(`all has come after cut ${cut}`, () => client.state.name === 'live' && read.messages.length >= 10 * (cut + 1))
    }
    t.same(read.order, upTo(10 * CUTS))
    const { gaps, connections } = client.inspect()
    t.equal(gaps, 0)
    // A poll that is between two requests does not notice a cut.
    t.ok(transport === 'polling' || connections > CUTS, `${connections} connections`)
  })

  test(`${transport}: says for each symbol whether the server grants it`, async t => {
    const server = await startServer(t, { UNKNOWN_SYMBOLS: 'reject' })
    await publish(server.app, 'quotes', 'A', { symbol: 'A', bid: '1' }).catch(() => {})
    await server.app.tickwire.declare([{ symbol: 'A' }, { symbol: 'B' }, { symbol: 'C' }])
    const client = openTickwire(t, server.origin, only)
    const mixed = client.subscribe('quotes', ['A', 'NOPE', 'B', 'NEITHER'])
    const { granted, rejected } = await mixed.result
    t.same(granted, ['A', 'B'])
    t.same(rejected.map(({ symbol, code }) => [symbol, code]), [['NOPE', 'unknown_symbol'], ['NEITHER', 'unknown_symbol']])
    await until('the client is live', () => client.state.name === 'live')
    const read = readAll(mixed)
    await quote(server, 'A', '1')
    await until('the granted symbol is sent', () => read.messages.length > 0)
    t.equal(read.messages[0]!.symbol, 'A')
  })

  test(`${transport}: two subscriptions to a topic share what the server sends`, async t => {
    const server = await startServer(t)
    await quote(server, 'A', '1')
    const client = openTickwire(t, server.origin, only)
    const first = client.subscribe('quotes', ['A'])
    const one = readAll(first)
    await until('the first is live', () => one.messages.length > 0 && client.state.name === 'live')
    const second = client.subscribe('quotes', ['A'])
    const two = readAll(second)
    await until('the second has the state', () => two.messages.length > 0)
    t.match(two.messages[0], { sequence: 1, snapshot: true, data: { bid: '1' } })
    await quote(server, 'A', '2')
    await until('both have the next one', () => one.messages.length > 1 && two.messages.length > 1)
    await until('the server sends it once', () => subscribers(server, 'quotes:A') === 1)
    t.same(one.order.at(-1), two.order.at(-1))
    first.close()
    await quote(server, 'A', '3')
    await until('the second goes on', () => second.latest('A')?.sequence === 3)
    t.equal(one.messages.length, 2, 'the closed one got nothing more')
    second.close()
    await until('the server sends nothing more', () => subscribers(server, 'quotes:A') === 0)
    await until('there is no connection any more', () => client.state.name === 'idle')
  })

  test(`${transport}: a subscription that is added while others run takes nothing from them`, async t => {
    const server = await startServer(t)
    const client = openTickwire(t, server.origin, only)
    const first = readAll(client.subscribe('trades', ['A']))
    await until('it is live', () => client.state.name === 'live')
    let sent = 0
    for (const symbol of ['B', 'C', 'D', 'E']) {
      for (let i = 0; i < 5; i++, sent++) await trade(server)
      const { granted } = await client.subscribe('trades', [symbol]).result
      t.same(granted, [symbol])
      for (let i = 0; i < 5; i++, sent++) await trade(server)
    }
    await until('all of the first has come', () => first.messages.length >= sent)
    t.same(first.order, upTo(sent))
  })

  test(`${transport}: after a restart that loses the log there are resets, and nothing unsubscribed is asked for`, async t => {
    const former = await startServer(t)
    const port = portOf(former)
    const client = openTickwire(t, former.origin, only)
    await quote(former, 'A', '1')
    for (let i = 0; i < 3; i++) await trade(former, 'B')
    const quotes = client.subscribe('quotes', ['A'])
    const gone = client.subscribe('quotes', ['GONE'])
    const trades = client.subscribe('trades', ['B'], { last: 10 })
    const [readQuotes, readTrades] = [readAll(quotes), readAll(trades)]
    await until('it is live', () => client.state.name === 'live' && readTrades.messages.length === 3)
    gone.close()
    await until('the server sends it no more', () => subscribers(former, 'quotes:GONE') === 0)
    await former.app.close()
    const server = await startServer(t, { PORT: port })
    await until('the client is back', () => client.state.name === 'live' && readTrades.resets.length > 0)
    await quote(server, 'A', '2')
    await trade(server, 'B')
    await until('the new messages have come', () => quotes.latest('A')?.sequence === 1 && readTrades.messages.length === 4)
    // A topic that the new log does not have yet may be reset again before its first message.
    const told = readTrades.order.filter((event, at, all) => event !== all[at - 1])
    t.same(told, [1, 2, 3, 'epoch_changed', 1])
    t.ok(readQuotes.resets.length > 0, 'so has the quote')
    t.match(quotes.latest('A')?.data, { bid: '2' })
    t.equal(subscribers(server, 'quotes:GONE'), 0, 'what was unsubscribed is not asked for again')
  })

  test(`${transport}: a listener that throws, closes or subscribes harms nobody`, async t => {
    const server = await startServer(t)
    const client = openTickwire(t, server.origin, only)
    const errors: unknown[] = []
    client.on('error', error => { errors.push(error) })
    const other = readAll(client.subscribe('trades', ['A']))
    const bad = client.subscribe('trades', ['A'])
    bad.onMessage(({ sequence }) => {
      if (sequence === 3) bad.close()
      if (sequence === 2) client.subscribe('trades', ['B'])
      throw new Error(`sequence ${sequence}`)
    })
    await until('it is live', () => client.state.name === 'live')
    for (let i = 0; i < 5; i++) await trade(server)
    await until('the other has all', () => other.messages.length === 5)
    t.same(other.order, upTo(5))
    t.same(errors.map(error => (error as Error).message), ['sequence 1', 'sequence 2', 'sequence 3'])
  })

  test(`${transport}: a token that the server refuses is renewed once, and then the client stops`, async t => {
    const server = await startServer(t, { AUTH: 'required' })
    let asked = 0
    const client = openTickwire(t, server.origin, { ...only, getToken: () => { asked++; return 'not a token' } })
    client.subscribe('quotes', ['A'])
    await until('the client has stopped', () => client.state.name === 'closed')
    t.equal(client.state.code, 'unauthorized')
    t.ok(asked <= 3, `${asked} tokens were asked for`)
    const good = openTickwire(t, server.origin, { ...only, getToken: async () => server.token() })
    good.subscribe('quotes', ['A'])
    await until('a good token is let in', () => good.state.name === 'live')
  })
}

test('a loop reads messages and resets, ends when the subscription is closed, and a slow one is told', async t => {
  const server = await startServer(t)
  const client = openTickwire(t, server.origin)
  const subscription = client.subscribe('trades', ['A'], { maxWaiting: 10 })
  await subscription.result
  for (let i = 0; i < 3; i++) await trade(server)
  const read: Array<number | string> = []
  let release = (): void => {}
  const held = new Promise<void>(resolve => { release = resolve })
  const loop = (async () => {
    for await (const event of subscription) {
      read.push(event.type === 'reset' ? event.reason : event.sequence)
      if (read.length === 3) await held
    }
  })()
  await until('three are read', () => read.length === 3)
  for (let i = 0; i < 40; i++) await trade(server)
  await until('all have come', () => client.inspect().topics['trades:A'] === 43)
  release()
  await until('the loop has caught up', () => read.at(-1) === 43)
  t.same(read.slice(0, 3), [1, 2, 3])
  t.equal(read[3], 'slow_reader', 'what was dropped is told')
  const after = read.slice(4) as number[]
  t.same(after, Array.from({ length: after.length }, (_, index) => 44 - after.length + index), 'then it goes on without a gap')
  subscription.close()
  await loop
})

for (const transport of clientTransports) {
  test(`${transport}: a set gives its own symbols alone, and those that enter it`, async t => {
    const server = await startServer(t)
    await server.app.tickwire.declare([{ symbol: 'A', market: 'ONE' }, { symbol: 'B', market: 'ONE' }, { symbol: 'C', market: 'TWO' }])
    for (const symbol of ['A', 'B', 'C']) await quote(server, symbol, '1')
    const client = openTickwire(t, server.origin, { transports: [transport] })
    const symbolsOf = ({ messages }: ReturnType<typeof readAll>): string =>
      [...new Set(messages.map(({ symbol }) => symbol))].sort().join()
    const one = readAll(client.subscribe('quotes', ['@market/ONE']))
    const other = readAll(client.subscribe('quotes', ['C', 'B']))
    await until('both are live', () => client.state.name === 'live' && one.messages.length >= 2 && other.messages.length >= 2)
    for (const symbol of ['A', 'B', 'C']) await quote(server, symbol, '2')
    await until('all has come', () => other.messages.some(({ symbol, sequence }) => symbol === 'C' && sequence === 2))
    t.equal(symbolsOf(one), 'A,B', 'not C, which the other one reads')
    t.equal(symbolsOf(other), 'B,C')
    await server.app.tickwire.declare([{ symbol: 'D', market: 'ONE' }])
    await quote(server, 'D', '1')
    await until('the new one has come', () => symbolsOf(one) === 'A,B,D')
    t.equal(symbolsOf(other), 'B,C')
  })
}
