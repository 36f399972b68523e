import type { AddressInfo } from 'node:net'
import { test } from 'tap'
import { inBrowser, launchBrowser } from '../helpers/browser.js'
import { networkTo } from '../helpers/network.js'
import { bundleForPage, inPage, openHooksPage, show, shows } from '../helpers/react-page.js'
import { publish, startServer, type TestServer } from '../helpers/server.js'

const ORDER = { symbol: 'A', side: 'buy', order_type: 'limit', quantity: '2', limit_price: '10' }

async function market (server: TestServer): Promise<void> {
  await server.app.tickwire.declare([{ symbol: 'A', currency: 'USD' }])
  await publish(server.app, 'book', 'A', { symbol: 'A', bids: [['9', '5']], asks: [['11', '5']] }, { snapshot: true })
}

test('an order of useAction is shown at once, is one for a double click, and goes if it is refused', inBrowser, async t => {
  const server = await startServer(t, { BROKER: 'paper' })
  await market(server)
  const network = await networkTo(t, (server.app.server.address() as AddressInfo).port)
  const browser = await launchBrowser(t)
  const page = await openHooksPage(browser, network.origin, await bundleForPage())
  await inPage(page, 'open', { token: server.token({ trade: true }) })
  await show(page, [['Submit'], ['Orders'], ['Connection']], { isStrict: true })
  await shows(page, 'connection', '"live"')
  const order = async (fields: object): Promise<void> => {
    await page.evaluate(`window.order = ${JSON.stringify({ ...ORDER, ...fields })}`)
    await page.getByText('submit', { exact: true }).dblclick()
  }
  network.take()
  await order({ client_order_id: 'one' })
  await shows(page, 'orders', '["one pending_new"]')
  await shows(page, 'submit', 'pending')
  network.giveBack()
  await shows(page, 'orders', '["one new"]')
  await shows(page, 'submit', 'done')
  // Without a name of its own, each order that is sent is another one.
  await order({})
  await page.waitForFunction('JSON.parse(document.getElementById("orders").textContent).length >= 2')
  await shows(page, 'submit', 'done')
  const { orders } = await (await fetch(`${server.origin}/v1/orders`, { headers: { authorization: `Bearer ${server.token()}` } })).json() as { orders: unknown[] }
  t.equal(orders.length, 2, 'the server has one order for each double click')
  const before = await page.evaluate('document.getElementById("orders").textContent') as string
  network.take()
  await order({ quantity: '-1', client_order_id: 'refused' })
  await shows(page, 'orders', JSON.stringify(['refused pending_new', ...JSON.parse(before) as string[]]))
  network.giveBack()
  await shows(page, 'submit', 'invalid_message')
  await shows(page, 'orders', before)
})

test('useOrders shows orders of before, also those whose answers nobody listened to', inBrowser, async t => {
  const server = await startServer(t, { BROKER: 'paper' })
  await market(server)
  const browser = await launchBrowser(t)
  const page = await openHooksPage(browser, server.origin, await bundleForPage())
  await inPage(page, 'open', { token: server.token({ trade: true }) })
  await page.evaluate(`window.order = ${JSON.stringify({ ...ORDER, client_order_id: 'before' })}`)
  await show(page, [['Submit']])
  await page.getByText('submit', { exact: true }).click()
  await shows(page, 'submit', 'done')
  await show(page, [['Orders']], { root: 'orders' })
  await shows(page, 'orders', '["before new"]')
  t.pass('each is shown once')
})
