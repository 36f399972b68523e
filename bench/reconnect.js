/**
 * How long the client takes to be live again, by what happened to it: its connection is cut; its peer falls
 * mute while TCP stays open; its WebSocket is refused, or hangs; and a thousand clients are dropped at once,
 * with the times of their attempts.
 *
 * npm run bench -- reconnect [--rounds 20] [--clients 1000]
 *
 * Server and proxy are in one process, with the single clients; the thousand are in one of their own. The
 * delay of the event loop of the first stands beside the figures.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { TickwireClient } from '@tickwire/client'
import { tickwire } from '@tickwire/server'
import Fastify from 'fastify'
import { WebSocket } from 'ws'
import { options, percentile, report } from './report.js'

const { rounds, clients } = options({ rounds: 20, clients: 1000 })
const TRANSPORTS = /** @type {const} */ (['websocket', 'event-stream', 'polling'])
/** Quotes a second; without them nobody would wait for anything. */
const EVERY_MS = 100
const HISTOGRAM_MS = 100
const REFUSAL = 'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'

const app = Fastify()
await app.register(tickwire, {
  settings: {
    UNKNOWN_SYMBOLS: 'accept',
    MAX_CONNECTIONS_PER_IP: 2 * clients,
    RATE_LIMIT_REQUESTS: 1_000_000
  }
})
await app.listen({ port: 0, host: '127.0.0.1' })
const { port } = /** @type {import('node:net').AddressInfo} */ (app.server.address())
setInterval(() => {
  const data = { symbol: 'A', bid: String(Date.now()) }
  app.tickwire.publishAll([{ channel: 'quotes', symbol: 'A', data }]).catch(() => {})
}, EVERY_MS)

/** A proxy: what is open can be cut or muted, and upgrades refused or left hanging. */
const pairs = /** @type {Set<[import('node:net').Socket, import('node:net').Socket]>} */ (new Set())
let upgrades = /** @type {'open' | 'refuse' | 'hang'} */ ('open')
/** @type {number[]} */
let attempts = []
const proxy = createServer(near => {
  near.on('error', () => {})
  near.once('data', first => {
    attempts.push(performance.now())
    if (/^upgrade: websocket/im.test(String(first)) && upgrades !== 'open') {
      if (upgrades === 'refuse') near.end(REFUSAL)
      return
    }
    const far = connect(port, '127.0.0.1')
    const pair = /** @type {[typeof near, typeof far]} */ ([near, far])
    pairs.add(pair)
    far.on('error', () => {})
    far.on('close', () => { pairs.delete(pair); near.destroy() })
    near.on('close', () => { pairs.delete(pair); far.destroy() })
    far.write(first)
    near.pipe(far).pipe(near)
  })
})
proxy.listen(0, '127.0.0.1')
await delay(100)
const origin = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (proxy.address()).port}`
const cut = () => { for (const [near] of pairs) near.resetAndDestroy() }
const mute = () => {
  for (const [near, far] of pairs) {
    near.unpipe(far)
    far.unpipe(near)
    near.resume()
    far.resume()
  }
}

/** By how much the clients' clock is ahead: after ten seconds a connection counts as stable. */
let ahead = 0
const environment = { now: () => Date.now() + ahead }
/** @param {Partial<ConstructorParameters<typeof TickwireClient>[0]>} more */
const open = more => new TickwireClient({ url: origin, WebSocket, environment, ...more })

/**
 * @param {string} what
 * @param {() => boolean} holds
 */
async function until (what, holds) {
  const end = performance.now() + 120_000
  while (!holds()) {
    if (performance.now() > end) throw new Error(`waited in vain until ${what}`)
    await delay(2)
  }
}

/**
 * @param {TickwireClient} client
 * @param {() => void} act
 */
async function untilNews (client, act) {
  const messages = () => client.inspect().messages
  await until('the client is live', () => client.state.name === 'live')
  const { connections } = client.inspect()
  let from = performance.now()
  act()
  // A poll that was between two requests goes on over another connection, and noticed nothing.
  if (act === mute) {
    for (let came = NaN; messages() !== came;) {
      if (came >= 0) {
        from = performance.now()
        act()
      }
      came = messages()
      await delay(5 * EVERY_MS)
    }
  }
  const isBack = () => client.inspect().connections > connections && client.state.name === 'live'
  await until('it has another connection', isBack)
  const before = messages()
  await until('something has come', () => messages() > before)
  return performance.now() - from
}

/** @type {Record<string, number>} */
const results = {}
/**
 * @param {string} what
 * @param {number[]} times
 */
function note (what, times) {
  for (const percent of [50, 99]) {
    results[`${what}: ms, p${percent}`] = Math.round(percentile(times, percent) ?? NaN)
  }
}

const loop = monitorEventLoopDelay({ resolution: 10 })
loop.enable()
for (const transport of TRANSPORTS) {
  const client = open({ transports: [transport] })
  client.subscribe('quotes', ['A']).onMessage(() => {})
  for (const [what, act] of /** @type {const} */ ([['cut', cut], ['mute', mute]])) {
    // A poll that is between two requests does not notice a cut.
    if (transport === 'polling' && act === cut) continue
    const times = []
    for (let round = 0; round < rounds; round++) {
      times.push(await untilNews(client, act))
      ahead += 11_000
      await delay(1200)
    }
    note(`${transport}, ${what}`, times)
  }
  client.close()
}

results['control: delay of the event loop, ms, p99'] = Math.round(loop.percentile(99) / 1e6)
for (const passage of /** @type {const} */ (['refuse', 'hang'])) {
  const first = []
  for (let round = 0; round < Math.min(rounds, 10); round++) {
    upgrades = passage
    const client = open({})
    const from = performance.now()
    client.subscribe('quotes', ['A']).onMessage(() => {})
    await until('something has come', () => client.inspect().messages > 0)
    first.push(performance.now() - from)
    client.close()
  }
  note(`WebSocket: ${passage}, first data`, first)
  const back = open({})
  back.subscribe('quotes', ['A']).onMessage(() => {})
  await until('it is live', () => back.state.name === 'live')
  upgrades = 'open'
  const from = performance.now()
  await until('it is back on WebSocket', () => back.state.transport === 'websocket')
  results[`WebSocket: ${passage}, back on it after ms`] = Math.round(performance.now() - from)
  back.close()
}

const PROCESS = fileURLToPath(new URL('reconnect/clients.js', import.meta.url))
const many = fork(PROCESS, [origin, String(clients)])
await once(many, 'message')
attempts = []
// The delay of this process alone, while it takes them all back.
loop.reset()
const dropped = performance.now()
const droppedAt = Date.now()
cut()
const [back] = await once(many, 'message')
const times = /** @type {number[]} */ (back).map(at => at - droppedAt)
note(`${clients} dropped at once, live again`, times)
results[`${clients} dropped at once, live again within 1 s, percent`] =
  Number((100 * times.filter(time => time <= 1000).length / times.length).toFixed(1))
const bins = attempts.map(at => Math.floor((at - dropped) / HISTOGRAM_MS))
for (let bin = 0; bin < 12; bin++) {
  results[`attempts from ${bin * HISTOGRAM_MS} ms`] = bins.filter(one => one === bin).length
}
results['attempts in all'] = attempts.length
results['control: delay of the event loop behind the drop, ms, p99'] = Math.round(loop.percentile(99) / 1e6)
report('reconnect', { rounds, clients }, results)
process.exit(0)
