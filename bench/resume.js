/**
 * Many clients lose their connections at once and resume at once: on the same node, and on a node that has
 * just started. The bench measures how long until all are caught up, and what that costs Redis. A market goes
 * on meanwhile.
 *
 * npm run bench -- resume [--clients 5000] [--topics 1000] [--each 5] [--rate 1000] [--away 1000]
 *
 * Each client subscribes to `each` of the topics. `rate` messages a second are published. Clients are away
 * for `away` milliseconds. They are a process of their own.
 */
import { fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import Fastify from 'fastify'
import { tickwire } from '@tickwire/server'
import { WebSocket } from 'ws'
import { options, percentile, report } from './report.js'
import { cpuSeconds, startRedis } from './redis.js'

const COUNTED = ['reads of recent', 'script head', 'script read', 'script state', 'script append']
const settings = options({ clients: 5000, topics: 1000, each: 5, rate: 1000, away: 1000 })
if (process.send === undefined) await main(settings)
else load(settings)

/** @param {typeof settings} settings */
async function main ({ clients, topics, each, rate, away }) {
  const redis = await startRedis()
  const start = async () => {
    const app = Fastify()
    await app.register(tickwire, {
      settings: {
        UNKNOWN_SYMBOLS: 'accept',
        REDIS_URL: redis.url,
        MAX_CONNECTIONS: 2 * clients,
        MAX_CONNECTIONS_PER_IP: 2 * clients,
        RATE_LIMIT_REQUESTS: 1_000_000
      }
    })
    await app.listen({ port: 0, host: '127.0.0.1' })
    return { app, port: /** @type {import('node:net').AddressInfo} */ (app.server.address()).port }
  }
  const first = await start()
  const names = Array.from({ length: topics }, (_, index) => `S${index}`)
  let sent = 0
  const trade = () => {
    const symbol = names[sent++ % topics] ?? ''
    const timestamp = new Date().toISOString()
    return { channel: 'trades', symbol, data: { symbol, price: '1.00', size: String(sent), timestamp } }
  }
  const publish = (/** @type {number} */ size) =>
    first.app.tickwire.publishAll(Array.from({ length: size }, trade))
  await publish(topics)
  let refused = 0
  const market = setInterval(() => { publish(rate / 50).catch(() => { refused++ }) }, 20)

  const given = Object.entries({ clients, topics, each, rate, away })
  const loader = fork(process.argv[1] ?? '', given.flatMap(([name, value]) => [`--${name}`, String(value)]))
  const ask = async (/** @type {object} */ question) => {
    loader.send(question)
    const [answer] = await once(loader, 'message')
    return answer
  }
  /** @type {Map<string, number>} */
  const asked = new Map()
  const folder = new URL('../src/log/redis/scripts/', import.meta.url)
  const lua = (/** @type {string} */ name) => readFileSync(new URL(`${name}.lua`, folder), 'utf8')
  const scripts = new Map(['append', 'head', 'read', 'state', 'trim'].map(name => {
    return [createHash('sha1').update(lua('epoch') + lua(name)).digest('hex'), name]
  }))
  const monitor = connect(redis.url)
  monitor.write('MONITOR\r\n')
  createInterface(monitor).on('line', line => {
    // Commands of a script have the source `lua`; only the script itself is counted.
    const [, source, command = '', argument = ''] =
      /^\+[\d.]+ \[\d+ ([^\]]*)\] "([^"]*)"(?: "([^"]*)")?/.exec(line) ?? []
    if (source === undefined || source === 'lua') return
    const name = nameOf(command, argument, scripts)
    asked.set(name, (asked.get(name) ?? 0) + 1)
  })

  await ask({ port: first.port })
  /** @type {Record<string, number>} */
  const results = {}
  const second = await start()
  const places = /** @type {const} */ ([
    ['on the same node', first.port, first.app],
    ['on a node just started', second.port, second.app]
  ])
  for (const [where, port, app] of places) {
    await delay(2000)
    asked.clear()
    const [own, its] = [process.cpuUsage(), cpuSeconds(redis.pid)]
    const { waits, gaps, resets, took } = await ask({ port, resume: true })
    const used = process.cpuUsage(own)
    const round = (/** @type {number} */ value) => Math.round(value)
    Object.assign(results, {
      [`${where}: all caught up after ms`]: round(took),
      [`${where}: a client after ms, p50`]: round(percentile(waits, 50)),
      [`${where}: a client after ms, p99`]: round(percentile(waits, 99)),
      [`${where}: gaps`]: gaps,
      [`${where}: resets`]: resets,
      ...Object.fromEntries(COUNTED.map(name => [`${where}: Redis, ${name}`, asked.get(name) ?? 0])),
      [`${where}: CPU seconds of the nodes`]: Number(((used.user + used.system) / 1e6).toFixed(2)),
      [`${where}: CPU seconds of Redis`]: Number((cpuSeconds(redis.pid) - its).toFixed(2)),
      [`${where}: connections`]: app.tickwire.parts.connections.active
    })
  }
  clearInterval(market)
  results['publishes refused meanwhile'] = refused
  loader.kill()
  monitor.destroy()
  await first.app.close()
  await second.app.close()
  redis.close()
  report('resume', { clients, topics, each, rate, away }, results)
  process.exit(0)
}

