import { mkdirSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import { test } from 'tap'
import { inBrowser, launchBrowser } from '../helpers/browser.js'
import { networkTo } from '../helpers/network.js'
import { startServer, type TestServer } from '../helpers/server.js'

const screenshots = process.env['SCREENSHOTS']

const CUTS = 10
const OUTAGE_MS = 5000
const COLUMNS = ['websocket', 'event-source', 'poll'] as const

interface Held {
  readonly first: number
  readonly last: number
  readonly count: number
}

/** What a column says of itself in its data attributes. */
interface Shown {
  readonly state: string
  readonly cuts: number
  readonly losses: number
  readonly resumes: number
  readonly gaps: number
  readonly resets: number
  /** By topic. */
  readonly held: Readonly<Record<string, Held>>
}

const READ = `[...document.querySelectorAll('[data-column]')].map(column => ({
  state: column.dataset.state,
  ...Object.fromEntries(['cuts', 'losses', 'resumes', 'gaps', 'resets'].map(name => [name, Number(column.dataset[name])])),
  held: Object.fromEntries([...column.querySelectorAll('[data-topic]')].map(({ dataset: { topic, first, last, count } }) =>
    [topic, { first: Number(first), last: Number(last), count: Number(count) }]))
}))`

const read = async (page: Page): Promise<Shown[]> => await page.evaluate(READ) as Shown[]

async function until (page: Page, what: string, holds: (columns: Shown[]) => boolean): Promise<Shown[]> {
  const deadline = Date.now() + 20_000
  for (;;) {
    const columns = await read(page)
    if (holds(columns)) return columns
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}: ${JSON.stringify(columns.map(({ held, ...rest }) => rest))}`)
    await delay(20)
  }
}

const connected = (columns: Shown[]): boolean => columns.length === COLUMNS.length && columns.every(({ state }) => state === 'connected')
const total = ({ held }: Shown): number => Object.values(held).reduce((sum, { count }) => sum + count, 0)

/** The sequences of a topic in the log. */
async function history (server: TestServer, topic: string, after = 0): Promise<number[]> {
  const answer = await fetch(`${server.origin}/v1/history?topic=${topic}&after=${after}&limit=10000`)
  if (answer.status === 404) return []
  const { messages } = await answer.json() as { messages: Array<{ sequence: number }> }
  return messages.map(({ sequence }) => sequence)
}

async function takeScreenshots (page: Page, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true })
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const [width, height] of [[1280, 800], [390, 844]] as const) {
      await page.emulateMedia({ colorScheme })
      await page.setViewportSize({ width, height })
      await delay(300)
      await page.screenshot({ path: join(folder, `page-${width}-${colorScheme}.png`), fullPage: width === 390 })
    }
  }
  await page.emulateMedia({ colorScheme: 'light' })
  await page.setViewportSize({ width: 1280, height: 800 })
}

test('the page: three transports show the same sequences, whatever is cut', { ...inBrowser, timeout: 200_000 }, async t => {
  let link = ''
  const server = await startServer(t, { SOURCES: 'simulated' }, { adminLink: path => { link = path } })
  const { sources, hub } = server.parts
  // The market rests until all columns are there, so that all begin with the same messages.
  await sources.stop('simulated')
  const lastEventIds: Array<string | undefined> = []
  server.app.server.on('request', ({ headers }: IncomingMessage) => {
    if (headers.accept?.includes('text/event-stream') === true) lastEventIds.push(headers['last-event-id'] as string | undefined)
  })
  const network = await networkTo(t, Number(new URL(server.origin).port))
  const browser = await launchBrowser(t)
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
  const faults: string[] = []
  page.on('pageerror', error => { faults.push(String(error)) })
  page.on('response', answer => { if (answer.status() === 404 && !answer.url().endsWith('/v1/admin/disconnect')) faults.push(answer.url()) })
  page.on('console', message => { if (/content security policy/i.test(message.text())) faults.push(message.text()) })
  await page.goto(network.origin + link.replace('/#', '/compare#'))

  await until(page, 'all are connected', connected)
  const traded = await page.evaluate("[...document.querySelectorAll('#symbols :checked')].map(({ value }) => value)") as string[]
  const topics = [...[...hub.directory.instruments()].map(({ symbol }) => `quotes:${symbol}`), ...traded.map(symbol => `trades:${symbol}`)]
  const before = new Map<string, number>()
  for (const topic of topics) before.set(topic, (await history(server, topic)).at(-1) ?? 0)
  const quoted = topics.filter(topic => topic.startsWith('quotes:') && before.get(topic)! > 0)
  await until(page, 'all have the states', columns => columns.every(({ held }) => quoted.every(topic => topic in held)))
  await sources.start('simulated')

  async function cutEach (times: number): Promise<void> {
    for (let time = 0; time < times; time++) {
      for (const name of COLUMNS) {
        const place = COLUMNS.indexOf(name)
        const { cuts } = (await read(page))[place]!
        // Playwright waits until the button is enabled, which it is while the column is connected.
        await page.click(`[data-column="${name}"] .cut`)
        await until(page, `${name} was cut`, columns => columns[place]!.cuts === cuts + 1)
      }
      const sofar = (await read(page)).map(total)
      await until(page, 'all are back and go on', columns => connected(columns) && columns.every((column, index) => total(column) > sofar[index]!))
    }
  }
  await cutEach(CUTS / 2)
  network.take()
  await delay(OUTAGE_MS)
  t.ok((await read(page)).every(({ state }) => state === 'reconnecting'), 'without a network all try to come back')
  network.giveBack()
  await until(page, 'all are back', connected)
  if (screenshots !== undefined) {
    await takeScreenshots(page, screenshots)
    t.comment(`screenshots are in ${screenshots}`)
  }
  await cutEach(CUTS / 2)

  await sources.stop('simulated')
  const expected: Record<string, Held> = {}
  for (const topic of topics) {
    const sequences = await history(server, topic, before.get(topic)!)
    // A state that was there comes first, as a snapshot; trades have none.
    if (quoted.includes(topic)) sequences.unshift(before.get(topic)!)
    if (sequences.length > 0) {
      expected[topic] = { first: sequences[0]!, last: sequences.at(-1)!, count: sequences.length }
    }
  }
  const columns = await until(page, 'all have come to the end', columns => columns.every(({ held }) =>
    Object.entries(expected).every(([topic, { last }]) => held[topic]?.last === last)))
  for (const [index, name] of COLUMNS.entries()) {
    const { state, held, ...counts } = columns[index]!
    t.same(counts, { cuts: CUTS, losses: 1, resumes: CUTS + 1, gaps: 0, resets: 0 }, `${name}: cuts, resumes and no gap`)
    t.same(held, expected, `${name}: of each topic all that the log has, once`)
  }
  for (const channel of ['quotes:', 'trades:']) t.ok(Object.keys(expected).some(topic => topic.startsWith(channel)), `${channel} was followed`)
  const inStep = page.locator('#in-step[data-in-step="true"]')
  await inStep.waitFor()
  t.match(await inStep.textContent(), new RegExp(`${Object.keys(expected).length} topics`), 'the page says so, too')

  t.equal(lastEventIds[0], undefined)
  t.ok(lastEventIds.length > CUTS + 1, 'the EventSource came back each time')
  t.ok(lastEventIds.slice(1).every(id => id !== undefined && id !== ''), 'with its own Last-Event-ID')
  t.same(faults, [], 'nothing failed in the page')
})
