import type { BrowserContext, Page } from 'playwright-core'
import { test } from 'tap'
import { inBrowser, launchBrowser } from '../helpers/browser.js'
import { until } from '../helpers/clients.js'
import { startNginx } from '../helpers/nginx.js'
import { publish, startServer, subscribers, type TestServer } from '../helpers/server.js'

const program = process.env['TEST_NGINX']
const TABS = 20
/** What browsers open to one origin over HTTP/1.1. */
const CONNECTIONS_OF_ORIGIN = 6
const MESSAGES = 30

const OPEN = `window.received = []
window.opened = false
window.source = new EventSource('/v1/stream?subscribe=trades:A')
source.onopen = () => { window.opened = true }
source.onmessage = ({ data }) => { const { sequence } = JSON.parse(data); if (sequence) window.received.push(sequence) }`

/** A fetch as a page does it: what it answers, and over which protocol it came. */
const FETCH = `fetch('/v1/history?topic=trades:A&limit=1', { cache: 'no-store' }).then(async response => {
  await response.text()
  return { status: response.status, protocol: performance.getEntriesByType('resource').findLast(({ name }) => name.includes('/v1/history')).nextHopProtocol }
})`

async function openTabs (context: BrowserContext, origin: string, count: number): Promise<Page[]> {
  const pages: Page[] = []
  for (let tab = 0; tab < count; tab++) {
    const page = await context.newPage()
    await page.goto(`${origin}/healthz`)
    pages.push(page)
  }
  return pages
}

const received = async (page: Page): Promise<number[]> => await page.evaluate('window.received') as number[]

const hasAll = async (page: Page): Promise<unknown> => await page.waitForFunction(`window.received.length >= ${MESSAGES}`)

async function trade (server: TestServer, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await publish(server.app, 'trades', 'A', { symbol: 'A', price: '1', size: '1', timestamp: '2026-01-01T00:00:00Z' })
}

// 20 tabs take a busy machine a while to open.
const needs = { timeout: 200_000, skip: program === undefined ? 'there is no nginx' : inBrowser.skip }

test('over HTTP/2, as deploy/nginx.conf speaks it, 20 tabs stream beside their fetches', needs, async t => {
  const server = await startServer(t, { TRUST_PROXY: true })
  const nginx = await startNginx(t, program!, server.origin)
  await trade(server, 1)
  const browser = await launchBrowser(t)
  const context = await browser.newContext({ ignoreHTTPSErrors: true })
  const pages = await openTabs(context, nginx.secureOrigin, TABS)
  for (const page of pages) await page.evaluate(OPEN)
  await until('all tabs stream', () => subscribers(server, 'trades:A') === TABS)
  const answers = await Promise.all(pages.map(page => page.evaluate(FETCH)))
  t.same(answers, Array.from({ length: TABS }, () => ({ status: 200, protocol: 'h2' })), 'each tab fetches while all stream')
  await trade(server, MESSAGES)
  const all = Array.from({ length: MESSAGES }, (_, index) => index + 2)
  for (const page of pages) {
    await hasAll(page)
    t.same(await received(page), all)
  }
})

test('over HTTP/1.1 a browser keeps the seventh stream of an origin waiting, and every fetch', needs, async t => {
  const server = await startServer(t)
  await trade(server, 1)
  const browser = await launchBrowser(t)
  const pages = await openTabs(await browser.newContext(), server.origin, CONNECTIONS_OF_ORIGIN + 1)
  const last = pages.pop()!
  for (const page of pages) await page.evaluate(OPEN)
  await until('six stream', () => subscribers(server, 'trades:A') === CONNECTIONS_OF_ORIGIN)
  await last.evaluate(OPEN)
  await last.evaluate(`window.answered = false; ${FETCH}.then(() => { window.answered = true }); undefined`)
  await trade(server, MESSAGES)
  for (const page of pages) await hasAll(page)
  t.same(await last.evaluate('[window.opened, window.answered]'), [false, false])
  await pages[0]!.evaluate('source.close()')
  await pages[1]!.evaluate('source.close()')
  await last.waitForFunction('window.opened && window.answered')
  t.pass('what waited is served')
})
