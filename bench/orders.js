/**
 * How long an order takes: from the client's `submit_order` to the answer `order_accepted`, and to the
 * message of `orders` that says it is filled. Users trade over WebSocket, each on a connection of its own, at
 * a steady rate in all; every order is a market order that the displayed book fills at once.
 *
 * npm run bench -- orders [--rate 1000] [--users 50] [--symbols 50] [--books 500] [--seconds 20] [--redis 0]
 *
 * `redis` 1 takes a log on a Redis of its own instead of one in memory.
 */
import { fileURLToPath } from 'node:url'
import { setTimeout as delay } from 'node:timers/promises'
import WebSocket from 'ws'
import { SERVER_CORE, start } from './fan-out/programs.js'
import { startRedis } from './redis.js'
import { options, percentile, report } from './report.js'

const settings = options({ rate: 1000, users: 50, symbols: 50, books: 500, seconds: 20, redis: 0 })
const { rate, users, symbols, books, seconds } = settings
const WARM_SECONDS = 5
const CONTROL_SECONDS = 4
const STEP_MS = 5
/** How long orders may still take when the last one has been sent. */
const REST_MS = 3000

const program = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url))
const round = (/** @type {number} */ value) => Number(value.toFixed(2))

/** Measures what the machine does to a process that has nothing to do. */
async function control () {
  const command = [process.execPath, program('fan-out/server/idle.js'), String(CONTROL_SECONDS)]
  const idle = await start(command, { core: SERVER_CORE, files: 100 })
  const { loop, echo } = JSON.parse(idle.said)
  await idle.stop()
  return `event loop ${loop.join(', ')}; round trip ${echo.join(', ')}`
}

/** When each order was sent, answered and filled, by its client order id. */
/** @type {Map<string, { sent: number, accepted?: number, filled?: number }>} */
const times = new Map()
let refused = 0

/** @param {{ port: number, tokens: readonly string[] }} server @param {number} user */
async function connect ({ port, tokens }, user) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/stream`, {
    headers: { authorization: `Bearer ${tokens[user]}` }
  })
  /** @type {() => void} */
  let ready = () => {}
  const subscribed = new Promise(resolve => { ready = () => { resolve(undefined) } })
  socket.on('message', text => {
    const message = JSON.parse(String(text))
    const order = times.get(message.client_order_id ?? message.data?.client_order_id)
    if (message.type === 'order_accepted' && order !== undefined) order.accepted = performance.now()
    else if (message.type === 'order' && message.data.status === 'filled' && order !== undefined) {
      order.filled = performance.now()
    } else if (message.type === 'subscribed') ready()
    else if (message.type === 'error') {
      refused++
      if (refused === 1) console.error(message)
    }
  })
  await new Promise((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', reject)
  })
  socket.send(JSON.stringify({ action: 'subscribe', channel: 'orders' }))
  await subscribed
  return socket
}

const before = await control()
const redis = settings.redis === 1 ? await startRedis() : undefined
const command = [process.execPath, program('orders/server.js'), String(symbols), String(books)]
// On any core: the store's threads share the machine with the server.
const server = await start([...command, ...redis === undefined ? [] : [redis.url]], { files: 1000 })
const sockets = await Promise.all(Array.from({ length: users }, (_, user) =>
  connect(JSON.parse(server.said), user)))
await delay(1000)

let sent = 0
/** @param {number} forSeconds */
async function trade (forSeconds) {
  const began = performance.now()
  const first = sent
  while (performance.now() - began < forSeconds * 1000) {
    const due = Math.floor((performance.now() - began) / 1000 * rate) - (sent - first)
    for (let count = 0; count < due; count++) {
      const number = sent++
      const id = `o${number}`
      times.set(id, { sent: performance.now() })
      sockets[number % users]?.send(JSON.stringify({
        action: 'submit_order',
        client_order_id: id,
        symbol: `S${number % symbols}`,
        // Each user buys first, and sells what it has bought.
        side: Math.floor(number / users) % 2 === 0 ? 'buy' : 'sell',
        order_type: 'market',
        quantity: '1'
      }))
    }
    await delay(STEP_MS)
  }
}

await trade(WARM_SECONDS)
await delay(REST_MS)
times.clear()
const start0 = JSON.parse(await server.ask('')).cpu
await trade(seconds)
const end0 = JSON.parse(await server.ask('')).cpu
await delay(REST_MS)
const all = [...times.values()]
const accepted = all.flatMap(({ sent: at, accepted: told }) => told === undefined ? [] : told - at)
const filled = all.flatMap(({ sent: at, filled: done }) => done === undefined ? [] : done - at)
for (const socket of sockets) socket.terminate()
await server.stop()
redis?.close()

const spread = (/** @type {readonly number[]} */ values) =>
  [50, 99, 99.9].map(percent => round(percentile(values, percent) ?? 0)).join(', ')
report('orders', settings, {
  'orders sent': all.length,
  accepted: accepted.length,
  filled: filled.length,
  refused,
  'accepted after ms (p50, p99, p99.9)': spread(accepted),
  'filled after ms (p50, p99, p99.9)': spread(filled),
  'server CPU µs an order, books too': Math.round((end0 - start0) * 1e6 / all.length),
  'idle control before ms (p50, p99, p99.9)': before,
  'idle control after': await control()
})