/**
 * Names a command of a monitor's line.
 * @param {string} command
 * @param {string} argument
 * @param {Map<string, string>} scripts
 */
function nameOf (command, argument, scripts) {
  if (/^evalsha$/i.test(command)) return `script ${scripts.get(argument) ?? argument}`
  return /range$/i.test(command) && argument.endsWith(':recent') ? 'reads of recent' : command.toLowerCase()
}

/** Runs the clients. @param {typeof settings} settings */
function load ({ clients, topics, each, away }) {
  const all = Array.from({ length: clients }, (_, index) => ({
    query: Array.from({ length: each }, (_, turn) => `S${(index * 7 + turn * 131) % topics}`).join(','),
    cursor: '',
    last: /** @type {Map<string, number>} */ (new Map()),
    /** @type {WebSocket | undefined} */
    socket: undefined
  }))
  let gaps = 0
  let resets = 0
  /** @param {typeof all[number]} client @param {number} port @param {() => void} onReady */
  const open = (client, port, onReady) => {
    const after = client.cursor === '' ? '' : `&after=${client.cursor}`
    const url = `ws://127.0.0.1:${port}/v1/stream?subscribe=trades:${client.query}${after}`
    const socket = client.socket = new WebSocket(url, 'tickwire.v1.batch', { perMessageDeflate: false })
    let ready = false
    socket.on('error', error => { console.error(error.message) })
    socket.on('message', data => {
      for (const { type, cursor, symbol, sequence } of JSON.parse(String(data))) {
        if (type === 'cursor') {
          client.cursor = cursor
          // A client gets its first cursor when it is caught up.
          if (!ready) onReady()
          ready = true
        } else if (type === 'reset') {
          resets++
          client.last.delete(symbol)
        } else if (sequence !== undefined) {
          const last = client.last.get(symbol)
          if (last !== undefined && sequence > last + 1) gaps++
          if (last === undefined || sequence > last) client.last.set(symbol, sequence)
        }
      }
    })
  }
  process.on('message', async (/** @type {{ port: number, resume?: boolean }} */ { port, resume }) => {
    gaps = resets = 0
    if (resume === true) {
      for (const { socket } of all) socket?.terminate()
      await delay(away)
    }
    const began = performance.now()
    /** @type {number[]} */
    const waits = []
    for (let at = 0; at < all.length; at += resume === true ? all.length : 250) {
      const some = all.slice(at, resume === true ? undefined : at + 250)
      await Promise.all(some.map(client => new Promise(resolve => {
        open(client, port, () => { waits.push(performance.now() - began); resolve(undefined) })
      })))
    }
    const took = performance.now() - began
    await delay(1000)
    process.send?.({ waits, took, gaps, resets })
  })
}
