import { test } from 'tap'
import type { Page } from 'playwright-core'
import { inBrowser, launchBrowser } from '../helpers/browser.js'
import { openPage, violations } from '../helpers/pages.js'
import { publish, startServer } from '../helpers/server.js'
import { openTickwire } from '../helpers/tickwire-client.js'

const figure = (page: Page, name: string): Promise<string | null> =>
  page.locator(`[data-panel=nodes] td[data-figure=${name}]`).first().textContent()
const rows = (page: Page): ReturnType<Page['locator']> => page.locator('[data-panel=connections] tr[data-connection]')

test('shows operators who is connected and what happened to them, and cuts one', inBrowser, async t => {
  const server = await startServer(t)
  const browser = await launchBrowser(t)
  const client = openTickwire(t, server.origin, { token: server.token({ sub: 'bob' }) })
  const quotes = client.subscribe('quotes', ['AAA'], { throttleMs: 100 })
  await quotes.result
  const { page, faults } = await openPage(browser, server.origin, '/monitor', server.token({ sub: 'op', admin: true }))
  await page.locator('[data-panel=nodes] tr[data-node]').waitFor()
  await publish(server.app, 'quotes', 'AAA', { symbol: 'AAA', bid: '1' })
  await page.locator('[data-panel=channels] tr[data-channel=quotes]').waitFor()
  await page.locator('[data-panel=nodes] td[data-figure=connections]', { hasText: /^2$/ }).waitFor()
  t.equal(await figure(page, 'users'), '2')
  t.match(await figure(page, 'log'), /memory · available/)

  await page.fill('[data-panel=connections] input[name=user]', 'bob')
  await page.locator('[data-panel=connections] [data-total="1"]').waitFor()
  t.equal(await rows(page).count(), 1)
  await rows(page).locator('button').click()
  const details = page.locator('[data-details]')
  await details.locator('li', { hasText: 'throttle_ms 100' }).waitFor()
  await details.locator('[data-event=subscribe]').waitFor()
  const events = await page.evaluate("[...document.querySelectorAll('[data-event]')].map(({ dataset }) => dataset.event)") as string[]
  t.ok(events.indexOf('subscribe') < events.indexOf('connect'), 'the newest event stands first')

  const before = client.inspect().connectionId
  page.on('dialog', dialog => { void dialog.accept() })
  await page.click('[data-panel=details] button:has-text("Disconnect")')
  await page.locator('.notice', { hasText: 'closes the connection' }).waitFor()
  await page.locator(`tr[data-connection]:not([data-connection="${before}"])`).waitFor()
  t.not(client.inspect().connectionId, before, 'the client is back, by itself')
  await page.locator('[data-event=close]').waitFor()
  await page.check('[data-panel=connections] input[type=checkbox]')
  await page.locator(`tr[data-connection="${before}"]`).waitFor()
  t.same(faults, [])
})

test('says what it takes to see the monitor, and is accessible in both themes', inBrowser, async t => {
  const server = await startServer(t, { SOURCES: 'simulated', BARS: '1s,1m' } as object)
  const browser = await launchBrowser(t)
  const stranger = await openPage(browser, server.origin, '/monitor', server.token({ sub: 'bob' }))
  await stranger.page.locator('[data-needs-admin]').waitFor()
  t.same(stranger.faults, [])
  await stranger.context.close()
  for (const colorScheme of ['light', 'dark'] as const) {
    const token = server.token({ sub: 'op', admin: true })
    const { page, context, faults } = await openPage(browser, server.origin, '/monitor', token, { colorScheme })
    await page.locator('[data-panel=parts] tr[data-part]').first().waitFor()
    await rows(page).locator('button').click()
    await page.locator('[data-event]').first().waitFor()
    await page.locator('.plot canvas').waitFor()
    t.same(await violations(page), [], colorScheme)
    await page.setViewportSize({ width: 390, height: 844 })
    t.equal(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), true)
    t.same(await violations(page), [], `${colorScheme}, narrow`)
    t.same(faults, [])
    await context.close()
  }
})
