import type { IncomingMessage } from 'node:http'
import type { Page } from 'playwright-core'
import { type Test, test } from 'tap'
import { inBrowser, launchBrowser } from '../helpers/browser.js'
import { startServer, type TestServer } from '../helpers/server.js'

const HOUR_MS = 3_600_000

/** A server that shows a link whenever the page asks, and each request that comes to it. */
async function start (
  t: Test
): Promise<{ server: TestServer, links: string[], requests: IncomingMessage[] }> {
  const links: string[] = []
  const server = await startServer(t, { SOURCES: 'simulated' }, { adminLink: path => { links.push(path) } })
  const requests: IncomingMessage[] = []
  server.app.server.on('request', (request: IncomingMessage) => { requests.push(request) })
  return { server, links, requests }
}

/** The page of three columns takes the link of the desk as well. */
const compare = (link: string): string => link.replace('/#', '/compare#')
const code = (link: string): string => link.slice(link.indexOf('=') + 1)
const mayCut = (page: Page): Promise<void> => page.locator('.cut[aria-disabled=false]').nth(2).waitFor()
const connected = (page: Page): Promise<void> => page.locator('[data-state=connected]').nth(2).waitFor()
const hint = (page: Page, text: string): Promise<void> => page.locator('#hint', { hasText: text }).waitFor()
const cut = async (page: Page): Promise<void> => {
  await page.click('[data-column=websocket] .cut')
  await page.locator('[data-column=websocket][data-cuts="1"]').waitFor()
}

test('the link that the terminal shows makes its browser an operator, and leaves no trace', inBrowser, async t => {
  const { server, links, requests } = await start(t)
  const browser = await launchBrowser(t)
  const page = await browser.newPage()
  await page.goto(server.origin + compare(links[0]!))
  t.equal(await page.evaluate('location.href'), `${server.origin}/compare`, 'the address holds no code')
  await mayCut(page)
  await cut(page)
  await page.reload()
  await mayCut(page)
  for (const { url, headers } of requests) t.notMatch([url, ...Object.values(headers)].join(' '), code(links[0]!), 'no request has it in its head')
  t.equal(await page.locator('#hint').isVisible(), false)

  const other = await browser.newPage()
  await other.goto(`${server.origin}/compare`)
  await connected(other)
  await hint(other, "open the link that this server's terminal shows")
  t.equal(await other.locator('.cut[aria-disabled=false]').count(), 0, 'another tab is no operator')
  await other.evaluate(`location.href = ${JSON.stringify(compare(links[0]!))}`)
  await hint(other, 'The link was not taken')
  t.equal(await other.evaluate('location.hash'), '')
})

test('a link that is opened where the page is open is taken, too; and the page has another one shown', inBrowser, async t => {
  const { server, links } = await start(t)
  const browser = await launchBrowser(t)
  const page = await browser.newPage()
  await page.goto(`${server.origin}/compare`)
  await connected(page)
  await page.click('#hint button')
  await hint(page, 'at most every 10 s')
  await page.evaluate(`location.href = ${JSON.stringify(compare(links[0]!))}`)
  await mayCut(page)
  t.equal(await page.evaluate('location.href'), `${server.origin}/compare`)
  await cut(page)
})

test('the page renews its token before it ends; once it cannot, it says what to do', inBrowser, async t => {
  const { server, links, requests } = await start(t)
  const browser = await launchBrowser(t)
  const page = await browser.newPage()
  // The page's clock, not the server's: to both the token is good.
  await page.clock.install()
  await page.goto(server.origin + compare(links[0]!))
  await mayCut(page)
  const renewals = (): number => requests.filter(({ url }) => url === '/page/admin-token/renew').length
  t.equal(renewals(), 0)
  const renewed = page.waitForResponse(response => response.url().endsWith('/renew'))
  await page.clock.fastForward(6 * 60_000)
  t.equal((await renewed).status(), 200)
  await mayCut(page)

  await page.evaluate(`{
    const [key] = Object.keys(sessionStorage)
    const held = JSON.parse(sessionStorage[key])
    sessionStorage[key] = JSON.stringify({ ...held, token: held.token.slice(0, -4) + 'AAAA', renewAt: 0 })
  }`)
  await page.reload()
  await page.clock.fastForward(2 * 60_000)
  await hint(page, "open the link that this server's terminal shows")
  t.equal(await page.evaluate('sessionStorage.length'), 0)

  await page.evaluate(`sessionStorage.setItem('tickwire admin /', JSON.stringify({ token: 'x.y.z', renewAt: 0, endsAt: Date.now() - ${HOUR_MS} }))`)
  await page.reload()
  await connected(page)
  await hint(page, "open the link that this server's terminal shows")
})
