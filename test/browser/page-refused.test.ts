import { test } from 'tap'
import { inBrowser, launchBrowser } from '../helpers/browser.js'
import { startServer } from '../helpers/server.js'

test('the page stops where it was refused, and says why, over each transport', inBrowser, async t => {
  const server = await startServer(t, { SOURCES: 'simulated', AUTH: 'required' })
  const browser = await launchBrowser(t)
  const page = await browser.newPage()
  await page.goto(`${server.origin}/compare`)
  await page.fill('#token', server.token({ read: ['news'] }))
  await page.click('#token-form button')
  for (const name of ['websocket', 'event-source', 'poll']) {
    const column = page.locator(`[data-column=${name}][data-state=stopped]`)
    await column.waitFor()
    t.match(await column.locator('.note').textContent(), /does not permit/, name)
  }
})
