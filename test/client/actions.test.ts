import { ActionError, Actions, importOrderKey } from '@tickwire/client/actions'
import { generateKeyPairSync } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { test } from 'tap'
import { until } from '../helpers/clients.js'
import { networkTo } from '../helpers/network.js'
import { publish, startServer, type TestServer } from '../helpers/server.js'
import { openTickwire, readAll } from '../helpers/tickwire-client.js'

const portOf = ({ app }: TestServer): number => (app.server.address() as AddressInfo).port
const ORDER = { symbol: 'A', side: 'buy', order_type: 'limit', quantity: '2', limit_price: '10' } as const

async function market (server: TestServer): Promise<void> {
  await server.app.tickwire.declare([{ symbol: 'A', currency: 'USD' }])
  await publish(server.app, 'book', 'A', { symbol: 'A', bids: [['9', '5']], asks: [['11', '5']] }, { snapshot: true })
}

test('an order that is sent while the server is away waits, and is one order', async t => {
  const server = await startServer(t, { BROKER: 'paper' })
  await market(server)
  const network = await networkTo(t, portOf(server))
  const client = openTickwire(t, network.origin, { token: server.token({ trade: true }) })
  const actions = new Actions(client, { ordersExpireInMs: 60_000 })
  const orders = readAll(client.subscribe('orders'))
  await until('it is live', () => client.state.name === 'live')
  network.take()
  const answers = [actions.submitOrder({ ...ORDER, client_order_id: 'one' }), actions.submitOrder({ ...ORDER, client_order_id: 'two' })]
  t.equal(actions.waiting, 2)
  network.giveBack()
  const [one, two] = await Promise.all(answers)
  t.equal(one!.client_order_id, 'one')
  const again = await actions.submitOrder({ ...ORDER, client_order_id: 'one' })
  t.equal(again.order_id, one!.order_id, 'the same order again is the same order')
  await actions.cancelOrder({ client_order_id: 'two' })
  await actions.replaceOrder({ order_id: one!.order_id }, { quantity: '3' })
  const statuses = (id: string): unknown[] =>
    orders.messages.map(({ data }) => data as { order_id: string, status: string, quantity: string })
      .filter(order => order.order_id === id).map(({ status, quantity }) => `${status} ${quantity}`)
  await until('the stream says it', () => statuses(two!.order_id).includes('canceled 2') && statuses(one!.order_id).includes('replaced 3'))
  t.equal(statuses(one!.order_id).filter(status => status === 'new 2').length, 1)
})

test('what the server refuses is an error with its code, and is not sent again', async t => {
  const server = await startServer(t, { BROKER: 'paper' })
  await market(server)
  const client = openTickwire(t, server.origin, { token: server.token({ trade: true }) })
  const actions = new Actions(client)
  const refused = await actions.submitOrder({ ...ORDER, quantity: '-1' }).catch((error: unknown) => error)
  t.ok(refused instanceof ActionError)
  t.equal((refused as ActionError).code, 'invalid_message')
  const { accepted, rejected } = await actions.publish([
    { channel: 'news', data: { headline: 'x', source: 'y', symbols: [], timestamp: '2026-01-01T00:00:00Z' } },
    { channel: 'news', data: { headline: 1 } }
  ])
  t.equal(accepted, 1)
  t.equal(rejected[0]!.code, 'invalid_message')
})

test('an action that the server cannot be asked for in time says that nobody knows', async t => {
  const client = openTickwire(t, 'http://127.0.0.1:9')
  const actions = new Actions(client, { expiresInMs: 300, most: 1 })
  const waiting = actions.publish([]).catch((error: unknown) => error)
  const more = await actions.publish([]).catch((error: unknown) => error)
  t.equal((more as ActionError).code, 'too_many')
  t.equal((await waiting as ActionError).code, 'expired')
})

test('requests about orders are signed where the token asks for it, and acknowledgements move on', async t => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const { x } = publicKey.export({ format: 'jwk' })
  const { d } = privateKey.export({ format: 'jwk' })
  const server = await startServer(t, { BROKER: 'paper' })
  await market(server)
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: x! } as const
  const client = openTickwire(t, server.origin, { token: server.token({ trade: true, order_key: jwk }) })
  const unsigned = await new Actions(client).submitOrder(ORDER).catch((error: unknown) => error)
  t.equal((unsigned as ActionError).code, 'forbidden')
  const signingKey = await importOrderKey({ ...jwk, d: d! }, 'sign')
  const actions = new Actions(client, { signingKey })
  const { order_id: id } = await actions.submitOrder(ORDER)
  await actions.cancelOrder({ order_id: id })
  const orders = readAll(client.subscribe('orders'))
  await until('it is canceled', () => orders.messages.some(({ data }) => (data as { status: string }).status === 'canceled'))
  const last = orders.messages.at(-1)!.sequence
  await actions.acknowledge('orders', last)
  const later = openTickwire(t, server.origin, { token: server.token({ trade: true, order_key: jwk }) })
  const read = readAll(later.subscribe('orders'))
  await actions.submitOrder({ ...ORDER, client_order_id: 'later' })
  await until('the later one has come', () => read.messages.length > 0)
  t.equal(read.messages[0]!.sequence, last + 1, 'what is acknowledged does not come again')
})
