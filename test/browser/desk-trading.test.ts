import type { Locator, Page } from 'playwright-core'
import { test } from 'tap'
import { inBrowser, launchBrowser } from '../helpers/browser.js'
import { publish, startServer, type TestServer } from '../helpers/server.js'

/** A quantity and a price that nobody else's test and no default have. */
const RESTING = { quantity: '0.25', price: '1.50', better: '2.75' }

/** Opens the desk as a user who may trade some symbols. */
async function openDesk (page: Page, server: TestServer, symbol: string): Promise<string[]> {
  const faults: string[] = []
  page.on('pageerror', error => { faults.push(String(error)) })
  page.on('console', message => { if (/content security policy/i.test(message.text())) faults.push(message.text()) })
  const kept = JSON.stringify({ token: server.token({ trade: ['BTC-USD', 'SOL-USD'] }), renewAt: Number.MAX_VALUE })
  await page.addInitScript(`sessionStorage.setItem('tickwire admin /', ${JSON.stringify(kept)})`)
  await page.goto(`${server.origin}/?symbol=${symbol}`)
  return faults
}

/** Shows a panel: the tab of its place, if it stands behind others. */
async function panelOf (page: Page, name: string): Promise<Locator> {
  const panel = page.locator(`[data-panel="${name}"]`)
  await page.locator(`[data-tab="${name}"]`).click()
  await panel.waitFor()
  return panel
}

const noticeOf = (page: Page, text: string | RegExp): Locator =>
  page.locator('[data-notices] .notice', { hasText: text })

async function read<Answer> (server: TestServer, path: string): Promise<Answer> {
  const headers = { authorization: `Bearer ${server.token()}` }
  return await (await fetch(`${server.origin}${path}`, { headers })).json() as Answer
}

interface OrdersAnswer { orders: Array<{ quantity: string }> }

