import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { type Test, test } from 'tap'
import { inBrowser, launchBrowser } from '../helpers/browser.js'
import { networkTo } from '../helpers/network.js'
import { type Level, NaiveBook, type Sides } from '../helpers/naive-book.js'
import { openPage, violations } from '../helpers/pages.js'
import { coinbaseRecording } from '../helpers/recorded-session.js'
import { publish, startServer, type TestServer } from '../helpers/server.js'

const THEMES = ['light', 'dark'] as const
const WIDTHS = [390, 1280, 2560] as const

const cell = (page: Page, symbol: string, column: number): Promise<string | null> =>
  page.locator(`[data-panel=watchlist] tr[data-symbol="${symbol}"] td`).nth(column).textContent()

const symbolsShown = async (page: Page): Promise<string[]> => await page.evaluate(
  "[...document.querySelectorAll('[data-panel=watchlist] tr[data-symbol]')].map(row => row.dataset.symbol)"
) as string[]

const quote = (app: TestServer['app'], symbol: string, last: string, changePercent: string): Promise<void> =>
  publish(app, 'quotes', symbol, { symbol, bid: last, ask: last, last, change: '1', change_percent: changePercent, volume: '10' })

/** The symbols of the test, each with its price and change. */
const LISTED = [
  { symbol: 'AAA', market: 'ONE', sector: 'iron', last: '10.5', change: '1.5' },
  { symbol: 'BBB', market: 'ONE', sector: 'wood', last: '20', change: '-2.25' },
  { symbol: 'CCC', market: 'TWO', sector: 'iron', last: '1234567.8', change: '0.5' }
]

async function startListed (t: Test): Promise<TestServer> {
  const server = await startServer(t, { BARS: '1s,1m' } as object)
  await server.app.tickwire.declare(LISTED.map(({ symbol, market, sector }) => ({ symbol, market, sector, name: `Name of ${symbol}` })))
  for (const { symbol, last, change } of LISTED) await quote(server.app, symbol, last, change)
  return server
}

test('sorts, filters and follows the watchlist, by keyboard too', inBrowser, async t => {
  const server = await startListed(t)
  const { page, faults } = await openPage(await launchBrowser(t), server.origin, '/')
  await page.locator('[data-panel=watchlist] tr[data-symbol=CCC] td', { hasText: '1,234,567.8' }).waitFor()
  t.same(await symbolsShown(page), ['AAA', 'BBB', 'CCC'])
  t.equal(await cell(page, 'BBB', 1), '▼ −2.25 %', 'an arrow stands beside the colour')
  t.match(page.url(), /\?symbol=AAA$/, 'the first one is selected, and the URL says so')

  await page.click('[data-panel=watchlist] thead button:has-text("Change")')
  t.same(await symbolsShown(page), ['AAA', 'CCC', 'BBB'])
  await quote(server.app, 'BBB', '21', '9.75')
  await page.locator('[data-panel=watchlist] tr[data-symbol]').first().and(page.locator('[data-symbol=BBB]')).waitFor()
  t.equal(await cell(page, 'BBB', 0), '21', 'a new price moves its row')

  await page.selectOption('[data-panel=watchlist] select[name=sector]', 'iron')
  t.same(await symbolsShown(page), ['AAA', 'CCC'])
  await page.selectOption('[data-panel=watchlist] select[name=market]', 'TWO')
  t.same(await symbolsShown(page), ['CCC'])
  await page.selectOption('[data-panel=watchlist] select[name=market]', '')
  await page.selectOption('[data-panel=watchlist] select[name=sector]', '')
  await page.fill('[data-panel=watchlist] input[name=filter]', 'name of b')
  t.same(await symbolsShown(page), ['BBB'])
  await page.fill('[data-panel=watchlist] input[name=filter]', '')

  await page.focus('.watchlist')
  await page.keyboard.press('ArrowDown')
  await page.locator('.price-line[data-symbol=CCC]').waitFor()
  t.match(page.url(), /\?symbol=CCC$/)
  t.equal(await page.locator('.price-line [data-last]').textContent(), '1,234,567.8')
  t.same(faults, [])
})

