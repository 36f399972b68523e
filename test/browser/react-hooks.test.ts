import type { AddressInfo } from 'node:net'
import type { Page } from 'playwright-core'
import { test, type Test } from 'tap'
import { inBrowser, launchBrowser } from '../helpers/browser.js'
import { networkTo } from '../helpers/network.js'
import { bundleForPage, inPage, openHooksPage, show, shows } from '../helpers/react-page.js'
import { publish, startServer, type TestServer } from '../helpers/server.js'

const SYMBOLS = Array.from({ length: 50 }, (_, at) => `S${at}`)

async function openPage (t: Test, origin: string, options: object = {}): Promise<Page> {
  const browser = await launchBrowser(t)
  const page = await openHooksPage(browser, origin, await bundleForPage())
  await inPage(page, 'open', options)
  return page
}

const quote = async ({ app }: TestServer, symbol: string, bid: string): Promise<void> => {
  await publish(app, 'quotes', symbol, { symbol, bid })
}

async function trade ({ app }: TestServer, count: number): Promise<void> {
  const data = { symbol: 'A', price: '1', size: '1', timestamp: '2026-02-07T14:30:00Z' }
  for (let left = count; left > 0; left--) await publish(app, 'trades', 'A', data)
}

test('useQuote renders for its own symbol only, at most once a frame, and shows the last quote', inBrowser, async t => {
  const server = await startServer(t)
  const page = await openPage(t, server.origin)
  await show(page, SYMBOLS.map(symbol => ['Quote', { symbol }] as const))
  for (const symbol of SYMBOLS) await quote(server, symbol, '0')
  for (const symbol of SYMBOLS) await shows(page, symbol, '"0"')
  const renders = async (): Promise<Record<string, number[]>> => await page.evaluate('hooks.renders') as Record<string, number[]>
  const before = await renders()
  const ROUNDS = 20
  const EACH = 25
  for (let round = 1; round <= ROUNDS; round++) {
    for (let at = 1; at <= EACH; at++) await quote(server, 'S7', `${round}.${at}`)
    await shows(page, 'S7', `"${round}.${EACH}"`)
  }
  const after = await renders()
  const added = (symbol: string): number[] => after[symbol]!.slice(before[symbol]!.length)
  t.same(SYMBOLS.filter(symbol => added(symbol).length > 0), ['S7'])
  t.equal(new Set(added('S7')).size, added('S7').length, 'no frame has two renders')
  t.ok(added('S7').length >= ROUNDS, `${added('S7').length} renders for ${ROUNDS * EACH} messages`)
})

for (const transport of ['websocket', 'event-stream', 'polling']) {
  test(`${transport}: useTrades gives every trade once, through a cut`, inBrowser, async t => {
    const server = await startServer(t)
    const network = await networkTo(t, (server.app.server.address() as AddressInfo).port)
    const page = await openPage(t, network.origin, { transports: [transport] })
    await trade(server, 20)
    await show(page, [['Trades', { limit: 1000 }], ['Connection']], { isStrict: true })
    await shows(page, 'connection', '"live"')
    await page.evaluate('globalThis.heard = hooks.listen("trades", ["A"])')
    await trade(server, 100)
    network.take()
    await trade(server, 100)
    network.giveBack()
    await trade(server, 100)
    const all = Array.from({ length: 320 }, (_, at) => at + 1)
    await shows(page, 'trades', JSON.stringify(all.toReversed()))
    t.same(await page.evaluate('heard'), all.slice(20))
  })
}

