import type { Page } from 'playwright-core'
import { test } from 'tap'
import { launchBrowser } from '../helpers/browser.js'
import { until } from '../helpers/clients.js'
import { publish, startServer } from '../helpers/server.js'
import {
  connections, isLive, leaderOf, needsTabs, openClient, openTab, orderOf, trade, tradeMuch
} from '../helpers/tabs.js'

/** More than a leader keeps for a tab that comes back. */
const THOUSANDS = 12

const READ_PORTFOLIO = `var owners = []
client.subscribe('portfolio').onMessage(({ data }) => { owners.push(data.cash) })
undefined`

test('a tab that comes later gets the state, and the past that it asks for', needsTabs, async t => {
  const server = await startServer(t)
  const context = await (await launchBrowser(t)).newContext()
  for (let i = 0; i < 5; i++) await trade(server)
  await publish(server.app, 'quotes', 'A', { symbol: 'A', bid: '1' })
  const first = await openTab(context, server, undefined, 2)
  await isLive(first)
  await trade(server)
  await first.waitForFunction('order.at(-1) === 6')
  t.same(await orderOf(first), [4, 5, 6])
  const second = await openTab(context, server, undefined, 4)
  await isLive(second)
  const third = await openTab(context, server)
  await isLive(third)
  await trade(server)
  for (const page of [first, second, third]) await page.waitForFunction('order.at(-1) === 7 && quotes.length > 0')
  t.same(await orderOf(first), [4, 5, 6, 7], 'the others are given nothing again')
  t.same(await orderOf(second), [3, 4, 5, 6, 7])
  t.same(await orderOf(third), [7])
  for (const page of [first, second, third]) t.same(await page.evaluate('quotes'), [[1, true]])
  t.equal(connections(server), 1)
})

test('a leader that is frozen, put away or hangs is replaced, and has missed nothing when it is back', needsTabs, async t => {
  const server = await startServer(t)
  const context = await (await launchBrowser(t)).newContext()
  const pages: Page[] = []
  for (let tab = 0; tab < 4; tab++) pages.push(await openTab(context, server))
  for (const page of pages) await isLive(page)
  let last = 0
  const publishTo = async (readers: readonly Page[]): Promise<void> => {
    await trade(server)
    last++
    for (const page of readers) await page.waitForFunction(`order.at(-1) === ${last}`)
  }
  await publishTo(pages)
  const frozen = await leaderOf(pages)
  // A page without a window cannot be frozen for real: it is told that it will be, and then runs nothing.
  const isBack = frozen.evaluate(`new Promise(resolve => {
    document.dispatchEvent(new Event('freeze'))
    setTimeout(() => {
      for (const end = Date.now() + 3000; Date.now() < end;);
      document.dispatchEvent(new Event('resume'))
      resolve()
    })
  })`)
  const others = pages.filter(page => page !== frozen)
  await publishTo(others)
  await publishTo(others)
  t.ok(others.includes(await leaderOf(others)), 'another leads')
  await isBack
  await publishTo(pages)

  const gone = await leaderOf(pages)
  await gone.goto('about:blank')
  await publishTo(pages.filter(page => page !== gone))
  await gone.goBack()
  if (await gone.evaluate('typeof client') === 'undefined') {
    pages.splice(pages.indexOf(gone), 1)
    await gone.close()
  }
  await publishTo(pages)

  const hung = await leaderOf(pages)
  const hangs = hung.evaluate('for (const end = Date.now() + 6000; Date.now() < end;);')
  await publishTo(pages.filter(page => page !== hung))
  await hangs
  await publishTo(pages)
  for (const page of pages) t.same(await orderOf(page), Array.from({ length: last }, (_, index) => index + 1))
  await until('one connection is left', () => connections(server) === 1)
})

test('a tab that was away for too long gets a reset, and the others do not', needsTabs, async t => {
  const server = await startServer(t)
  const context = await (await launchBrowser(t)).newContext()
  const [stays, leaves] = [await openTab(context, server), await openTab(context, server)]
  for (const page of [stays, leaves]) await isLive(page)
  await trade(server)
  for (const page of [stays, leaves]) await page.waitForFunction('order.at(-1) === 1')
  await leaves.evaluate("dispatchEvent(new Event('pagehide')); undefined")
  const last = 1 + 1000 * THOUSANDS
  for (let i = 0; i < THOUSANDS; i++) await tradeMuch(server, 1000)
  await stays.waitForFunction(`order.at(-1) === ${last}`)
  await leaves.evaluate('client.connect()')
  await leaves.waitForFunction(`order.at(-1) === ${last}`)
  const [first, reset, next, ...rest] = await orderOf(leaves)
  t.same([first, reset], [1, 'history_lost'])
  t.same(rest, Array.from({ length: last - Number(next) }, (_, index) => Number(next) + 1 + index), 'without a gap')
  t.same(await orderOf(stays), Array.from({ length: last }, (_, index) => index + 1))
})

test('tabs of two users share nothing', needsTabs, async t => {
  const server = await startServer(t, { AUTH: 'required' })
  const context = await (await launchBrowser(t)).newContext()
  const users = ['alice', 'bob'] as const
  const tabs: Array<{ readonly user: string, readonly page: Page }> = []
  for (const user of [...users, ...users]) {
    const page = await openTab(context, server, server.token({ sub: user }))
    await page.evaluate(READ_PORTFOLIO)
    await isLive(page)
    tabs.push({ user, page })
  }
  t.equal(connections(server), users.length)
  const cash = { alice: '1', bob: '2' }
  for (const user of users) {
    await publish(server.app, 'portfolio', undefined, { total_value: '1', cash: cash[user], day_pnl: '0', positions: [] }, { user })
  }
  for (const { user, page } of tabs) {
    await page.waitForFunction('owners.length > 0')
    await page.reload()
    await openClient(page, server.token({ sub: user }))
    await page.evaluate(READ_PORTFOLIO)
    await page.waitForFunction('owners.length > 0')
    t.same(await page.evaluate('owners'), [cash[user as 'alice']])
  }
})

test('a refusal reaches every tab', needsTabs, async t => {
  const server = await startServer(t, { AUTH: 'required', UNKNOWN_SYMBOLS: 'reject' })
  await server.app.tickwire.declare([{ symbol: 'A' }])
  const context = await (await launchBrowser(t)).newContext()
  const token = server.token()
  const pages = [await openTab(context, server, token), await openTab(context, server, token)]
  for (const page of pages) {
    await isLive(page)
    const answer = await page.evaluate(`client.subscribe('quotes', ['A', 'NOPE']).result
      .then(({ granted, rejected }) => [granted, rejected.map(({ symbol, code }) => [symbol, code])])`)
    t.same(answer, [['A'], [['NOPE', 'unknown_symbol']]])
  }
  const refused = [await openTab(context, server, 'no.token'), await openTab(context, server, 'no.token')]
  for (const page of refused) {
    await page.waitForFunction("client.state.name === 'closed'")
    t.same(await page.evaluate('client.state.code'), 'unauthorized')
  }
  for (const page of pages) t.equal(await page.evaluate('client.state.name'), 'live')
})
