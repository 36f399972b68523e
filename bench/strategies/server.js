/**
 * The server of `bench -- strategies`. It publishes trades with the time at which it did so in their size,
 * and a quote of the symbol that strategies watch every 100 ms. It prints its port and a user's token as
 * JSON.
 *
 * node server.js <trades a second> <symbols> <looping.js>
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify from 'fastify'
import { tickwire } from '@tickwire/server'

const [rate, symbols, strategy = ''] = process.argv.slice(2)
const STEP_MS = 2
const QUOTE_MS = 100
const folder = mkdtempSync(join(tmpdir(), 'tickwire-bench-'))
process.once('exit', () => { rmSync(folder, { recursive: true, force: true }) })
const app = Fastify()
await app.register(tickwire, {
  strategies: [strategy],
  settings: {
    UNKNOWN_SYMBOLS: 'accept',
    DATA_DIR: folder,
    JWT_SECRET: 'a secret of this bench, which nobody else uses',
    MAX_STRATEGIES: 100
  }
})
await app.listen({ port: 0 })

let published = 0
const began = performance.now()
const failed = (/** @type {unknown} */ error) => { console.error(error) }
setInterval(() => {
  const due = Math.floor((performance.now() - began) / 1000 * Number(rate)) - published
  const size = (performance.timeOrigin + performance.now()).toFixed(3)
  const trades = Array.from({ length: due }, () => {
    const symbol = `S${published++ % Number(symbols)}`
    const timestamp = new Date().toISOString()
    return { channel: 'trades', symbol, data: { symbol, price: '1', size, timestamp } }
  })
  app.tickwire.publishAll(trades).catch(failed)
}, STEP_MS)
setInterval(() => {
  const data = { symbol: 'W', last: '1' }
  app.tickwire.publishAll([{ channel: 'quotes', symbol: 'W', data }]).catch(failed)
}, QUOTE_MS)

const { port } = /** @type {import('node:net').AddressInfo} */ (app.server.address())
console.log(JSON.stringify({ port, token: app.tickwire.signToken({ sub: 'u', trade: true }) }))
process.stdin.resume().on('end', async () => {
  await app.close()
  process.exit(0)
})
