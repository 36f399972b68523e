import { test } from 'tap'
import { inBrowser, launchBrowser } from '../helpers/browser.js'
import { until } from '../helpers/clients.js'
import { startServer, subscribers } from '../helpers/server.js'

const WINDOWS = 20
const MESSAGES = 20

interface Received {
  readonly events: number[]
  readonly frames: number[]
  readonly extensions: string
}

test('a browser asks for compression by itself and reads it: event streams in gzip, deflated frames', inBrowser, async t => {
  const server = await startServer(t)
  const browser = await launchBrowser(t)
  const page = await browser.newPage()
  await page.goto(`${server.origin}/healthz`)
  const encodings: Array<string | undefined> = []
  page.on('response', response => { if (response.request().resourceType() === 'eventsource') encodings.push(response.headers()['content-encoding']) })
  await page.evaluate(`
    window.received = { events: [], frames: [], extensions: '' }
    const source = new EventSource('/v1/stream?subscribe=trades:*&token=${server.token()}')
    source.onmessage = event => {
      const message = JSON.parse(event.data)
      if (message.sequence) window.received.events.push(message.sequence)
    }
    const socket = new WebSocket(location.origin.replace('http', 'ws') + '/v1/stream?subscribe=trades:*', 'tickwire.v1.batch')
    socket.onmessage = event => {
      window.received.extensions = socket.extensions
      for (const message of JSON.parse(event.data)) if (message.sequence) window.received.frames.push(message.sequence)
    }
  `)
  const state = async (): Promise<Received> => await page.evaluate('window.received') as never
  await until('both are there', () => subscribers(server, 'trades:A') === 2)
  const { counters } = server.parts
  const before = [counters.transport('sse').bytes, counters.transport('websocket').bytes] as const
  for (let n = 0; n < WINDOWS; n++) {
    await server.app.tickwire.publishAll(Array.from({ length: MESSAGES }, (_, i) => (
      { channel: 'trades', symbol: 'A', data: { symbol: 'A', price: String(n * MESSAGES + i), size: '1', timestamp: '2026-01-01T00:00:00Z' } })))
    // What came with a window is read before the next one comes.
    const deadline = Date.now() + 10_000
    const isWhole = ({ events, frames }: Awaited<ReturnType<typeof state>>): boolean => (
      Math.min(events.length, frames.length) >= (n + 1) * MESSAGES
    )
    for (let got = await state(); !isWhole(got); got = await state()) {
      if (Date.now() > deadline) throw new Error(`window ${n} did not come: ${got.events.length} events, ${got.frames.length} frames`)
    }
  }
  const all = Array.from({ length: WINDOWS * MESSAGES }, (_, index) => index + 1)
  const got = await state()
  t.same(got.events, all, 'EventSource: every trade, in order')
  t.same(got.frames, all, 'WebSocket: every trade, in order')
  t.equal(encodings[0], 'gzip')
  t.match(got.extensions, /^permessage-deflate\b.*server_no_context_takeover/)
  const plain = WINDOWS * MESSAGES * 150
  t.ok(counters.transport('sse').bytes - before[0] < plain / 4, 'few bytes as events')
  t.ok(counters.transport('websocket').bytes - before[1] < plain / 4, 'few bytes as frames')

  await fetch(`${server.origin}/v1/admin/disconnect`, {
    method: 'POST', body: '{"user_id":"alice"}', headers: { authorization: `Bearer ${server.token({ admin: true })}`, 'content-type': 'application/json' }
  })
  await until('the browser has come back', () => encodings.length === 2)
  t.equal(encodings[1], 'gzip')
})
