import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BrowserContext, Page } from 'playwright-core'
import { type Test, test } from 'tap'
import { inBrowser, launchBrowser } from '../helpers/browser.js'
import { runCurl } from '../helpers/curl.js'
import { ROOT } from '../helpers/root.js'
import { publish, startServer, type TestServer } from '../helpers/server.js'

const TRANSPORTS = ['tickwire.v1.json', 'tickwire.v1.batch', 'event-stream', 'polling']
const SYMBOL = 'BTC-USD'

async function trade (server: TestServer, times: number): Promise<void> {
  const data = { symbol: SYMBOL, price: '60000.50', size: '0.10', timestamp: '2026-02-07T14:30:00.123Z' }
  for (let time = 0; time < times; time++) {
    await publish(server.app, 'trades', SYMBOL, data)
  }
}

/** A page of the console; what fails in it ends the test. */
async function openConsole (t: Test, context: BrowserContext, origin: string): Promise<Page> {
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
  page.on('pageerror', error => { t.fail(`the page: ${String(error)}`) })
  page.on('console', message => { if (/content security policy/i.test(message.text())) t.fail(message.text()) })
  await page.goto(`${origin}/console`)
  await page.locator('[data-composer]').waitFor()
  return page
}

async function see (page: Page, selector: string): Promise<void> {
  await page.locator(selector).first().waitFor()
}

/** Writes a subscribe by completion alone: a few letters, and Enter takes what is offered. */
async function composeSubscribe (page: Page): Promise<string> {
  const area = page.locator('[data-composer]')
  await area.fill('')
  const take = async (letters: string): Promise<void> => {
    await page.keyboard.type(letters)
    await see(page, '[data-suggestions]:not([hidden])')
    await page.keyboard.press('Enter')
  }
  await take('{"acti')
  // The field that was named offers its values at once.
  await take('subs')
  await page.keyboard.press('End')
  await take(', "chan')
  await take('trad')
  await page.keyboard.press('End')
  await take(', "symb')
  await take(SYMBOL.toLowerCase())
  await page.keyboard.press('End')
  await page.keyboard.type('}')
  await see(page, '[data-faults="0"]')
  return await area.inputValue()
}

interface ShownRow {
  readonly type: string
  readonly sequence: number
  readonly validity: string
}

const trades = async (page: Page): Promise<ShownRow[]> => await page.evaluate(
  '[...document.querySelectorAll("[data-row][data-type=trade]")].map(({ dataset: { type, sequence, validity } }) => ({ type, sequence: Number(sequence), validity }))'
) as ShownRow[]

