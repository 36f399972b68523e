/**
 * The server of a soak, in a process of its own: the plugin as any application registers it, fed from inside,
 * with a parent that may ask for its counts. It is plain JavaScript that imports the built code, because a
 * compiler in the process would take most of its memory.
 *
 *   node --expose-internals soak-server.js <settings as JSON>
 */
import { Type } from '@sinclair/typebox'
import Fastify from 'fastify'
import { defineChannel, tickwire } from '@tickwire/server'
import { census } from './census.js'
import { Feed } from './feed.js'

// Node opens them when they are used first: that is not to look like something left behind.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

const { feed: feedOptions, settings } = JSON.parse(process.argv[2] ?? '{}')

const bulk = defineChannel({
  name: 'bulk', type: 'bulk', description: 'Large messages.', keyed: true, access: 'public', schema: Type.Object({ number: Type.Integer(), text: Type.String() })
})

const app = Fastify({ logger: { level: 'error', stream: process.stderr } })
/** @type {any[]} */
const scopes = []
app.addHook('onRegister', scope => { scopes.push(scope) })
await app.register(tickwire, { channels: [bulk], routes: ['stream', 'publish', 'topics', 'metrics'], settings })
await app.listen({ port: 0, host: '127.0.0.1' })
const { websocketServer: webSocketServer } = scopes.find(scope => scope.hasDecorator('websocketServer'))
const feed = new Feed(app.tickwire, feedOptions)
await feed.begin()

/** What is shown on the way: it must cost nothing. */
function gauges () {
  const transports = [...app.tickwire.parts.counters.all()].map(([, counters]) => counters)
  const sum = (/** @type {(counters: typeof transports[number]) => number} */ value) => (
    transports.reduce((total, counters) => total + value(counters), 0)
  )
  return {
    heap: process.memoryUsage().heapUsed,
    connections: sum(({ opened, closed }) => opened - closed),
    sent: sum(({ messages }) => messages),
    lagging: sum(({ lagging }) => lagging),
    lags: sum(({ lags }) => lags),
    resets: { ...app.tickwire.parts.counters.resets },
    published: feed.published,
    refused: feed.refused
  }
}

process.on('message', async (/** @type {{ id: number, ask: string }} */ { id, ask }) => {
  if (ask === 'start') feed.start()
  if (ask === 'stop') feed.stop()
  process.send?.({ id, answer: ask === 'census' ? await census(app, webSocketServer) : gauges() })
})
process.on('disconnect', () => { process.exit(0) })
const { port } = /** @type {import('node:net').AddressInfo} */ (app.server.address())
process.send?.({ id: 0, answer: { port } })
