/**
 * What compression saves on the wire, and what it costs a server that compresses once for all. Windows with
 * some messages of each topic go to many clients, on each wire plain and compressed. Beside it the same
 * frames go through `ws`, which deflates them for each client.
 *
 * npm run bench -- compression [--clients 1000] [--topics 20] [--each 5] [--windows 20] [--pause 100]
 * [--rounds 3]
 *
 * Every client follows `each` of the topics. Figures are medians of the rounds, per client and window. CPU is
 * that of the server's whole process, with what publishing costs. The clients, which only count what they
 * read, are another process.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocketServer } from 'ws'
import Fastify from 'fastify'
import { tickwire } from '@tickwire/server'
import { options, percentile, reportTable } from './report.js'

const MESSAGES = [1, 5, 20]
const LOAD = 'BENCH_LOAD'

const settings = options({ clients: 1000, topics: 20, each: 5, windows: 20, pause: 100, rounds: 3 })
const { clients, topics, each, windows, pause, rounds } = settings

const symbolsOf = (/** @type {number} */ client) =>
  Array.from({ length: each }, (_, turn) => (client * 7 + turn) % topics)
const symbol = (/** @type {number} */ topic) => `S${String(topic).padStart(3, '0')}`

/** The headers of a client's request. */
const upgrade = (/** @type {string} */ protocol, deflate = false) => (
  'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
  `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ${protocol}\r\n` +
  (deflate ? 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n' : ''))
const WIRES = /** @type {const} */ ({
  json: upgrade('tickwire.v1.json'),
  'json deflated': upgrade('tickwire.v1.json', true),
  batch: upgrade('tickwire.v1.batch'),
  'batch deflated': upgrade('tickwire.v1.batch', true),
  sse: 'Accept: text/event-stream\r\n',
  'sse gzip': 'Accept: text/event-stream\r\nAccept-Encoding: gzip\r\n',
  'ws deflating for each': upgrade('batch', true)
})

if (process.env[LOAD] === undefined) await measure()
else load()

async function measure () {
  const app = Fastify()
  await app.register(tickwire, {
    settings: {
      UNKNOWN_SYMBOLS: 'accept',
      FLUSH_MS: 10,
      MAX_CONNECTIONS: 2 * clients,
      MAX_CONNECTIONS_PER_IP: 2 * clients,
      RATE_LIMIT_REQUESTS: 1_000_000,
      HEARTBEAT_MS: 3_600_000,
      IDLE_TIMEOUT_MS: 3_600_000
    }
  })
  await app.listen({ port: 0, host: '127.0.0.1' })

  // Sends the same frames as `ws` does: each client has its own deflate.
  const other = createServer()
  const sockets = new WebSocketServer({ server: other, perMessageDeflate: true })
  /** @type {Map<import('ws').WebSocket, number[]>} */
  const followers = new Map()
  sockets.on('connection', (socket, request) => {
    followers.set(socket, symbolsOf(Number(request.url?.split('=').at(-1))))
    socket.on('close', () => { followers.delete(socket) })
  })
  other.listen(0, '127.0.0.1')
  await once(other, 'listening')

  const port = (/** @type {import('node:net').Server} */ server) =>
    /** @type {import('node:net').AddressInfo} */ (server.address()).port
  const env = { ...process.env, [LOAD]: '1' }
  const loader = fork(new URL(import.meta.url), process.argv.slice(2), { env })
  /** @param {object} question @returns {Promise<number>} */
  const ask = async question => {
    loader.send(question)
    const [answer] = await once(loader, 'message')
    return answer
  }
  /** Waits until no more bytes arrive for a while. @returns the bytes that have arrived */
  const settled = async () => {
    let bytes = -1
    for (let now = await ask({ bytes: true }); now !== bytes; now = await ask({ bytes: true })) {
      bytes = now
      await delay(300)
    }
    return bytes
  }

  const quotes = Array.from({ length: topics }, (_, topic) => quoteOf(topic))
  /** @param {keyof typeof WIRES} wire @param {number} messages */
  async function run (wire, messages) {
    const own = wire === 'ws deflating for each'
    await ask({ wire, port: port(own ? other : app.server) })
    const before = await settled()
    const cpu = process.cpuUsage()
    for (let window = 0; window < windows; window++) {
      const batch = quotes.flatMap(next => Array.from({ length: messages }, next))
      const results = await app.tickwire.publishAll(batch)
      if (own) {
        const all = batch.map(({ channel, symbol, data }, index) => {
          const timestamp = new Date().toISOString()
          return { type: 'quote', channel, symbol, ...results[index], timestamp, data }
        })
        const frames = quotes.map((_, topic) => {
          return JSON.stringify(all.slice(topic * messages, (topic + 1) * messages))
        })
        for (const [socket, followed] of followers) {
          for (const topic of followed) socket.send(/** @type {string} */ (frames[topic]))
        }
      }
      await delay(pause)
    }
    const bytes = await settled() - before
    const { user, system } = process.cpuUsage(cpu)
    await ask({ close: true })
    return { bytes: bytes / clients / windows, cpu: (user + system) / clients / windows }
  }

  /** @type {Array<Record<string, string | number>>} */
  const rows = []
  await run('batch', 5)
  for (const messages of MESSAGES) {
    /** @type {Record<string, { bytes: number, cpu: number }[]>} */
    const measured = {}
    for (let round = 0; round < rounds; round++) {
      for (const wire of /** @type {Array<keyof typeof WIRES>} */ (Object.keys(WIRES))) {
        (measured[wire] ??= []).push(await run(wire, messages))
      }
    }
    const middle = (/** @type {string} */ wire, /** @type {'bytes' | 'cpu'} */ what) =>
      percentile((measured[wire] ?? []).map(figures => figures[what]), 50)
    for (const wire of Object.keys(measured)) {
      const plain = wire === 'ws deflating for each' ? 'batch' : wire.replace(/ (deflated|gzip)$/, '')
      const [bytes, cpu] = [middle(wire, 'bytes'), middle(wire, 'cpu')]
      rows.push({
        'messages a topic': messages,
        wire,
        bytes: Math.round(bytes),
        'CPU µs': Number(cpu.toFixed(1)),
        'times fewer bytes': Number((middle(plain, 'bytes') / bytes).toFixed(2)),
        'times the CPU': Number((cpu / middle(plain, 'cpu')).toFixed(2))
      })
    }
  }
  loader.kill()
  await app.close()
  reportTable('compression', settings, rows, [
    'bytes and CPU: per client and window; the last two columns: beside the same wire without compression'
  ])
  process.exit(0)
}

/** Makes a market's quotes of a topic, one after another, the same in each run. @param {number} topic */
function quoteOf (topic) {
  let seed = topic + 1
  const random = () => (seed = seed * 48271 % 2147483647) / 2147483647
  let price = 50 + 300 * random()
  let volume = Math.floor(1e6 * random())
  const open = price
  return () => {
    price = Math.max(1, price + (random() - 0.5) * 0.1)
    volume += Math.ceil(300 * random())
    const change = price - open
    return {
      channel: 'quotes',
      symbol: symbol(topic),
      data: {
        symbol: symbol(topic),
        bid: (price - 0.01).toFixed(2),
        ask: (price + 0.01).toFixed(2),
        last: price.toFixed(2),
        bid_size: String(100 * Math.ceil(30 * random())),
        ask_size: String(100 * Math.ceil(30 * random())),
        volume: String(volume),
        change: change.toFixed(2),
        change_percent: (100 * change / open).toFixed(2)
      }
    }
  }
}

/** Runs clients that count what they read, and do nothing else. */
function load () {
  let bytes = 0
  /** @type {import('node:net').Socket[]} */
  let sockets = []
  /** @param {number} port @param {number} client @param {keyof typeof WIRES} wire */
  const open = async (port, client, wire) => {
    const own = wire === 'ws deflating for each'
    const socket = connect(port, '127.0.0.1')
    sockets.push(socket)
    await once(socket, 'connect')
    const subscribed = symbolsOf(client).map(symbol).join(',')
    const path = own ? `/?client=${client}` : `/v1/stream?subscribe=quotes:${subscribed}&snapshot=false`
    socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${WIRES[wire]}\r\n`)
    const [head] = await once(socket, 'data')
    if (!/^HTTP\/1.1 (101|200) /.test(String(head))) throw new Error(String(head))
    socket.on('data', data => { bytes += data.length })
    socket.on('error', () => {})
  }
  /** @typedef {{ wire?: keyof typeof WIRES, port?: number, close?: boolean }} Question */
  process.on('message', async (/** @type {Question} */ { wire, port, close }) => {
    if (wire !== undefined && port !== undefined) {
      for (let at = 0; at < clients; at += 250) {
        const some = Array.from({ length: Math.min(250, clients - at) }, (_, index) => at + index)
        await Promise.all(some.map(client => open(port, client, wire)))
      }
    } else if (close === true) {
      for (const socket of sockets) socket.destroy()
      await Promise.all(sockets.map(socket => once(socket, 'close')))
      sockets = []
      await delay(500)
    }
    process.send?.(bytes)
  })
}