test('the desk sends, replaces and cancels orders, and says what becomes of them', inBrowser, async t => {
  const server = await startServer(t, { SOURCES: 'simulated', BARS: '1s' })
  const browser = await launchBrowser(t)
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
  const faults = await openDesk(page, server, 'BTC-USD')
  const ticket = await panelOf(page, 'ticket')
  const field = (name: string): Locator => ticket.locator(`[name="${name}"]`)

  await t.test('a market order by keyboard alone, with its notice, its fill and its position', async t => {
    await ticket.locator('[data-power]', { hasText: '100,000' }).waitFor()
    await field('type').focus()
    await page.keyboard.press('ArrowUp')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Tab')
    await page.keyboard.type('0.1')
    await page.keyboard.press('Enter')
    const dialog = page.getByRole('dialog', { name: 'Send this order?' })
    await dialog.getByText('Buy 0.1 BTC-USD').first().waitFor()
    await page.keyboard.press('Enter')
    await noticeOf(page, /Buy 0\.1 BTC-USD: (partly )?filled/).first().waitFor()
    const positions = await panelOf(page, 'positions')
    await positions.locator('[data-position="BTC-USD"] td:nth-child(2)', { hasText: /^0\.1$/ }).waitFor()
    await (await panelOf(page, 'fills')).locator('[data-fill]').first().waitFor()
    await positions.page().locator('[data-tab="portfolio"]').click()
    await page.locator('[data-panel="portfolio"] .plot canvas').waitFor()
    t.pass('all came')
  })

  await t.test('a limit order rests, gets another price, and is canceled', async t => {
    await field('type').selectOption('limit')
    await field('quantity').fill(RESTING.quantity)
    await field('limitPrice').fill(RESTING.price)
    // From here on the ticket sends without asking.
    await field('confirm').uncheck()
    await ticket.locator('[data-send]').click()
    const orders = await panelOf(page, 'orders')
    const row = orders.locator('[data-order]', { hasText: RESTING.quantity })
    await row.and(orders.locator('[data-status="new"]')).waitFor()
    await row.locator('[data-replace]').click()
    await orders.locator('.replace [name="limit_price"]').fill(RESTING.better)
    await page.keyboard.press('Enter')
    await row.and(orders.locator('[data-status="replaced"]')).waitFor()
    t.match(await row.textContent(), RESTING.better)
    await row.locator('[data-cancel]').click()
    await noticeOf(page, 'canceled').waitFor()
    await row.waitFor({ state: 'detached' })
    await orders.getByLabel('Which orders').selectOption('closed')
    await row.and(orders.locator('[data-status="canceled"]')).waitFor()
  })

  await t.test('a double click is one order, and a second one by intention is another', async t => {
    const level = page.locator('[data-side="bid"] [data-take]').last()
    await level.click()
    t.equal(await ticket.locator('[name="side"]:checked').getAttribute('value'), 'sell', 'a bid is what one can sell at')
    await ticket.locator('[name="side"][value="buy"]').check()
    await field('limitPrice').fill('3.25')
    await field('quantity').fill('0.03')
    await ticket.locator('[data-send]').dblclick()
    await ticket.locator('[data-outcome="sent"]', { hasText: 'open' }).waitFor()
    await field('quantity').fill('0.04')
    await ticket.locator('[data-send]').click()
    const orders = await panelOf(page, 'orders')
    await orders.getByLabel('Which orders').selectOption('open')
    await orders.locator('tr', { hasText: '0.04' }).waitFor()
    const { orders: sent } = await read<OrdersAnswer>(server, '/v1/orders?status=open')
    t.same(sent.map(({ quantity }) => quantity).sort(), ['0.03', '0.04'])
    await orders.locator('[data-cancel-all]').click()
    await page.getByRole('dialog').locator('[data-confirm]').click()
    await orders.getByText('No order is open.').waitFor()
  })

  await t.test('what is wrong is said before it is sent, and what the server refuses in its words', async t => {
    await field('quantity').fill('0.0000001')
    await ticket.locator('[data-send]').click()
    await ticket.getByText('It must be a multiple of 0.000001.').waitFor()
    await page.evaluate("history.replaceState(null, '', '?symbol=ETH-USD')")
    await page.reload()
    await field('quantity').fill('1')
    await field('limitPrice').fill('10')
    await ticket.locator('[data-send]').click()
    const answer = await fetch(`${server.origin}/v1/orders`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.token({ trade: ['BTC-USD', 'SOL-USD'] })}`, 'content-type': 'application/json' },
      body: JSON.stringify({ client_order_id: 'refused', symbol: 'ETH-USD', side: 'buy', order_type: 'limit', quantity: '1', limit_price: '10' })
    })
    const { message } = await answer.json() as { message: string }
    await ticket.locator('[data-outcome="refused"]', { hasText: message }).waitFor()
    t.equal(answer.status, 403)
  })
  t.same(faults, [], 'no error, and nothing that the policy forbids')
})

test('the desk makes alert rules, acknowledges alerts for good, and runs strategies', inBrowser, async t => {
  const server = await startServer(t, { BROKER: 'paper', BARS: '1s' })
  await server.app.tickwire.declare([{ symbol: 'SOL-USD', currency: 'USD', tick_size: '0.01' }])
  const quote = async (last: string): Promise<void> => {
    await publish(server.app, 'quotes', 'SOL-USD', { symbol: 'SOL-USD', last, bid: last, ask: last })
  }
  await quote('90')
  const browser = await launchBrowser(t)
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
  const faults = await openDesk(page, server, 'SOL-USD')

  await t.test('an alert that is acknowledged does not come again after a reload', async t => {
    const alerts = await panelOf(page, 'alerts')
    await alerts.locator('[name="level"]').fill('100')
    await alerts.locator('[data-create]').click()
    await alerts.locator('[data-rule]', { hasText: 'SOL-USD' }).waitFor()
    // The rule begins moments after the answer: it is crossed until it alerts.
    const alert = alerts.locator('[data-alert]')
    while (await alert.count() === 0) {
      await quote('90')
      await quote('101')
      await page.waitForFunction('true', undefined, { polling: 'raf' })
    }
    await noticeOf(page, '101').first().waitFor()
    await alerts.locator('[data-acknowledge-all]').click()
    await alerts.getByText('No alert is waiting for you.').waitFor()
    const { channels } = await read<{ channels: Array<{ channel: string, open: number }> }>(server, '/v1/unacknowledged')
    t.match(channels.find(({ channel }) => channel === 'alerts'), { open: 0 })
    await page.reload()
    await panelOf(page, 'alerts')
    await alerts.locator('[data-rule]').waitFor()
    await quote('90')
    while (await alert.count() === 0) {
      await quote('90')
      await quote('105')
      await page.waitForFunction('true', undefined, { polling: 'raf' })
    }
    t.equal(await alerts.locator('[data-alert]', { hasText: '101' }).count(), 0, 'only the new one is there')
    t.equal(await noticeOf(page, '101').count(), 0, 'and only it is announced')
    await alerts.locator('[data-alert]').first().locator('[data-acknowledge]').click()
    await alerts.getByText('No alert is waiting for you.').waitFor()
    await alerts.locator('[data-rule] [data-delete]').click()
    await alerts.getByText('You have no rules: make one above.').waitFor()
  })

  await t.test('a strategy is started from its schema, paused, resumed, stopped and removed', async t => {
    const strategies = await panelOf(page, 'strategies')
    await strategies.locator('[name="strategy"]').selectOption('breakout')
    await strategies.locator('[name="parameter-lookback"]').fill('5')
    await strategies.locator('[name="parameter-interval"]').selectOption('1s')
    await strategies.locator('[data-start]').click()
    const statusOf = async (status: string): Promise<void> => { await strategies.locator(`[data-strategy][data-status="${status}"]`).waitFor() }
    await statusOf('running')
    const { strategies: [started] } = await read<{ strategies: unknown[] }>(server, '/v1/strategies')
    t.match(started, { name: 'breakout', symbol: 'SOL-USD', mode: 'signal', quantity: '1', parameters: { lookback: 5, interval: '1s' } })
    for (const [action, status] of [['pause', 'paused'], ['resume', 'running'], ['stop', 'stopped']] as const) {
      await strategies.locator(`[data-action="${action}"]`).click()
      await statusOf(status)
    }
    await strategies.locator('[data-action="remove"]').click()
    await strategies.getByText('You have no strategies: start one above.').waitFor()
  })

  await t.test('without a login each panel says what to do', async t => {
    await page.getByText('Log out').click()
    for (const name of ['ticket', 'orders', 'positions', 'fills', 'portfolio', 'alerts', 'strategies']) {
      t.match(await (await panelOf(page, name)).locator('.empty').textContent(), /Log in/, name)
    }
  })
  t.same(faults, [], 'no error, and nothing that the policy forbids')
})
