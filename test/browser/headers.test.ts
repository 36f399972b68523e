import { createServer } from 'node:http'
import type { Page } from 'playwright-core'
import { test } from 'tap'
import { inBrowser, launchBrowser } from '../helpers/browser.js'
import { until } from '../helpers/clients.js'
import { listen } from '../helpers/network.js'
import { startServer } from '../helpers/server.js'

/** What the browser complains of: what its policy refused would be among it. */
function complaints (page: Page): string[] {
  const heard: string[] = []
  page.on('console', message => { if (message.type() === 'error') heard.push(message.text()) })
  page.on('pageerror', error => { heard.push(error.message) })
  return heard
}

test('page and reference work under their policy, and stand in no other page', inBrowser, async t => {
  const server = await startServer(t, { SOURCES: 'simulated' })
  const browser = await launchBrowser(t)

  await t.test('the reference loads and works', async t => {
    const page = await browser.newPage()
    const heard = complaints(page)
    await page.goto(`${server.origin}/docs/`)
    await page.locator('.opblock-summary').first().click()
    await page.locator('.opblock-body').first().waitFor()
    t.ok(await page.locator('.opblock').count() > 5, 'it shows the endpoints')
    t.same(heard, [])
  })

  await t.test('the page loads and works', async t => {
    const page = await browser.newPage()
    const heard = complaints(page)
    await page.goto(`${server.origin}/compare`)
    await page.locator('[data-state=connected]').nth(2).waitFor()
    t.same(heard, [])
    await page.evaluate("document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.injected = true' }))")
    t.equal(await page.evaluate('window.injected'), undefined, 'what is inline does not run')
    t.match(heard, [/Content Security Policy/])
  })

  await t.test('neither loads in a frame of another page', async t => {
    const port = await listen(t, createServer((_request, response) => {
      response.setHeader('content-type', 'text/html').end(`<iframe src="${server.origin}/"></iframe><iframe src="${server.origin}/docs/"></iframe>`)
    }))
    const page = await browser.newPage()
    await page.goto(`http://127.0.0.1:${port}/`)
    // The page may load before Chromium knows the outcome of its frames. Their addresses are empty until
    // then.
    await until('both frames have an address', () => page.frames().slice(1).every(frame => !['', 'about:blank'].includes(frame.url())))
    t.same(page.frames().slice(1).map(frame => new URL(frame.url()).protocol), ['chrome-error:', 'chrome-error:'])
  })
})
