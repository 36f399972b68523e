/**
 * The server of `bench -- orders`, with books that are displayed anew all the time. It prints its port and
 * the tokens of users as JSON, and answers each line with the CPU seconds that it has used.
 *
 * node server.js <symbols> <books a second> [<url of a Redis>]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import Fastify from 'fastify'
import { tickwire } from '@tickwire/server'

const [symbols, rate, redis] = process.argv.slice(2)
const STEP_MS = 10
const folder = mkdtempSync(join(tmpdir(), 'tickwire-bench-'))
process.once('exit', () => { rmSync(folder, { recursive: true, force: true }) })
const app = Fastify()
await app.register(tickwire, {
  settings: {
    UNKNOWN_SYMBOLS: 'accept',
    DATA_DIR: folder,
    JWT_SECRET: 'a secret of this bench, which nobody else uses',
    PAPER_BALANCES: 'USD:1000000000000',
    RATE_LIMIT_ORDERS: 1_000_000,
    RATE_LIMIT_MESSAGES: 1_000_000,
    ...redis === undefined ? {} : { REDIS_URL: redis }
  }
})
await app.listen({ port: 0 })

let turn = 0
const began = performance.now()
function display () {
  const due = Math.floor((performance.now() - began) / 1000 * Number(rate)) - turn
  const books = Array.from({ length: due }, () => {
    const symbol = `S${turn % Number(symbols)}`
    const size = String(1_000_000 + turn++)
    const data = { symbol, bids: [['99.99', size]], asks: [['100.01', size]] }
    return { channel: 'book', symbol, data, snapshot: true }
  })
  app.tickwire.publishAll(books).catch(error => { console.error(error) })
}
setInterval(display, STEP_MS)

const { port } = /** @type {import('node:net').AddressInfo} */ (app.server.address())
const token = (/** @type {string} */ user) => app.tickwire.signToken({ sub: user, trade: true })
console.log(JSON.stringify({ port, tokens: Array.from({ length: 100 }, (_, user) => token(`u${user}`)) }))
const input = createInterface(process.stdin)
input.on('line', () => {
  const { user, system } = process.cpuUsage()
  console.log(JSON.stringify({ cpu: (user + system) / 1e6 }))
})
input.on('close', async () => {
  await app.close()
  process.exit(0)
})
