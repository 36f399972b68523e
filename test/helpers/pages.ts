import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { ROOT } from './root.js'

const AXE = readFileSync(join(ROOT, 'node_modules/axe-core/axe.min.js'), 'utf8')

export interface Opened {
  readonly page: Page
  readonly context: BrowserContext
  /** What went wrong in the page, and what it asked of others. */
  readonly faults: string[]
}

/** Opens a page, and notes every error, every request to another origin, and every token in a URL. */
export async function openPage (
  browser: Browser, origin: string, path: string, token?: string, options: BrowserContextOptions = {}
): Promise<Opened> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-US', ...options })
  const page = await context.newPage()
  const faults: string[] = []
  page.on('console', message => { if (message.type() === 'error') faults.push(message.text()) })
  page.on('pageerror', error => { faults.push(String(error.stack)) })
  page.on('request', request => {
    if (!request.url().startsWith(origin)) faults.push(`asked ${request.url()}`)
    if (token !== undefined && request.url().includes(token)) faults.push(`a token in ${request.url()}`)
  })
  page.on('websocket', socket => {
    if (token !== undefined && socket.url().includes(token)) faults.push(`a token in ${socket.url()}`)
  })
  if (token !== undefined) {
    const held = JSON.stringify({ token, renewAt: Number.MAX_VALUE })
    await page.addInitScript(`sessionStorage.setItem('tickwire admin /', ${JSON.stringify(held)})`)
  }
  await page.goto(origin + path)
  return { page, context, faults }
}

/** Returns what axe finds, each with the elements that it is about. */
export async function violations (page: Page): Promise<string[]> {
  await page.evaluate(AXE)
  return await page.evaluate(`axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
    violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html.slice(0, 160)).join(' | ')))`) as string[]
}
