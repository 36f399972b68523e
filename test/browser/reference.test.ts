import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import Fastify from 'fastify'
import { type Page } from 'playwright-core'
import { test } from 'tap'
import { tickwire } from '../../src/tickwire.js'
import { inBrowser, launchBrowser } from '../helpers/browser.js'
import { until } from '../helpers/clients.js'
import { startCommand } from '../helpers/command.js'
import { ROOT } from '../helpers/root.js'

const protocol = readFileSync(join(ROOT, 'PROTOCOL.md'), 'utf8')

/** Where the first link leads that names the protocol. */
async function protocolLink (page: Page): Promise<string> {
  const href = await page.getByRole('link', { name: /protocol/i }).first().getAttribute('href')
  return new URL(href!, page.url()).href
}

test('the page names what it shows, and leads to the reference and to the protocol', inBrowser, async t => {
  // The command, as it is built: it must have the protocol with it.
  const server = startCommand(['start', '--port', '0'], { LOG_LEVEL: 'error' })
  t.teardown(() => { server.child.kill('SIGTERM') })
  await until('it listens', () => server.lines.some(line => line.includes('listens on')))
  const origin = /http:\S+/.exec(server.lines.join())![0]
  const browser = await launchBrowser(t)
  const page = await browser.newPage()
  await page.goto(`${origin}/compare`)
  const row = page.locator('[data-column=websocket] tr', { has: page.locator('[data-topic="quotes:005930"]') }).locator('th')
  await row.waitFor()
  t.match(await row.textContent(), /^005930\s+Samsung Electronics$/)
  await page.click('#choice summary')
  t.match(await page.locator('#symbols label', { hasText: '005930' }).textContent(), /005930\s+Samsung Electronics/)

  await page.getByRole('link', { name: 'API reference' }).click()
  await page.locator('.opblock').first().waitFor()
  t.equal(new URL(page.url()).pathname, '/docs/')
  t.equal(await page.title(), 'Tickwire API')
  t.notMatch(await page.locator('#swagger-ui').innerText(), '`', 'Markdown that is not one')
  t.equal(await page.getByRole('button', { name: 'Explore' }).count(), 0, 'no field for the address of some other API')
  t.equal(await protocolLink(page), `${origin}/docs/protocol`)
  await page.goto(`${origin}/compare`)
  t.equal(await protocolLink(page), `${origin}/docs/protocol`)

  const answer = await page.goto(`${origin}/docs/protocol`)
  t.equal(answer!.status(), 200)
  t.match(await page.locator('body').innerText(), 'Tickwire wire protocol, v1', 'the browser shows it')
  t.equal(await (await fetch(`${origin}/docs/protocol`)).text(), protocol)
})

test('the page leads to no reference where there is none, and to the right one under a prefix', inBrowser, async t => {
  const browser = await launchBrowser(t)
  for (const [routes, count] of [[['page', 'stream', 'topics'], 0], [['page', 'stream', 'topics', 'docs'], 1]] as const) {
    const app = Fastify()
    t.teardown(async () => { await app.close() })
    await app.register(tickwire, { prefix: '/live', routes, sources: 'simulated' })
    const origin = await app.listen()
    const page = await browser.newPage()
    await page.goto(`${origin}/live/compare`)
    await page.locator('[data-state=connected]').nth(2).waitFor()
    const links = page.getByRole('link', { name: /API reference/ })
    t.equal(await links.count(), count)
    if (count === 0) continue
    await links.click()
    await page.locator('.opblock').first().waitFor()
    t.equal(await protocolLink(page), `${origin}/live/docs/protocol`)
  }
})
