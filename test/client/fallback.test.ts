import type { AddressInfo } from 'node:net'
import { test } from 'tap'
import { openBarrier, type Passage } from '../helpers/barrier.js'
import { until } from '../helpers/clients.js'
import { publish, startServer, subscribers, type TestServer } from '../helpers/server.js'
import { clientTransports, openTickwire, readAll } from '../helpers/tickwire-client.js'

const portOf = ({ app }: TestServer): number => (app.server.address() as AddressInfo).port
const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1)

async function trade (server: TestServer, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await publish(server.app, 'trades', 'A', { symbol: 'A', price: '1', size: '1', timestamp: '2026-01-01T00:00:00Z' })
  }
}

/** A clock that a test sets forward, and a memory for which transport worked. */
function surroundings () {
  const remembered = new Map<string, string>()
  const made = {
    ahead: 0,
    remembered,
    environment: {
      now: () => Date.now() + made.ahead,
      random: () => Math.random() / 10,
      storage: {
        getItem: (name: string) => remembered.get(name) ?? null,
        setItem: (name: string, value: string) => { remembered.set(name, value) }
      }
    }
  }
  return made
}

for (const passage of ['refuse', 'bad-gateway', 'hang'] as const satisfies readonly Passage[]) {
  test(`a WebSocket that a proxy answers with '${passage}' is replaced by an event stream, and comes back without a gap`, async t => {
    const server = await startServer(t)
    const barrier = await openBarrier(t, portOf(server))
    barrier.upgrades = passage
    const around = surroundings()
    const client = openTickwire(t, barrier.origin, { environment: around.environment })
    const read = readAll(client.subscribe('trades', ['A']))
    await until('it is live', () => client.state.name === 'live')
    t.equal(client.state.transport, 'event-stream')
    t.same([...around.remembered.values()], ['event-stream'], 'it remembers what worked')
    await trade(server, 5)
    await until('all has come', () => read.messages.length === 5)

    const again = openTickwire(t, barrier.origin, { environment: around.environment })
    const upgrades = barrier.opened.upgrades
    again.subscribe('trades', ['A'])
    await until('another client is live', () => again.state.name === 'live')
    t.equal(barrier.opened.upgrades, upgrades, 'which begins with what worked')

    barrier.upgrades = 'open'
    around.ahead += 30_000
    await until('it is back on WebSocket', () => client.state.transport === 'websocket' && client.state.name === 'live')
    await trade(server, 5)
    await until('all has come', () => read.messages.length >= 10)
    t.same(read.order, upTo(10))
    t.equal(client.inspect().gaps, 0)
  })
}

test('without WebSocket and event streams it polls, and climbs back', async t => {
  const server = await startServer(t)
  const barrier = await openBarrier(t, portOf(server))
  barrier.upgrades = barrier.streams = 'hang'
  const around = surroundings()
  const client = openTickwire(t, barrier.origin, { environment: around.environment })
  const read = readAll(client.subscribe('trades', ['A']))
  await until('it is live', () => client.state.name === 'live')
  t.equal(client.state.transport, 'polling')
  await trade(server, 5)
  await until('all has come', () => read.messages.length === 5)
  barrier.upgrades = barrier.streams = 'open'
  around.ahead += 30_000
  await until('it is on a better transport', () => client.state.transport !== 'polling' && client.state.name === 'live')
  await trade(server, 5)
  await until('all has come', () => read.messages.length >= 10)
  t.same(read.order, upTo(10))
})

for (const transport of clientTransports) {
  test(`${transport}: a peer that is mute, with TCP open, is found and replaced without a gap`, async t => {
    const server = await startServer(t)
    const barrier = await openBarrier(t, portOf(server))
    const { environment } = surroundings()
    const client = openTickwire(t, barrier.origin, { transports: [transport], environment })
    const read = readAll(client.subscribe('trades', ['A']))
    await until('it is live', () => client.state.name === 'live')
    await trade(server, 3)
    await until('all has come', () => read.messages.length === 3)
    // A poll that is between two requests has no connection that can be mute.
    await until('a request is held', () => subscribers(server, 'trades:A') > 0)
    barrier.mute()
    await trade(server, 3)
    await until('all has come', () => read.messages.length >= 6)
    t.same(read.order, upTo(6))
    t.ok(client.inspect().connections > 1, 'over another connection')
  })

  test(`${transport}: a refusal in a loop makes no storm`, async t => {
    const server = await startServer(t)
    const barrier = await openBarrier(t, portOf(server))
    barrier.upgrades = barrier.streams = barrier.requests = 'bad-gateway'
    const client = openTickwire(t, barrier.origin, { transports: [transport] })
    const waits: number[] = []
    client.on('state', ({ retryInMs }) => { if (retryInMs !== undefined) waits.push(retryInMs) })
    client.subscribe('trades', ['A'])
    await until('it was refused four times', () => waits.length === 4)
    const bounds = [800, 1600, 3200, 6400]
    t.ok(waits.every((wait, at) => wait <= bounds[at]!), `${waits.join(', ')} ms lie below bounds that double`)
    const { upgrades, streams, requests } = barrier.opened
    t.ok(upgrades + streams + requests <= 2 * waits.length, `${upgrades + streams + requests} requests`)
  })
}

test('a token that expires is renewed without losing a message', async t => {
  const server = await startServer(t, { AUTH: 'required' })
  // A poll names its token with each request, and learns only from a refusal that it has expired.
  for (const transport of ['websocket', 'event-stream'] as const) {
    const tokens: string[] = []
    const getToken = async (): Promise<string> => {
      // The first one is about to expire: the server asks for another at once.
      const token = server.app.tickwire.signToken({ sub: 'alice' }, tokens.length === 0 ? 3 : 300)
      tokens.push(token)
      return token
    }
    const { environment } = surroundings()
    const client = openTickwire(t, server.origin, { transports: [transport], getToken, environment })
    const read = readAll(client.subscribe('trades', [`T-${transport}`]))
    await until('it is live', () => client.state.name === 'live')
    for (let i = 0; i < 12; i++) {
      await publish(server.app, 'trades', `T-${transport}`, { symbol: `T-${transport}`, price: '1', size: '1', timestamp: '2026-01-01T00:00:00Z' })
      await new Promise(resolve => setTimeout(resolve, 250))
    }
    await until('all has come', () => read.messages.length >= 12)
    t.same(read.order, upTo(12), transport)
    t.ok(tokens.length > 1, `${tokens.length} tokens`)
    client.close()
  }
})