test('useTrades begins with the past also where the topic is read already, and keeps its limit', inBrowser, async t => {
  const server = await startServer(t)
  const page = await openPage(t, server.origin)
  await trade(server, 30)
  await show(page, [['Trades', { limit: 5 }]])
  await shows(page, 'trades', '[30,29,28,27,26]')
  await trade(server, 1)
  await shows(page, 'trades', '[31,30,29,28,27]')
  await show(page, [['Trades', { limit: 8, id: 'more' }]], { root: 'other' })
  await shows(page, 'more', '[31,30,29,28,27,26,25,24]')
  await inPage(page, 'unmount', 'main')
  await show(page, [['Trades', { limit: 5 }]])
  await shows(page, 'trades', '[31,30,29,28,27]')
  await trade(server, 2)
  await shows(page, 'trades', '[33,32,31,30,29]')
  await shows(page, 'more', '[33,32,31,30,29,28,27,26]')
})

test('useBook, useBars, useQuotes and usePortfolio follow their topics', inBrowser, async t => {
  const server = await startServer(t)
  const page = await openPage(t, server.origin, { token: server.token() })
  const book = async (bids: string[][], asks: string[][], extra: object = {}): Promise<void> => {
    await publish(server.app, 'book', 'A', { symbol: 'A', bids, asks }, extra)
  }
  const bar = async (minute: number, close: string, revision?: number): Promise<void> => {
    const sums = { open: '1', high: '9', low: '1', volume: '1', vwap: '1', trades: 1, through: 1 }
    const closed = revision === undefined ? { closed: false } : { closed: true, revision }
    const start = `2026-02-07T14:3${minute}:00Z`
    await publish(server.app, 'bars.1m', 'A', { symbol: 'A', interval: '1m', start, close, ...sums, ...closed })
  }
  const portfolio = async (cash: string): Promise<void> => {
    await publish(server.app, 'portfolio', undefined, { total_value: cash, cash, day_pnl: '0', positions: [] }, { user: 'alice' })
  }
  await show(page, [['Book'], ['Bars'], ['Portfolio'], ['Quotes', { symbols: ['A', 'B'] }]], { isStrict: true })
  await shows(page, 'book', 'null')
  await book([['10', '1'], ['9', '2']], [['11', '1']], { snapshot: true })
  await shows(page, 'book', '[[["10","1"],["9","2"]],[["11","1"]],false]')
  await book([['10', '0']], [])
  await shows(page, 'book', '[[["9","2"]],[["11","1"]],false]')
  await show(page, [['Book', { depth: 1 }]], { root: 'best' })
  await book([['9.5', '3']], [])
  await shows(page, 'book', '[[["9.5","3"],["9","2"]],[["11","1"]],false]')
  await page.waitForFunction('document.querySelectorAll(\'#book\')[1]?.textContent === \'[[["9.5","3"]],[["11","1"]],false]\'')
  await bar(0, '2', 0)
  await bar(1, '3')
  await shows(page, 'bars', '["2","3"]')
  await bar(0, '4', 1)
  await shows(page, 'bars', '["4","3"]')
  await portfolio('100')
  await shows(page, 'portfolio', '"100"')
  await portfolio('90')
  await shows(page, 'portfolio', '"90"')
  await quote(server, 'B', '1')
  await quote(server, 'A', '2')
  await shows(page, 'quotes', '[["B","1"],["A","2"]]')
})

test('useConnection says that the connection is gone and back, and a hidden tab is still updated', inBrowser, async t => {
  const server = await startServer(t)
  const network = await networkTo(t, (server.app.server.address() as AddressInfo).port)
  const page = await openPage(t, network.origin)
  await show(page, [['Quote', { symbol: 'A' }], ['Connection']])
  await shows(page, 'connection', '"live"')
  network.take()
  await shows(page, 'connection', '"offline"')
  network.giveBack()
  await shows(page, 'connection', '"live"')
  await inPage(page, 'hideTab')
  for (const bid of ['1', '2', '3']) {
    await quote(server, 'A', bid)
    const test = `document.getElementById('A').textContent === '"${bid}"'`
    // Frames do not come, so that the page cannot be asked in each.
    await page.waitForFunction(test, undefined, { polling: 50 })
  }
  t.pass('it shows the quotes')
})