test('freezes what is shown, and goes on with what has come meanwhile', inBrowser, async t => {
  const server = await startListed(t)
  const { page, faults } = await openPage(await launchBrowser(t), server.origin, '/')
  await page.locator('[data-panel=watchlist] tr[data-symbol=AAA] td', { hasText: '10.5' }).waitFor()
  await page.click('[data-freeze]')
  await quote(server.app, 'AAA', '11', '2')
  await publish(server.app, 'system', undefined, { level: 'info', message: 'behind the quote' })
  // What comes after the quote has come, so the quote has come as well.
  await page.locator('.notice', { hasText: 'behind the quote' }).waitFor()
  await page.evaluate('new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve)))')
  t.equal(await cell(page, 'AAA', 0), '10.5')
  t.equal(await page.locator('.price-line [data-last]').textContent(), '10.5')
  await page.click('[data-freeze]')
  await page.locator('[data-panel=watchlist] tr[data-symbol=AAA] td', { hasText: '11' }).waitFor()
  await page.locator('.price-line [data-last]', { hasText: '11' }).waitFor()
  t.same(faults, [])
})

test('says that the network is away or a feed is dead, and is right again after both', inBrowser, async t => {
  const server = await startListed(t)
  const network = await networkTo(t, Number(new URL(server.origin).port))
  const { page } = await openPage(await launchBrowser(t), network.origin, '/?symbol=BBB')
  await page.locator('.connection[data-state=live]').waitFor()
  network.take()
  await page.locator('.connection[data-state=offline]').waitFor()
  await page.locator('[data-panel=watchlist][data-stale=true]').waitFor()
  await quote(server.app, 'BBB', '22', '10')
  for (const price of ['22', '23']) {
    await publish(server.app, 'trades', 'BBB', { symbol: 'BBB', price, size: '1', side: 'buy', timestamp: new Date().toISOString() })
  }
  network.giveBack()
  await page.locator('.connection[data-state=live]').waitFor()
  await page.locator('[data-panel=watchlist] tr[data-symbol=BBB] td', { hasText: '22' }).waitFor()
  await page.locator('[data-panel=watchlist][data-stale=false]').waitFor()
  await page.locator('[data-panel=trades] tbody tr').nth(1).waitFor()
  t.equal(await page.locator('[data-panel=trades] tbody tr').count(), 2, 'what was missed, each once')

  await publish(server.app, 'market', 'ONE', { market: 'ONE', status: 'stale', reason: 'the venue is silent' })
  await page.locator('tr[data-symbol=BBB][data-stale=true]').waitFor()
  await page.locator('[data-feed-dead]').waitFor()
  t.equal(await page.locator('tr[data-symbol=CCC]').getAttribute('data-stale'), 'false', 'another market goes on')
  await publish(server.app, 'market', 'ONE', { market: 'ONE', status: 'open' })
  await page.locator('tr[data-symbol=BBB][data-stale=false]').waitFor()

  await page.click('.connection')
  const dialog = page.locator('dialog[open]')
  t.match(await dialog.locator('.events').textContent(), /offline/, 'the list says what happened')
  t.equal(await dialog.locator('dt', { hasText: 'gaps' }).locator('xpath=../dd').textContent(), '0')
})

test('keeps a layout, a theme and a language', inBrowser, async t => {
  const server = await startListed(t)
  const { page, faults } = await openPage(await launchBrowser(t), server.origin, '/')
  await page.click('button:has-text("Layout")')
  await page.selectOption('label:has-text("News") select', '')
  await page.selectOption('label:has-text("Trades") select', '0.0')
  await page.click('dialog[open] button:has-text("Close")')
  await page.click('summary:has-text("Settings")')
  await page.selectOption('select[name=language]', 'ko')
  await page.selectOption('select[name=theme]', 'dark')
  await page.reload()
  await page.locator('[data-tab=trades]').waitFor()
  t.equal(await page.locator('[data-tab=news]').count(), 0)
  t.same(await page.evaluate('[document.documentElement.lang, document.documentElement.dataset.theme]'), ['ko', 'dark'])
  await page.locator('h2', { hasText: '호가' }).waitFor()
  const colours = await page.evaluate(`['--up', '--down'].map(name => {
    const style = getComputedStyle(document.documentElement)
    return style.getPropertyValue(name)
  })`) as string[]
  t.same(colours, await page.evaluate(`['--red', '--blue'].map(name =>
    getComputedStyle(document.documentElement).getPropertyValue(name))`), 'what rises is red in Korea')
  t.same(faults, [])
})

