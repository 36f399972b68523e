import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { JSON_SUBPROTOCOL } from '@tickwire/protocol'
import { publishedOf } from './feeder.js'
import { mixedQuery } from './mixed.js'
import { compiled, LOAD_CORE, residentBytes, SERVER_CORE, start } from './programs.js'
import { requests, ROWS, upgrade } from './rows.js'
import { subscriptions } from './shapes.js'

/** Files that a process opens beside its connections. */
const SPARE_FILES = 200
/** How long messages under way may take to arrive after the last one was published. */
const DRAIN_MS = 10_000

/** This server's WebSocket, with trades alone, and with the messages of mixed.js. */
const trades = /** @type {import('./rows.js').Row} */ (ROWS.find(({ name }) => name === 'tickwire-ws'))
const mixed = {
  ...trades,
  request: (/** @type {readonly string[]} */ topics) =>
    upgrade(`/v1/stream?${mixedQuery(topics)}`, `Sec-WebSocket-Protocol: ${JSON_SUBPROTOCOL}\r\n`)
}

/**
 * The counts of some clients, as readers.c makes them.
 * @typedef {object} Group
 * @property {number} clients
 * @property {number} messages
 * @property {number} lagging_resets
 * @property {number} other_resets
 * @property {number} missed messages that a reset covers
 * @property {number} snapshots
 * @property {number} gaps without a reset
 * @property {number} repeated
 * @property {number} unasked snapshots without a reset before them
 * @property {number} closed
 * @property {number} lagging clients that are lagging, as far as they have read
 * @property {number} lagged clients that were ever told that they lag
 * @property {number} live_at when the last of them became live again, in microseconds
 * @property {number} p50
 * @property {number} p99
 * @property {number} p999
 */

/**
 * What the clients answer: `cpu` in seconds, `at` in microseconds.
 * @typedef {{ going: Group, stopped: Group, bytes: number, reads: number, cpu: number, at: number }} Told
 */

/** This project's server, and clients that check every sequence. */
export class Checked {
  /**
   * @param {import('./shapes.js').Shape} shape
   * @param {object} [options]
   * @param {boolean} [options.isMixed] messages of 450 bytes in two channels
   * @param {number} [options.stopping] clients that can stop reading
   * @param {number} [options.buffer] bytes of their receive buffers
   * @param {number | string} [options.flush] FLUSH_MS
   * @param {number} [options.mostLateMs] how late the feeder may be before it leaves messages out
   * @param {Record<string, number>} [options.more] further settings of the server
   * @param {readonly string[]} [options.nodeArguments]
   */
  static async open (shape, options = {}) {
    const { isMixed = false, stopping = 0, buffer = 0, flush, mostLateMs, more, nodeArguments = [] } = options
    const files = shape.clients + SPARE_FILES
    const { topics, windowMs } = shape
    const program = new URL('server/tickwire.js', import.meta.url).pathname
    const settings = JSON.stringify({ topics, windowMs, mostLateMs, flush, mixed: isMixed, more })
    const command = [process.execPath, '--expose-gc', ...nodeArguments, program, settings]
    const server = await start(command, { core: SERVER_CORE, files })
    const port = server.said.split(' ')[1]
    const file = join(tmpdir(), `tickwire-bench-${process.pid}.requests`)
    writeFileSync(file, requests(isMixed ? mixed : trades, subscriptions(shape)))
    try {
      const numbers = [topics, stopping, buffer].map(String)
      const load = await start([compiled('readers'), port, file, ...numbers], { core: LOAD_CORE, files })
      return new Checked(shape, Number(port), server, load)
    } catch (error) {
      await server.stop()
      throw error
    } finally {
      rmSync(file)
    }
  }

  /**
   * @param {import('./shapes.js').Shape} shape
   * @param {number} port
   * @param {import('./programs.js').Program} server
   * @param {import('./programs.js').Program} load
   */
  constructor (shape, port, server, load) {
    this.shape = shape
    this.port = port
    this.server = server
    this.load = load
  }

