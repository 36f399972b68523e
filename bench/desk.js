/**
 * What many messages cost the desk: its watchlist of many symbols, sorted by their change and filtered, in
 * one tab of Chromium. What the main thread did comes from Chromium's own trace. The same page is measured
 * while it is sent nothing, as a control.
 *
 * npm run bench -- desk [--symbols 500] [--rate 10000] [--minutes 2] [--seconds 20]
 *
 * rate: quotes a second in all; seconds: for how long the main thread is traced, at the end.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { tickwire } from '@tickwire/server'
import Fastify from 'fastify'
import { chromium } from 'playwright-core'
import { provideServices } from '../scripts/services.js'
import { CATEGORIES, readTrace } from './desk/trace.js'
import { options, percentile, report } from './report.js'

const { symbols: count, rate, minutes, seconds } = options({
  symbols: 500, rate: 10_000, minutes: 2, seconds: 20
})
const WARM_UP_MS = 10_000
const TICK_MS = 10
const MINUTE_MS = 60_000
const SLOW_FRAME_MS = 33
const LONG_TASK_MS = 50
const CHROMIUM = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking']
const MARKETS = ['ONE', 'TWO']

const app = Fastify()
const settings = /** @type {const} */ ({ UNKNOWN_SYMBOLS: 'accept' })
await app.register(tickwire, { settings, routes: ['page', 'stream', 'topics'] })
await app.listen({ port: 0, host: '127.0.0.1' })
const { port } = /** @type {import('node:net').AddressInfo} */ (app.server.address())
const origin = `http://127.0.0.1:${port}`
const symbols = Array.from({ length: count }, (_, at) => `S${String(at).padStart(3, '0')}`)
await app.tickwire.declare(symbols.map((symbol, at) => (
  { symbol, market: MARKETS[at % 50 === 0 ? 1 : 0] ?? '', name: `Symbol ${at}` }
)))

const stop = new AbortController()
let published = 0
/** @param {number} number */
function quote (number) {
  const symbol = symbols[number * 7 % count] ?? ''
  const change = ((number * 31 % 2000) / 100 - 10).toFixed(2)
  const last = (100 + number % 977 / 10).toFixed(2)
  const prices = { bid: last, ask: last, last, change, change_percent: change }
  return { channel: 'quotes', symbol, data: { symbol, ...prices, volume: String(number) } }
}
/** Publishes what is due by the clock, so that a late timer makes up for what it missed. */
async function publish () {
  const from = performance.now()
  while (!stop.signal.aborted) {
    const items = []
    const due = (performance.now() - from) / 1000 * rate
    for (; published < due; published++) items.push(quote(published))
    if (items.length > 0) await app.tickwire.publishAll(items)
    await delay(TICK_MS)
  }
}
await app.tickwire.publishAll(symbols.map((_, number) => quote(number)))

const { TEST_CHROMIUM } = { ...process.env, ...provideServices() }
const browser = await chromium.launch({ executablePath: TEST_CHROMIUM ?? '', args: CHROMIUM })
const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
page.on('pageerror', error => { console.error(error) })
const devtools = await page.context().newCDPSession(page)
await devtools.send('Network.enable')
let loaded = 0
devtools.on('Network.loadingFinished', ({ encodedDataLength }) => { loaded += encodedDataLength })

await page.goto(origin)
const priced = '[data-panel=watchlist] tr[data-symbol] td:nth-of-type(1):not(:empty)'
await page.locator(priced).first().waitFor()
const firstPriceMs = await page.evaluate('performance.now()')
const firstLoad = loaded
await page.selectOption('select[name=market]', MARKETS[0] ?? '')
await page.click('[data-panel=watchlist] thead button:has-text("Change")')

/** Bytes of the page's heap that are in use after a collection. */
async function heap () {
  await devtools.send('HeapProfiler.collectGarbage')
  return (await devtools.send('Runtime.getHeapUsage')).usedSize / 2 ** 20
}

/** Traces the main thread. */
async function trace () {
  /** @type {any[]} */
  const events = []
  const collect = (/** @type {{ value: any[] }} */ { value }) => { events.push(...value) }
  devtools.on('Tracing.dataCollected', collect)
  await devtools.send('Tracing.start', { categories: CATEGORIES, transferMode: 'ReportEvents' })
  // Frames are only asked for where somebody draws.
  await page.evaluate('(function frame () { globalThis.frame = requestAnimationFrame(frame) })()')
  await delay(seconds * 1000)
  await page.evaluate('cancelAnimationFrame(globalThis.frame)')
  const complete = new Promise(resolve => { devtools.once('Tracing.tracingComplete', resolve) })
  await devtools.send('Tracing.end')
  await complete
  devtools.off('Tracing.dataCollected', collect)
  return readTrace(events)
}

const publishing = publish()
await delay(WARM_UP_MS)
const heaps = [await heap()]
for (let minute = 1; minute <= minutes; minute++) {
  await delay(MINUTE_MS)
  heaps.push(await heap())
  console.log(`minute ${minute} of ${minutes}: heap ${heaps.at(-1)?.toFixed(1)} MiB`)
}
const busy = await trace()
const shown = await page.locator('.connection').getAttribute('data-state')
stop.abort()
await publishing
await delay(2000)
const idle = await trace()
await browser.close()

/** @param {number[]} values @param {number} share */
const at = (values, share) => Number((percentile(values, share) ?? NaN).toFixed(2))
/** @param {number[]} frames */
const slow = frames =>
  Number((100 * frames.filter(ms => ms > SLOW_FRAME_MS).length / frames.length).toFixed(2))
/** @param {ReturnType<typeof readTrace>} taken @param {string} name */
const figures = (taken, name) => ({
  [`${name}work of a frame, ms, p50`]: at(taken.work, 50),
  [`${name}work of a frame, ms, p95`]: at(taken.work, 95),
  [`${name}of it scripts, ms, p95`]: at(taken.script, 95),
  [`${name}of it drawing, ms, p95`]: at(taken.drawing, 95),
  [`${name}frames a second`]: Number((taken.frames.length / seconds).toFixed(1)),
  [`${name}frames over ${SLOW_FRAME_MS} ms, %`]: slow(taken.frames),
  [`${name}tasks over ${LONG_TASK_MS} ms`]: taken.tasks.filter(ms => ms > LONG_TASK_MS).length
})
report('desk', { symbols: count, rate, minutes, seconds }, {
  'published a second': Math.round(published / (minutes * 60 + seconds + WARM_UP_MS / 1000)),
  'state at the end': shown ?? '',
  ...figures(busy, ''),
  'heap after each minute, MiB': heaps.map(mib => mib.toFixed(1)).join(' '),
  'first load with a cold cache, KiB': Number((firstLoad / 1024).toFixed(1)),
  'first price with a cold cache, ms': Math.round(Number(firstPriceMs)),
  ...figures(idle, 'control, sent nothing: ')
})
process.exit(0)