test('is accessible in every panel, theme and width, and asks nobody else', { ...inBrowser, timeout: 120_000 }, async t => {
  const server = await startServer(t, { SOURCES: 'simulated', BARS: '1s,1m' } as object)
  const browser = await launchBrowser(t)
  const folder = process.env['SCREENSHOTS']
  const token = server.token({ sub: 'alice', trade: true, admin: true })
  for (const theme of THEMES) {
    const { page, context, faults } = await openPage(browser, server.origin, '/?symbol=BTC-USD', token, { colorScheme: theme, reducedMotion: 'reduce' })
    await page.locator('.connection[data-state=live]').waitFor()
    await page.locator('[data-chart][data-bars]:not([data-bars="0"])').waitFor()
    await page.locator('[data-panel=book] tr[data-price]').first().waitFor()
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: width === 390 ? 844 : width * 5 / 8 })
      await page.locator(width === 390 ? '.desk > .cell' : '.desk > .column').first().waitFor()
      const tabs = await page.evaluate("[...document.querySelectorAll('[data-tab]')].map(tab => tab.dataset.tab)") as string[]
      for (const tab of tabs) {
        await page.click(`[data-tab=${tab}]`)
        await page.locator(`[data-panel=${tab}]`).waitFor()
        // Colours and names are the same at each width: the narrow one shows all panels.
        if (width === 390) t.same(await violations(page), [], `${tab} in ${theme}`)
        if (folder !== undefined && width === 390) await page.screenshot({ path: join(folder, `desk-${theme}-${width}-${tab}.png`) })
      }
      if (width !== 390) t.same(await violations(page), [], `${width} px in ${theme}`)
      t.equal(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), true, `fits into ${width} px`)
      if (folder !== undefined) await page.screenshot({ path: join(folder, `desk-${theme}-${width}.png`) })
    }
    t.same(faults, [], `nothing went wrong in ${theme}`)
    await context.close()
  }
})

interface Frame extends Sides {
  readonly type: string
  readonly product_id: string
  readonly changes: ReadonlyArray<[side: string, price: string, size: string]>
}

/** The book of a product at the end of the recording, best first, and how many frames made it. */
function bookAtTheEnd (file: string, product: string): { bids: Level[], asks: Level[], frames: number } {
  const book = new NaiveBook()
  let frames = 0
  for (const row of readFileSync(file, 'utf8').split('\n')) {
    const found = /^\d+\.\d+: (\{.*\})$/.exec(row)
    if (found === null) continue
    const frame = JSON.parse(found[1]!) as Frame
    if (frame.product_id !== product) continue
    if (frame.type === 'snapshot' || frame.type === 'l2update') frames++
    if (frame.type === 'snapshot') {
      book.clear()
      book.apply(frame)
    } else if (frame.type === 'l2update') {
      const side = (name: string): Level[] =>
        frame.changes.filter(([of]) => of === name).map(([, price, size]) => [price, size])
      book.apply({ bids: side('buy'), asks: side('sell') })
    }
  }
  return { ...book.levels(), frames }
}

const recorded = { ...inBrowser, skip: inBrowser.skip !== false ? inBrowser.skip : coinbaseRecording === undefined ? 'RECORDINGS is not set' : false } as const

test('shows the book that the recorded session ends with', recorded, async t => {
  const server = await startServer(t, { SOURCES: `replay:${coinbaseRecording}?speed=max&start=manual` } as object)
  const { page, faults } = await openPage(await launchBrowser(t), server.origin, '/?symbol=SKL-USD')
  await page.locator('.connection[data-state=live]').waitFor()
  const admin = server.token({ sub: 'op', admin: true })
  await fetch(`${server.origin}/v1/admin/sources/replay/start`, { method: 'POST', headers: { authorization: `Bearer ${admin}` } })
  const expected = bookAtTheEnd(coinbaseRecording!, 'SKL-USD')
  await page.locator(`.book[data-sequence="${expected.frames}"]`).waitFor()
  const shown = await page.evaluate(`['bid', 'ask'].map(side =>
    [...document.querySelectorAll('[data-side=' + side + '] tr')].map(({ dataset: { price, size } }) => [price, size]))`) as Level[][]
  t.ok(shown[0]!.length >= 3)
  t.same(shown[0], expected.bids.slice(0, shown[0]!.length))
  t.same(shown[1]!.reverse(), expected.asks.slice(0, shown[1]!.length))
  t.same(faults, [])
})
