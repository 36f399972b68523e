/**
 * What many messages cost a page: a component with `useQuote` for each symbol, and a listener of every trade,
 * in one tab of Chromium. The same page is measured while it is sent nothing, as a control.
 *
 * npm run bench -- page [--symbols 1000] [--rate 10000] [--trades 2000] [--minutes 10]
 *
 * rate: messages a second in all; trades: how many of them are trades. The others are quotes.
 */
import { fileURLToPath } from 'node:url'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { tickwire } from '@tickwire/server'
import { build } from 'esbuild'
import Fastify from 'fastify'
import { chromium } from 'playwright-core'
import { provideServices } from '../scripts/services.js'
import { options, percentile, report } from './report.js'

const { symbols: count, rate, trades, minutes } = options({
  symbols: 1000, rate: 10_000, trades: 2000, minutes: 10
})
const WARM_UP_MS = 10_000
const CONTROL_MS = 10_000
const TICK_MS = 10
const MINUTE_MS = 60_000
const CHROMIUM = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking']

const app = Fastify()
await app.register(tickwire, { settings: { UNKNOWN_SYMBOLS: 'accept', MAX_SUBSCRIPTIONS: 2 * count } })
await app.listen({ port: 0, host: '127.0.0.1' })
const { port } = /** @type {import('node:net').AddressInfo} */ (app.server.address())
const symbols = Array.from({ length: count }, (_, at) => `S${at}`)

let published = { quotes: 0, trades: 0 }
const stop = new AbortController()
/** Publishes what is due by the clock, so that a late timer makes up for what it missed. */
async function publish () {
  const from = performance.now()
  let quotesSent = 0
  let tradesSent = 0
  while (!stop.signal.aborted) {
    const seconds = (performance.now() - from) / 1000
    const items = []
    for (; tradesSent < seconds * trades; tradesSent++) {
      const symbol = symbols[tradesSent % count]
      const price = String(100 + tradesSent % 50)
      const timestamp = new Date().toISOString()
      const data = { symbol, price, size: '1', trade_id: String(tradesSent), timestamp }
      items.push({ channel: 'trades', symbol, data })
    }
    for (; quotesSent < seconds * (rate - trades); quotesSent++) {
      const symbol = symbols[quotesSent * 7 % count]
      const data = { symbol, bid: String(quotesSent), ask: String(quotesSent + 1) }
      items.push({ channel: 'quotes', symbol, data })
    }
    if (items.length > 0) await app.tickwire.publishAll(items)
    await delay(TICK_MS)
  }
  published = { quotes: quotesSent, trades: tradesSent }
}

const { outputFiles } = await build({
  entryPoints: [fileURLToPath(new URL('page/page.jsx', import.meta.url))],
  bundle: true,
  minify: true,
  jsx: 'automatic',
  write: false,
  format: 'iife',
  globalName: 'bench',
  platform: 'browser',
  define: { 'process.env.NODE_ENV': '"production"' }
})
const { TEST_CHROMIUM } = { ...process.env, ...provideServices() }
const browser = await chromium.launch({ executablePath: TEST_CHROMIUM ?? '', args: CHROMIUM })
const page = await browser.newPage()
page.on('pageerror', error => { console.error(error) })
await page.goto(`http://127.0.0.1:${port}/healthz`)
await page.addScriptTag({ content: outputFiles[0]?.text ?? '' })
const devtools = await page.context().newCDPSession(page)

/** Bytes of the page's heap that are in use after a collection. */
async function heap () {
  await devtools.send('HeapProfiler.collectGarbage')
  return (await devtools.send('Runtime.getHeapUsage')).usedSize
}

/** @returns {Promise<Record<string, number> & { waited: number[], state: string }>} */
const take = () => page.evaluate('bench.take()')

await page.evaluate(`bench.open(${JSON.stringify(symbols)})`)
const publishing = publish()
await page.waitForFunction(`bench.shown() === ${count}`, undefined, { timeout: MINUTE_MS })
await delay(WARM_UP_MS)
const loop = monitorEventLoopDelay({ resolution: 10 })
loop.enable()

/** What the page counted in all. */
const sums = /** @type {Record<string, number>} */ ({})
/** @type {number[]} */
const waited = []
let longestTask = 0
/** Adds what the page has counted since this was asked last. @param {(name: string) => boolean} counts */
async function add (counts) {
  const { waited: times, state, longestTask: longest, ...taken } = await take()
  waited.push(...times)
  for (const [name, value] of Object.entries(taken)) if (counts(name)) sums[name] = (sums[name] ?? 0) + value
  if (counts('longestTask')) longestTask = Math.max(longestTask, longest ?? 0)
  return state
}
/** A collection that the bench asks for is a long task of its own. @param {string} name */
const notTasks = name => !['longTasks', 'longestTask'].includes(name)

const heaps = [await heap()]
await take()
const from = performance.now()
for (let minute = 1; minute <= minutes; minute++) {
  await delay(from + minute * MINUTE_MS - performance.now())
  const state = await add(() => true)
  const used = await heap()
  heaps.push(used)
  await add(notTasks)
  const tasks = `${sums['longTasks'] ?? 0} tasks over 50 ms`
  console.log(`minute ${minute} of ${minutes}: ${state}, heap ${mib(used)} MiB, ${tasks}`)
}
const seconds = (performance.now() - from) / 1000
stop.abort()
await publishing
await delay(1000)
await take()
await delay(CONTROL_MS)
const idle = await take()
await browser.close()

/** @param {number} bytes */
function mib (bytes) {
  return Number((bytes / 2 ** 20).toFixed(1))
}

/** @param {string} name */
function perSecond (name) {
  return Number(((sums[name] ?? 0) / seconds).toFixed(1))
}

report('page', { symbols: count, rate, trades, minutes }, {
  'messages a second': perSecond('messages'),
  'renders a second': perSecond('renders'),
  'frames a second': perSecond('frames'),
  'renders of a component that had one in the same frame': sums['twice'] ?? 0,
  'renders that show what was shown before': sums['needless'] ?? 0,
  'trades heard': sums['trades'] ?? 0,
  'trades lost': sums['tradesLost'] ?? 0,
  'trades heard twice': sums['tradesTwice'] ?? 0,
  resets: sums['resets'] ?? 0,
  'tasks over 50 ms': sums['longTasks'] ?? 0,
  'longest of them, ms': Math.round(longestTask),
  'from publishing to the listener: ms, p50': Math.round(percentile(waited, 50) ?? NaN),
  'from publishing to the listener: ms, p99': Math.round(percentile(waited, 99) ?? NaN),
  'heap after each minute, MiB': heaps.map(mib).join(' '),
  'control: sent nothing, frames a second': Number(((idle['frames'] ?? 0) / (CONTROL_MS / 1000)).toFixed(1)),
  'control: sent nothing, tasks over 50 ms': idle['longTasks'] ?? 0,
  'control: delay of the server\'s event loop, ms, p99': Math.round(loop.percentile(99) / 1e6)
})
console.log(`published: ${published.quotes} quotes, ${published.trades} trades`)
process.exit(0)
