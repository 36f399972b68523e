import { build } from 'esbuild'
import type { BrowserContext, Page } from 'playwright-core'
import { inBrowser } from './browser.js'
import { ROOT } from './root.js'
import { publish, type TestServer } from './server.js'

/** Options of a test with several tabs, which a busy machine takes a while to open. */
export const needsTabs = { ...inBrowser, timeout: 300_000 }

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

/** Opens a page whose client shares its connection. @param last the past that it asks for */
export async function openTab (
  context: BrowserContext, server: TestServer, token?: string, last?: number
): Promise<Page> {
  const page = await context.newPage()
  await page.goto(`${server.origin}/healthz`)
  await openClient(page, token, last)
  return page
}

/** Opens a client in a page. */
export async function openClient (page: Page, token?: string, last?: number): Promise<void> {
  await page.addScriptTag({ content: `${outputFiles[0]!.text}\n${OPEN}` })
  await page.evaluate(`open(${JSON.stringify(token)}, ${JSON.stringify(last)})`)
}

export const isLive = async (page: Page): Promise<unknown> => await page.waitForFunction("client.state.name === 'live'")
export const orderOf = async (page: Page): Promise<Array<number | string>> => await page.evaluate('order') as Array<number | string>

export async function trade (server: TestServer, symbol = 'A'): Promise<void> {
  await publish(server.app, 'trades', symbol, { symbol, price: '1', size: '1', timestamp: '2026-01-01T00:00:00Z' })
}

export async function tradeMuch ({ parts }: TestServer, count: number): Promise<void> {
  const data = { symbol: 'A', price: '1', size: '1', timestamp: '2026-01-01T00:00:00Z' }
  const messages = Array.from({ length: count }, () => ({ channel: 'trades', symbol: 'A', data }))
  await parts.publisher.publish(messages, { publisher: 'test' })
}

/** Returns the tab that has the connection. */
export async function leaderOf (pages: readonly Page[]): Promise<Page> {
  for (;;) {
    for (const page of pages) if (await page.evaluate('leads()') === true) return page
  }
}

/** Connections that read the trades. */
export const connections = ({ parts }: TestServer): number => [...parts.hub.audience.of('trades:A').everybody()].length
