/**
 * A server whose only source numbers its messages, waits for no answer, and ignores its signal for a while,
 * so that others must refuse what comes too late.
 */
import { setTimeout as delay } from 'node:timers/promises'
import Fastify from 'fastify'
import { tickwire } from '@tickwire/server'

const EVERY_MS = 2
const DEAF_MS = 200

const { PORT = '', REDIS_URL = '', NODE_NAME = '', JWT_SECRET = '' } = process.env
let said = 0

/** @type {import('@tickwire/server').Source} */
const source = {
  name: 'deaf',
  manual: false,
  instruments: async () => [{ symbol: 'A' }],
  async run ({ publish, signal }) {
    const timer = setInterval(() => {
      const data = {
        symbol: 'A', price: String(++said), size: '1', exchange: NODE_NAME, timestamp: '2026-01-01T00:00:00Z'
      }
      publish([{ channel: 'trades', symbol: 'A', data }]).catch(() => {})
    }, EVERY_MS)
    await new Promise(resolve => { signal.addEventListener('abort', resolve) })
    await delay(DEAF_MS)
    clearInterval(timer)
  }
}

const app = Fastify({ logger: true })
await app.register(tickwire, {
  routes: ['stream', 'health', 'metrics', 'admin'],
  sources: [source],
  settings: { REDIS_URL, NODE_NAME, JWT_SECRET, LOG_SHARDS: 4, UNKNOWN_SYMBOLS: 'accept' }
})
await app.listen({ port: Number(PORT), host: '127.0.0.1' })
