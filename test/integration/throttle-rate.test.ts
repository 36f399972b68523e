import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import { WebSocket } from 'ws'
import { until } from '../helpers/clients.js'
import { startServer, type TestServer } from '../helpers/server.js'

/**
 * What throttling promises, on a market of 100 updates a second for each symbol: counts and ratios within one
 * run.
 */
const THROTTLE_MS = 250
const SYMBOLS = Array.from({ length: 20 }, (_, index) => `S${index}`)
const TURNS = 300

interface Reading { bytes: number, readonly sequences: Map<string, number[]>, readonly opened: boolean }

function open (server: TestServer, query: string): Reading {
  const client = { bytes: 0, sequences: new Map<string, number[]>(), opened: false }
  const socket = new WebSocket(`${server.origin.replace('http', 'ws')}/v1/stream?${query}`, {
    perMessageDeflate: false
  })
  socket.on('message', data => {
    client.bytes += (data as Buffer).length
    const { type, symbol, sequence } = JSON.parse(String(data)) as {
      type: string
      symbol: string
      sequence?: number
    }
    if (type === 'cursor') client.opened = true
    if (sequence === undefined) return
    const sequences = client.sequences.get(symbol)
    if (sequences === undefined) client.sequences.set(symbol, [sequence])
    else sequences.push(sequence)
  })
  return client
}

test('sends a throttled client few messages, each last value, and a tenth of the bytes', async t => {
  const server = await startServer(t)
  const whole = open(server, 'subscribe=quotes:*')
  const throttled = open(server, `subscribe=quotes:*;throttle_ms=${THROTTLE_MS}`)
  await until('both are open', () => whole.opened && throttled.opened)
  const began = Date.now()
  for (let turn = 1; turn <= TURNS; turn++) {
    const data = { bid: String(turn), ask: String(turn + 1), last: String(turn) }
    await server.app.tickwire.publishAll(
      SYMBOLS.map(symbol => ({ channel: 'quotes', symbol, data: { symbol, ...data } }))
    )
    const due = began + turn * 10
    if (due > Date.now()) await delay(due - Date.now())
  }
  await until('all have their last value', () =>
    SYMBOLS.every(symbol => throttled.sequences.get(symbol)?.at(-1) === TURNS))
  const lasted = Date.now() - began
  const most = Math.max(...[...throttled.sequences.values()].map(({ length }) => length))
  // One at once, then one an interval.
  t.ok(most <= 1 + Math.floor(lasted / THROTTLE_MS), `${most} messages of a symbol in ${lasted} ms`)
  await until('the other client has everything', () =>
    SYMBOLS.every(symbol => whole.sequences.get(symbol)?.at(-1) === TURNS))
  t.ok(throttled.bytes <= whole.bytes / 10, `${throttled.bytes} of ${whole.bytes} bytes`)
})
