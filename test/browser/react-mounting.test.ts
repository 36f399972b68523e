import type { Page } from 'playwright-core'
import { test } from 'tap'
import { inBrowser, launchBrowser } from '../helpers/browser.js'
import { until } from '../helpers/clients.js'
import { bundleForPage, inPage, openHooksPage, show, shows } from '../helpers/react-page.js'
import { publish, startServer, subscribers } from '../helpers/server.js'

const quote = (bid: string): object => ({ symbol: 'A', bid })

/** How many WebSockets the page has opened. */
const socketsOf = async (page: Page): Promise<number> => await page.evaluate('hooks.sockets') as number

test('StrictMode makes one connection and one subscription, and the last unmount ends both', inBrowser, async t => {
  const server = await startServer(t)
  await publish(server.app, 'quotes', 'A', quote('1'))
  const browser = await launchBrowser(t)
  const page = await openHooksPage(browser, server.origin, await bundleForPage())
  await inPage(page, 'open', {})
  const three = [['Quote', { symbol: 'A' }], ['Quotes', { symbols: ['A'] }], ['Trades']] as const
  await show(page, three, { isStrict: true })
  await show(page, [['Quote', { symbol: 'A' }], ['Connection']], { root: 'other', isStrict: true })
  await shows(page, 'connection', '"live"')
  await shows(page, 'A', '"1"')
  t.equal(subscribers(server, 'quotes:A'), 1)
  t.equal(subscribers(server, 'trades:A'), 1)
  t.equal(await socketsOf(page), 1)
  await inPage(page, 'unmount', 'main')
  await until('nobody reads trades', () => subscribers(server, 'trades:A') === 0)
  await publish(server.app, 'quotes', 'A', quote('2'))
  await shows(page, 'A', '"2"')
  await inPage(page, 'unmount', 'other')
  await until('nobody reads quotes', () => subscribers(server, 'quotes:A') === 0)
  await page.waitForFunction('hooks.client.state.name === "idle"')
  await show(page, three, { isStrict: true })
  await shows(page, 'A', '"2"')
  t.equal(await socketsOf(page), 2, 'it connects again when something is shown again')
})

test('a render that React drops subscribes to nothing', inBrowser, async t => {
  const server = await startServer(t)
  const browser = await launchBrowser(t)
  const page = await openHooksPage(browser, server.origin, await bundleForPage())
  await inPage(page, 'open', {})
  await show(page, [['Suspended'], ['Broken']], { isStrict: true })
  await shows(page, 'fallback', 'waiting')
  await shows(page, 'broken', 'broken')
  t.equal(await page.evaluate('hooks.client.state.name'), 'idle')
  t.equal(await socketsOf(page), 0)
  await inPage(page, 'unmount')
  await show(page, [['Quote', { symbol: 'A' }], ['Connection']])
  await shows(page, 'connection', '"live"')
  t.equal(subscribers(server, 'quotes:A'), 1)
  t.equal(subscribers(server, 'quotes:SUSPENDED'), 0)
  t.equal(subscribers(server, 'quotes:BROKEN'), 0)
})

test('a keyed channel without its symbol subscribes to nothing until there is one', inBrowser, async t => {
  const server = await startServer(t)
  const browser = await launchBrowser(t)
  const page = await openHooksPage(browser, server.origin, await bundleForPage())
  await inPage(page, 'open', {})
  await show(page, [['Topic']])
  await shows(page, 'topic', 'null')
  t.equal(await page.evaluate('hooks.client.state.name'), 'idle')
  await show(page, [['Topic', { symbol: 'A' }]])
  await until('it is subscribed', () => subscribers(server, 'trades:A') === 1)
})