  /**
   * Publishes at a rate from now on.
   * @param {number} rate messages a second
   * @returns the number of messages published so far
   */
  async publish (rate) {
    return Number(await this.server.ask(`rate ${rate}`))
  }

  async published () {
    return Number(await this.server.ask('published'))
  }

  /**
   * Gives the clients a command, and returns their counts.
   * @param {'tell' | 'forget' | 'stop' | 'read'} command every command but `tell` begins new latencies
   * @returns {Promise<Told>}
   */
  async ask (command = 'tell') {
    return JSON.parse(await this.load.ask(command))
  }

  /** Bytes of the server in RAM. */
  get resident () {
    return residentBytes(this.server.pid)
  }

  /** Returns what V8 says of the server's memory. @returns {Promise<NodeJS.MemoryUsage>} */
  async memory () {
    return JSON.parse(await this.server.ask('memory'))
  }

  /** Collects garbage. Returns the server's bytes after that: those in RAM, and those of heap and buffers. */
  async collected () {
    await this.server.ask('gc')
    await this.server.ask('gc')
    const { heapUsed, external } = await this.memory()
    return { resident: this.resident, held: heapUsed + external }
  }

  /**
   * Returns the bytes that the operating system has between the server and its clients: sent and not read.
   */
  systemHolds () {
    const port = `:${this.port.toString(16).toUpperCase().padStart(4, '0')}`
    let bytes = 0
    for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)) {
      const [, local, remote, , queues] = line.trim().split(/\s+/)
      if (queues === undefined || (!local.endsWith(port) && !remote.endsWith(port))) continue
      const [toSend, toRead] = queues.split(':').map(hex => parseInt(hex, 16))
      bytes += toSend + toRead
    }
    return bytes
  }

  /**
   * Publishes no more, and waits for messages under way.
   * @returns what the clients then have, and what is unfinished
   */
  async end () {
    const published = await this.publish(0)
    const expected = publishedOf(this.shape.topics, published)
    const isWrong = (/** @type {[number, number]} */ [least, most], /** @type {number} */ topic) =>
      least !== expected[topic] || most !== expected[topic]
    const isBehind = (/** @type {Array<[number, number]>} */ has) => has.filter(isWrong)
    const deadline = Date.now() + DRAIN_MS
    let wrong = isBehind(JSON.parse(await this.load.ask('topics')))
    while (wrong.length > 0 && Date.now() < deadline) {
      await delay(50)
      wrong = isBehind(JSON.parse(await this.load.ask('topics')))
    }
    return { published, unfinished: wrong.length, told: await this.ask() }
  }

  /** Stops the clients first, because they report connections that the server cuts. */
  async close () {
    await this.load.stop()
    await this.server.stop()
  }
}

/**
 * Says what is wrong; returns nothing if all is well.
 * @param {Awaited<ReturnType<Checked['end']>>} end
 * @returns {string[]}
 */
export function faults ({ unfinished, told: { going, stopped } }) {
  /** @param {'gaps' | 'repeated' | 'unasked' | 'other_resets' | 'closed'} what */
  const all = what => going[what] + stopped[what]
  return [
    unfinished > 0 ? `a client lacks the last message of ${unfinished} topics` : '',
    going.missed + going.lagging_resets > 0 ? `${going.missed} messages missed by clients that read` : '',
    ...[
      /** @type {const} */ (['gaps', 'gaps without a reset']),
      /** @type {const} */ (['repeated', 'messages twice']),
      /** @type {const} */ (['unasked', 'snapshots without a reset']),
      /** @type {const} */ (['other_resets', 'resets for another reason']),
      /** @type {const} */ (['closed', 'clients dropped'])
    ].map(([what, words]) => all(what) > 0 ? `${all(what)} ${words}` : '')
  ].filter(fault => fault !== '')
}