test('the console', { ...inBrowser, timeout: 120_000 }, async t => {
  const server = await startServer(t, { SOURCES: 'simulated' })
  // The market rests: what comes is what the test publishes.
  await server.parts.sources.stop('simulated')
  const browser = await launchBrowser(t)
  const context = await browser.newContext({ viewport: { width: 1280, height: 1000 }, permissions: ['clipboard-read', 'clipboard-write'] })
  const token = server.token({ trade: true })

  await t.test('shows over each transport what comes, and resumes after a cut without a gap', async t => {
    const page = await openConsole(t, context, server.origin)
    for (const transport of TRANSPORTS) {
      await page.reload()
      await page.locator('[data-transport]').selectOption(transport)
      t.same(JSON.parse(await composeSubscribe(page)), { action: 'subscribe', channel: 'trades', symbols: [SYMBOL] }, `${transport}: completion writes it`)
      await page.keyboard.press('Control+Enter')
      await see(page, '[data-phase="open"]')
      await see(page, `[data-subscribed="trades:${SYMBOL}"]`)
      // The cursor covers the subscription from here on.
      await see(page, '[data-row][data-type="cursor"]')
      await trade(server, 3)
      await see(page, '[data-counts][data-new="3"]')
      await page.click('[data-cut]')
      await see(page, '[data-phase="cut"]')
      await trade(server, 4)
      await page.click('[data-resume]')
      await see(page, '[data-resume-report="whole"][data-gaps="0"][data-messages="4"]')
      await trade(server, 2)
      await see(page, '[data-counts][data-new="9"][data-gap="0"][data-reset="0"]')
      const shown = await trades(page)
      const first = shown[0]!.sequence
      const valid = shown.filter(({ validity }) => validity === 'new')
      t.same(valid.map(({ sequence }) => sequence), Array.from({ length: 9 }, (_, index) => first + index), `${transport}: each once, in order`)
      // What came after the last cursor comes again after a cut.
      t.ok(shown.every(row => valid.includes(row) || (row.validity === 'duplicate' && row.sequence < first + 3)), `${transport}: nothing else came but what the cursor did not cover`)
    }
    await page.close()
  })

  await t.test("shows what the server refuses in the server's words, with what to do", async t => {
    const page = await openConsole(t, context, server.origin)
    const area = page.locator('[data-composer]')
    await area.fill('{"action":"subscribe","id":7,"channel":"trdaes","symbols":["BTC-USD"]}')
    t.match(await page.locator('[data-faults]').textContent(), /trades/, 'the line below says what was probably meant')
    await page.click('[data-send]')
    const problem = page.locator('[data-problem="unknown_channel"]')
    t.match(await problem.textContent(), /the channels are: quotes, trades.*Choose a channel/s)
    await area.fill('{"action":"subscribe","chanel":"trades"}')
    await page.click('[data-send]')
    t.match(await page.locator('[data-problem="invalid_message"]').textContent(), /chanel|channel/)
    t.equal(await page.locator('[data-phase="open"]').count(), 1, 'the connection goes on')
    await page.close()
  })

  await t.test('never shows, copies or saves a token', async t => {
    const page = await openConsole(t, context, server.origin)
    const urls: string[] = []
    page.on('request', request => { urls.push(request.url()) })
    page.on('websocket', socket => { urls.push(socket.url()) })
    await page.locator('[data-credential]').selectOption('pasted')
    await page.locator('[data-token]').fill(token)
    await page.locator('[data-composer]').fill(`{"action":"subscribe","channel":"trades","symbols":["${SYMBOL}"],"last":2}`)
    await page.click('[data-send]')
    await see(page, `[data-subscribed="trades:${SYMBOL} last=2"]`)
    t.match(await page.locator('[data-phase="open"]').textContent(), /alice/, 'the server knows the user by `auth`')
    t.match(await page.locator('[data-row][data-type="auth"]').textContent(), /TICKWIRE_TOKEN/)

    await page.locator('[data-template]').selectOption('publish')
    await page.locator('[data-composer]').fill(JSON.stringify({ action: 'publish', id: 9, messages: [{ channel: 'quotes', symbol: SYMBOL, data: { symbol: SYMBOL, bid: '1.50' } }] }))
    await page.click('[data-rest]')
    await see(page, '[data-row][data-type="HTTP 200"]')

    const copied = async (): Promise<string> => {
      await page.click('[data-copy]')
      // The clipboard is written before the page says so.
      await see(page, '[data-notices] .notice')
      return await page.evaluate('navigator.clipboard.readText()') as string
    }
    const runs = async (command: string): Promise<string> =>
      await runCurl(t, command, { TICKWIRE_TOKEN: token })
    await page.locator('[data-code-what]').selectOption('message')
    const publishing = await copied()
    t.notMatch(publishing, token)
    t.match(JSON.parse(await runs(publishing)), { accepted: 1, rejected: [] }, 'the copied request publishes')
    await page.click('[data-cut]')
    await page.locator('[data-transport]').selectOption('polling')
    await page.locator('[data-code-what]').selectOption('subscription')
    await page.locator('[data-code]', { hasText: '/v1/stream?subscribe=trades:BTC-USD' }).waitFor()
    const following = await copied()
    t.notMatch(following, token)
    t.match(following, /\$TICKWIRE_TOKEN/)
    t.equal((JSON.parse(await runs(following)) as { messages: unknown[] }).messages.length, 2, 'the copied poll reads the stream')

    const download = page.waitForEvent('download')
    await page.click('[data-save]')
    const file = await (await download).path()
    const saved = readFileSync(file, 'utf8')
    t.ok(saved.split('\n').filter(line => line !== '').every(line => typeof JSON.parse(line) === 'object'), 'the file has a line of JSON for each frame')
    t.notMatch(saved, token, 'the file has no token')
    t.notMatch(await page.content(), token, 'nor has the page')

    await page.locator('[data-transport]').selectOption('tickwire.v1.json')
    await page.locator('[data-credential]').selectOption('ticket')
    await page.click('[data-connect]')
    await page.locator('[data-phase="open"]', { hasText: 'alice' }).waitFor()
    t.equal(urls.filter(url => url.includes('ticket=')).length, 1, 'a one-time ticket is in the URL')
    t.notOk(urls.some(url => url.includes(token)), 'a token never is')
    t.match(await page.locator('[data-row]', { hasText: 'ticket=' }).textContent(), /ticket=\$TICKET/, 'the list does not show it')
    await page.close()

    await t.test('and opens the saved file again without a server', async t => {
      const reader = await openConsole(t, context, server.origin)
      await context.setOffline(true)
      await reader.locator('input[type=file]').setInputFiles({ name: 'session.jsonl', mimeType: 'application/x-ndjson', buffer: Buffer.from(saved) })
      await see(reader, '[data-opened="session.jsonl"]')
      await see(reader, '[data-counts][data-new="2"][data-gap="0"]')
      await reader.locator('[data-row][data-type="trade"]').first().click()
      t.match(await reader.locator('[data-frame-detail] pre').textContent(), /"price": "60000\.50"/, 'a frame that is clicked is shown on many lines')
      await reader.keyboard.press('ArrowDown')
      t.equal(await reader.locator('[data-row][aria-selected=true]').count(), 1, 'the arrow keys go on')
      await context.setOffline(false)
      await reader.close()
    })
  })

  await t.test('has no violations of accessibility, light and dark', async t => {
    const page = await openConsole(t, context, server.origin)
    const axe = readFileSync(join(ROOT, 'node_modules/axe-core/axe.min.js'), 'utf8')
    await page.locator('[data-composer]').fill(`{"action":"subscribe","channel":"quotes","symbols":["${SYMBOL}","${SYMBOL}!"]}`)
    await page.click('[data-send]')
    await page.locator('[data-row][data-type="quote"]').first().click()
    await page.locator('[data-composer]').fill('{"action":"')
    await page.locator('[data-composer]').press('Control+ ')
    await see(page, '[data-suggestions]:not([hidden])')
    await page.evaluate(axe)
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      const { violations } = await page.evaluate('axe.run()') as { violations: Array<{ id: string, nodes: Array<{ html: string, failureSummary: string }> }> }
      t.same(violations.map(({ id, nodes }) => [id, ...nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`)]), [], colorScheme)
    }
    await page.close()
  })
})
