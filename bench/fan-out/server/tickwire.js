import { randomBytes } from 'node:crypto'
import Fastify from 'fastify'
import { tickwire } from '@tickwire/server'
import { mixed } from '../mixed.js'
import { serve, settings, trace } from './serve.js'

/** Longer than any run: no heartbeat disturbs it, and the load generator need not answer pings. */
const QUIET_MS = 600_000
const EVERYBODY = 100_000

const { flush, more, metrics, warmMs } = settings
/** @param {import('../feeder.js').Trade} data @returns {{ channel: string, symbol: string, data: object }} */
const trade = data => ({ channel: 'trades', symbol: data.symbol, data })
const publication = settings.mixed === true ? mixed : trade
if (warmMs !== undefined && warmMs > 0) {
  // Not a part of the package: the server does it when it is started as a program.
  const [{ loadConfig }, { warmUp }] = await Promise.all(
    ['config.js', 'warm-up/warm-up.js'].map(file => import(`../../../dist/src/${file}`)))
  await warmUp(loadConfig({}), warmMs)
}
if (trace !== undefined) {
  const { window } = trace
  const { FanOut } = await import('../../../dist/src/hub/fan-out.js')
  const { countDelay } = FanOut.prototype
  FanOut.prototype.countDelay = function (entries) {
    /** @type {any} */ (this).hub.counters.onWindow = window
    countDelay.call(this, entries)
  }
}
const app = Fastify()
await app.register(tickwire, {
  ...(metrics === true ? { routes: ['stream', 'metrics'] } : {}),
  settings: {
    UNKNOWN_SYMBOLS: 'accept',
    MAX_CONNECTIONS: EVERYBODY,
    MAX_CONNECTIONS_PER_IP: EVERYBODY,
    RATE_LIMIT_REQUESTS: EVERYBODY,
    RATE_LIMIT_MESSAGES: EVERYBODY,
    JWT_SECRET: randomBytes(32).toString('hex'),
    HEARTBEAT_MS: QUIET_MS,
    IDLE_TIMEOUT_MS: QUIET_MS,
    ...(flush === undefined ? {} : { FLUSH_MS: /** @type {number} */ (flush) }),
    ...more
  }
})
await app.listen({ port: 0, host: '127.0.0.1' })
const { port } = /** @type {import('node:net').AddressInfo} */ (app.server.address())
const token = app.tickwire.signToken({ sub: 'publisher', publish: ['*'] })
serve(port, batch => app.tickwire.publishAll(batch.map(publication)), token)
