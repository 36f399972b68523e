import { build } from 'esbuild'
import type { BrowserContext, Page } from 'playwright-core'
import { test } from 'tap'
import { inBrowser, launchBrowser } from '../helpers/browser.js'
import { until } from '../helpers/clients.js'
import { ROOT } from '../helpers/root.js'
import { publish, startServer, type TestServer } from '../helpers/server.js'

const TABS = 10
const DEATHS = 20
const needs = { ...inBrowser, timeout: 300_000 }

const { outputFiles } = inBrowser.skip !== false
  ? { outputFiles: [] }
  : await build({
    stdin: {
      contents: "export { TickwireClient } from '@tickwire/client'; export { sharedTabs } from '@tickwire/client/tabs'",
      resolveDir: ROOT
    },
    bundle: true,
    format: 'iife',
    globalName: 'tickwire',
    platform: 'browser',
    write: false
  })

/** Opens a client in the page, which writes down what it gives. */
const OPEN = `var order = []
var quotes = []
var codes = []
var open = (token, last) => {
  window.client = new tickwire.TickwireClient({ url: location.origin, token, transports: tickwire.sharedTabs() })
  client.on('state', ({ code }) => { if (code !== undefined) codes.push(code) })
  client.on('gap', () => { order.push('gap') })
  const trades = client.subscribe('trades', ['A'], last === undefined ? {} : { last })
  trades.listen(event => { order.push(event.type === 'reset' ? event.reason : event.sequence) })
  client.subscribe('quotes', ['A']).onMessage(({ sequence, snapshot }) => { quotes.push([sequence, snapshot === true]) })
}
var leads = async () => {
  const own = crypto.randomUUID()
  return await navigator.locks.request(own, async () => {
    const { held } = await navigator.locks.query()
    const { clientId } = held.find(({ name }) => name === own)
    return held.some(lock => lock.clientId === clientId && /^tickwire [^ ]+ [^ ]*$/.test(lock.name))
  })
}`

async function openTab (context: BrowserContext, server: TestServer, token?: string, last?: number): Promise<Page> {
  const page = await context.newPage()
  await page.goto(`${server.origin}/healthz`)
  await page.addScriptTag({ content: `${outputFiles[0]!.text}\n${OPEN}` })
  await page.evaluate(`open(${JSON.stringify(token)}, ${JSON.stringify(last)})`)
  return page
}

const isLive = async (page: Page): Promise<unknown> => await page.waitForFunction("client.state.name === 'live'")
const orderOf = async (page: Page): Promise<Array<number | string>> => await page.evaluate('order') as Array<number | string>

async function trade (server: TestServer, symbol = 'A'): Promise<void> {
  await publish(server.app, 'trades', symbol, { symbol, price: '1', size: '1', timestamp: '2026-01-01T00:00:00Z' })
}

async function leaderOf (pages: readonly Page[]): Promise<Page> {
  for (;;) {
    for (const page of pages) if (await page.evaluate('leads()') === true) return page
  }
}

const connections = ({ parts }: TestServer): number => [...parts.hub.audience.of('trades:A').everybody()].length

test(`${TABS} tabs share a connection, and get each message once while ${DEATHS} leaders die`, needs, async t => {
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
    const first = since.get(page)!
    t.same(await orderOf(page), Array.from({ length: last - first + 1 }, (_, index) => first + index))
  }
  await until('one connection is left', () => connections(server) === 1)
})
