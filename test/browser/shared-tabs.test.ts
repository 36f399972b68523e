import type { Page } from 'playwright-core'
import { test } from 'tap'
import { launchBrowser } from '../helpers/browser.js'
import { until } from '../helpers/clients.js'
import { startServer } from '../helpers/server.js'
import { connections, isLive, leaderOf, needsTabs, openTab, orderOf, trade } from '../helpers/tabs.js'

const TABS = 10
const DEATHS = 20
const TRADES_OF_A_DEATH = 4

test(`${TABS} tabs share a connection, and get each message once while ${DEATHS} leaders die`, needsTabs, async t => {
  const server = await startServer(t)
  const browser = await launchBrowser(t)
  const context = await browser.newContext()
  const pages: Page[] = []
  const since = new Map<Page, number>()
  let last = 0
  const open = async (): Promise<void> => {
    const page = await openTab(context, server)
    await isLive(page)
    pages.push(page)
    since.set(page, last + 1)
  }
  for (let tab = 0; tab < TABS; tab++) await open()
  t.equal(connections(server), 1)
  const publishOne = async (): Promise<void> => {
    await trade(server)
    last++
  }
  for (let death = 0; death < DEATHS; death++) {
    const leader = await leaderOf(pages)
    pages.splice(pages.indexOf(leader), 1)
    await publishOne()
    await publishOne()
    if (death % 2 === 0) await leader.close()
    else {
      const session = await context.newCDPSession(leader)
      const crashed = new Promise(resolve => { leader.once('crash', resolve) })
      session.send('Page.crash').catch(() => {})
      await crashed
      await leader.close()
    }
    await publishOne()
    await open()
    await publishOne()
  }
  for (const page of pages) await page.waitForFunction(`order.at(-1) === ${last}`)
  for (const page of pages) {
    const order = await orderOf(page)
    // A leader goes on from where the tab is that is furthest behind, and tells all tabs what follows: a new
    // tab may be told what was published while the last leaders died.
    const opened = since.get(page)!
    const first = Math.min(opened, Number(order[0]))
    t.ok(first >= opened - 2 * TRADES_OF_A_DEATH, `opened before ${opened}, it begins with ${first}`)
    t.same(order, Array.from({ length: last - first + 1 }, (_, index) => first + index))
  }
  await until('one connection is left', () => connections(server) === 1)
})
