import type { AddressInfo } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Page } from 'playwright-core'
import { type Test, test } from 'tap'
import { tickwire } from '../../src/tickwire.js'
import { inBrowser, launchBrowser } from '../helpers/browser.js'
import { until } from '../helpers/clients.js'
import { blocksOf } from '../helpers/docs.js'
import { type Network, networkTo } from '../helpers/network.js'
import { publish, SECRET, subscribers } from '../helpers/server.js'

/**
 * The snippets of the page as they stand there: the rule, EventSource, WebSocket and polling, then those with
 * a ticket and a cookie.
 */
const [rule, events, socket, poll, ticket, cookie] = blocksOf('docs/clients/browser.md', 'In a browser', 'js') as [string, string, string, string, string, string]
const OWN_BASE = "new URL('/', location.href)"

interface Served {
  readonly app: FastifyInstance
  readonly network: Network
  /** Upgrades and requests to the stream. */
  readonly asked: string[]
}

/** An application with the plugin, and a page of its own beside it. */
async function serve (t: Test, prefix: string, settings: Parameters<typeof tickwire>[1]['settings'] = {}): Promise<Served> {
  const app = Fastify()
  t.teardown(async () => { await app.close() })
  app.get('/page.html', async (_request, reply) => await reply.type('text/html').send('<!doctype html><title>A page</title>'))
  await app.register(tickwire, { prefix, settings: { JWT_SECRET: SECRET, UNKNOWN_SYMBOLS: 'accept', ...settings } })
  await app.listen()
  const asked: string[] = []
  app.server.on('request', ({ url }: { url: string }) => { if (url.includes('/v1/stream')) asked.push('request') })
  app.server.on('upgrade', () => { asked.push('upgrade') })
  return { app, network: await networkTo(t, (app.server.address() as AddressInfo).port), asked }
}

/** Opens the page with a script in it. @returns what the script writes to the console */
async function run (page: Page, { network }: Served, script: string, type = ''): Promise<string[]> {
  const lines: string[] = []
  page.on('console', message => { lines.push(message.text()) })
  page.on('pageerror', error => { lines.push(`failed: ${error.message}`) })
  await page.goto(`${network.origin}/page.html`)
  await page.addScriptTag({ content: script, type })
  return lines
}

/** The rule's snippet, for a server below a path. */
const ruleBelow = (prefix: string): string => rule.replace(OWN_BASE, `new URL('${prefix}/', location.href)`)

const ways: ReadonlyArray<readonly [name: string, script: string]> = [
  ['EventSource', `${events}openEvents()`],
  ['WebSocket, batch', `${socket}openSocket()`],
  ['WebSocket, JSON', `${socket}openSocket('tickwire.v1.json')`],
  ['polling', `${poll}poll()`]
]

const sequences = (lines: string[], topic: string): number[] => lines.filter(line => line.startsWith(`${topic} `)).map(line => Number(line.split(' ')[1]))

for (const prefix of ['', '/live']) {
  test(`the snippets for browsers follow a stream across a cut, below '${prefix}/'`, { ...inBrowser, timeout: 200_000 }, async t => {
    t.match(rule, OWN_BASE)
    const served = await serve(t, prefix)
    const browser = await launchBrowser(t)
    const all = await Promise.all(ways.map(async ([name, script]) =>
      [name, await run(await browser.newPage(), served, ruleBelow(prefix) + script)] as const))
    let count = 0
    const publishSome = async (): Promise<void> => {
      for (let more = 0; more < 5; more++) {
        count++
        await publish(served.app, 'quotes', '005930', { symbol: '005930', bid: String(count) })
        await publish(served.app, 'trades', '005930', { symbol: '005930', price: String(count), size: '1', timestamp: '2026-01-01T00:00:00Z' })
      }
    }
    const allHave = async (what: string): Promise<void> => {
      await until(`${what}: ${JSON.stringify(all.map(([name, lines]) => [name, lines.slice(-2)]))}`,
        () => all.every(([, lines]) => ['quotes:005930', 'trades:005930'].every(topic => sequences(lines, topic).at(-1) === count)), 40_000)
    }
    // A connection may be there before its subscriptions are: a trade that comes between is not for it.
    await until('all are subscribed', () => subscribers(served.app.tickwire, 'trades:005930') === ways.length, 40_000)
    await publishSome()
    await allHave('before the cut')
    served.network.take()
    await publishSome()
    served.network.giveBack()
    await allHave('after the cut')
    const wanted = Array.from({ length: count }, (_, index) => index + 1)
    for (const [name, lines] of all) {
      for (const topic of ['quotes:005930', 'trades:005930']) t.same(sequences(lines, topic), wanted, `${name}: ${topic}, all and each once`)
      t.same(lines.filter(line => line.startsWith('failed')), [], name)
    }
  })
}

test('the snippets for browsers stop where the table of errors says so, although a browser does not say why a WebSocket was refused', { ...inBrowser, timeout: 200_000 }, async t => {
  const browser = await launchBrowser(t)
  for (const [name, script] of ways) {
    const served = await serve(t, '', { UNKNOWN_SYMBOLS: 'reject' })
    const page = await browser.newPage()
    await page.clock.install()
    const lines = await run(page, served, rule + script)
    await until(`${name}: why it was refused: ${lines.join()}`, () => lines.some(line => line.includes('unknown_symbol')))
    const asked = [...served.asked]
    t.ok(asked.length <= 2, `${name}: ${asked.join(', ')}`)
    await page.clock.fastForward(60_000)
    await page.evaluate('fetch("/page.html")')
    t.same(served.asked, asked, `${name}: it does not try again`)
    await page.close()
  }
})

test('the snippets for browsers come back where the table of errors says when', { ...inBrowser, timeout: 200_000 }, async t => {
  const browser = await launchBrowser(t)
  for (const [name, script] of ways) {
    const served = await serve(t, '', { MAX_CONNECTIONS_PER_IP: 1, MAX_CONNECTIONS: 1 })
    const taken = await browser.newPage()
    await run(taken, served, `${rule}${socket}openSocket()`)
    await until('there is one', () => served.app.tickwire.parts.connections.active === 1)
    const page = await browser.newPage()
    await run(page, served, rule + script)
    await until(`${name}: it was refused`, () => served.asked.length >= 2)
    await taken.close()
    await until(`${name}: it is there`, () => served.app.tickwire.parts.connections.active === 1 && served.asked.length > 2, 40_000)
    t.pass(name)
    await page.close()
  }
})

test('the snippets with a ticket and with a cookie read a private channel, below a prefix', inBrowser, async t => {
  const served = await serve(t, '/live')
  const browser = await launchBrowser(t)
  const token = served.app.tickwire.signToken({ sub: 'alice' })
  const known = `const base = new URL('/live/', location.href)\nconst token = '${token}'\n`
  for (const [name, script] of [
    ['ticket', `${known}${ticket}socket.onmessage = ({ data }) => console.log(data)`],
    ['cookie', `${known}${ticket.split('\n')[0]!}\n${cookie}events.onmessage = ({ data }) => console.log(data)`]
  ] as const) {
    const page = await browser.newPage()
    const lines = await run(page, served, script, 'module')
    await until(`${name}: ${lines.join()}`, () => lines.some(line => line.includes('"type":"subscribed"') && line.includes('orders')))
    t.pass(name)
    await page.close()
  }
})
