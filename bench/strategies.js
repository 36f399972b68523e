/**
 * What strategies that loop for ever do to others: how long trades take to their subscribers before, while
 * one strategy after another loops until the server ends it, and after.
 *
 * npm run bench -- strategies [--rate 500] [--clients 100] [--symbols 50] [--seconds 10] [--pause 1500]
 *
 * `pause`: the milliseconds between two strategies that are started.
 */
import { fileURLToPath } from 'node:url'
import { setTimeout as delay } from 'node:timers/promises'
import WebSocket from 'ws'
import { start } from './fan-out/programs.js'
import { options, percentile, report } from './report.js'

const settings = options({ rate: 500, clients: 100, symbols: 50, seconds: 10, pause: 1500 })
const { rate, clients, symbols, seconds, pause } = settings
const WARM_MS = 5000
/** How long a strategy that loops may take to be ended: STRATEGY_CALL_MS and a worker's end. */
const ENDED_MS = 5000

const program = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url))
const command = [process.execPath, program('strategies/server.js'), String(rate), String(symbols)]
const server = await start([...command, program('strategies/looping.js')], { files: 1000 })
/** @type {{ port: number, token: string }} */
const { port, token } = JSON.parse(server.said)

/** @type {number[]} */
let delays = []
const sockets = await Promise.all(Array.from({ length: clients }, async (_, client) => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/stream?subscribe=trades:S${client % symbols}`)
  socket.on('message', text => {
    const now = performance.timeOrigin + performance.now()
    const { type, data } = JSON.parse(String(text))
    if (type === 'trade') delays.push(now - Number(data.size))
  })
  await new Promise((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', reject)
  })
  return socket
}))

/** @param {string} path @param {object} [body] */
async function ask (path, body) {
  const response = await fetch(`http://127.0.0.1:${port}/v1/strategies${path}`, {
    ...body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) },
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  })
  const answer = await response.json()
  if (!response.ok) throw new Error(JSON.stringify(answer))
  return answer
}

/** @param {() => Promise<void>} work @returns p50, p99 and p99.9 of the delays meanwhile */
async function measured (work) {
  delays = []
  await work()
  const seen = delays
  return [50, 99, 99.9].map(percent => (percentile(seen, percent) ?? 0).toFixed(2)).join(', ')
}
const quiet = () => delay(seconds * 1000)
const loop = () => ask('', { name: 'looping', symbol: 'W', mode: 'signal' })

// The first strategy of a server has it open the store.
await loop()
await delay(WARM_MS)
const before = await measured(quiet)
let started = 0
const during = await measured(async () => {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; started++) {
    await loop()
    await delay(pause)
  }
})
await delay(ENDED_MS)
/** @typedef {{ status: string, reason?: string }} Strategy */
const { strategies } = /** @type {{ strategies: Strategy[] }} */ (await ask(''))
const failures = strategies.filter(({ status }) => status === 'failed')
const after = await measured(quiet)
for (const socket of sockets) socket.terminate()
await server.stop()

report('strategies', settings, {
  'trades after ms (p50, p99, p99.9), before': before,
  'while strategies loop': during,
  after,
  'strategies that looped': started + 1,
  'of these ended by the server': failures.length,
  'its words': failures[0]?.reason ?? ''
})
