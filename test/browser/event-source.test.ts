import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { test } from 'tap'
import { inBrowser, launchBrowser } from '../helpers/browser.js'
import { until } from '../helpers/clients.js'
import { publish, startServer, subscribers } from '../helpers/server.js'

/** What the page has received. */
interface Received {
  readonly sequences: number[]
  readonly frames: number[]
}

test("a browser's own EventSource and WebSocket: nothing is lost across cuts, by its own Last-Event-ID", inBrowser, async t => {
  const server = await startServer(t)
  const resumed: Array<string | undefined> = []
  const streams = new Set<Socket>()
  server.app.server.on('request', (request: IncomingMessage) => {
    if (request.headers.accept?.includes('text/event-stream') !== true) return
    resumed.push(request.headers['last-event-id'] as string | undefined)
    streams.add(request.socket)
  })
  const browser = await launchBrowser(t)
  const page = await browser.newPage()
  await page.goto(`${server.origin}/healthz`)
  await page.evaluate(`
    window.received = { sequences: [], frames: [] }
    const source = new EventSource('/v1/stream?subscribe=trades:*')
    source.onmessage = event => { const message = JSON.parse(event.data); if (message.sequence) window.received.sequences.push(message.sequence) }
    const socket = new WebSocket(location.origin.replace('http', 'ws') + '/v1/stream?subscribe=trades:*', 'tickwire.v1.batch')
    socket.onmessage = event => { for (const message of JSON.parse(event.data)) if (message.sequence) window.received.frames.push(message.sequence) }
  `)
  const state = async (): Promise<Received> => await page.evaluate('window.received') as never
  await until('both are there', () => subscribers(server, 'trades:A') === 2)
  let published = 0
  const trade = async (): Promise<void> => publish(server.app, 'trades', 'A', { symbol: 'A', price: String(++published), size: '1', timestamp: '2026-01-01T00:00:00Z' })
  const CUTS = 5
  for (let cut = 1; cut <= CUTS; cut++) {
    for (let i = 0; i < 20; i++) await trade()
    await new Promise(resolve => setTimeout(resolve, 30))
    // The server breaks the event stream off without a word; the browser comes back by itself.
    for (const socket of streams) socket.destroy()
    streams.clear()
    for (let i = 0; i < 20; i++) await trade()
    await until('it has come back', () => resumed.length === cut + 1)
  }
  let got = await state()
  for (let i = 0; i < 200 && (got.sequences.at(-1) !== published || got.frames.at(-1) !== published); i++) {
    await new Promise(resolve => setTimeout(resolve, 50))
    got = await state()
  }
  const all = Array.from({ length: published }, (_, index) => index + 1)
  t.same([...new Set(got.sequences)], all, 'EventSource: every trade, in order')
  t.same(got.frames, all, 'WebSocket: every trade, once, in order')
  t.equal(resumed[0], undefined)
  t.ok(resumed.slice(1).every(id => typeof id === 'string' && id.length > 0), 'each time it came back with its own Last-Event-ID')
})
