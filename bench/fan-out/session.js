import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { cpuSeconds } from '../redis.js'
import { compiled, coreSeconds, LOAD_CORE, residentBytes, SERVER_CORE, start } from './programs.js'
import { requests } from './rows.js'
import { readers, subscriptions } from './shapes.js'

/** Files that a process opens beside its connections. */
const SPARE_FILES = 200
/** How long messages under way may take to arrive after the last one was published. */
const DRAIN_MS = 3000

/**
 * The counts of the load generator: times in ms, `cpu` in seconds, `at` in microseconds.
 * @typedef {object} Counted
 * @property {number} messages
 * @property {number} bytes
 * @property {number} reads
 * @property {number} closed
 * @property {number} least messages of the connection that got the fewest
 * @property {number} p50
 * @property {number} p99
 * @property {number} p999
 * @property {number} cpu
 * @property {number} at
 * @property {number} ready_p50 ms from the beginning until a connection was ready
 * @property {number} ready_p99
 */

/**
 * The counts of a span of time.
 * @typedef {object} Span
 * @property {number} seconds
 * @property {number} delivered messages
 * @property {number} published messages
 * @property {number} bytes
 * @property {number} reads
 * @property {number} cpu seconds of the server
 * @property {number} othersCpu seconds of other programs on the server's core
 * @property {number} loadCpu seconds of the load generator
 * @property {Counted} counted
 */

/**
 * How the server gets what it publishes: it makes it itself, or a process on the clients' core sends it.
 * @typedef {'self' | 'http' | 'ws' | 'centrifugo'} Way
 * @typedef {{ publisher?: import('./programs.js').Program }} Publishing
 */

/**
 * @param {Way} way
 * @param {import('./shapes.js').Shape} shape
 * @param {string} port
 * @param {string} token
 * @returns {Promise<Publishing>}
 */
async function publisherOf (way, { topics, windowMs }, port, token) {
  if (way === 'self') return {}
  const program = new URL('publisher.js', import.meta.url).pathname
  const command = [process.execPath, program, String(topics), String(windowMs), port, way, token]
  return { publisher: await start(command, { core: LOAD_CORE, files: SPARE_FILES }) }
}

/** A server with all its clients connected and subscribed. */
export class Session {
  /**
   * @param {import('./rows.js').Row} row
   * @param {import('./shapes.js').Shape} shape
   * @param {object} [options]
   * @param {number | string} [options.flush] FLUSH_MS of this project's server
   * @param {boolean} [options.remote] whether another process is the feeder
   * @param {Way} [options.publish] how this project's server gets what it publishes
   * @param {number} [options.warmMs] WARM_UP_MS of this project's server; default: none
   * @param {readonly string[]} [options.nodeArguments]
   */
  static async open (row, shape, { flush, remote, publish = 'self', warmMs, nodeArguments = [] } = {}) {
    const files = shape.clients + SPARE_FILES
    const { topics, windowMs } = shape
    const program = new URL(`server/${row.program}.js`, import.meta.url).pathname
    const settings = JSON.stringify({ topics, windowMs, remote, flush, warmMs })
    const command = row.program === 'writer'
      ? [compiled('writer'), String(topics), String(windowMs)]
      : [process.execPath, ...nodeArguments, program, settings, row.binary ?? '']
    const server = await start(command, { core: SERVER_CORE, files })
    await server.ask('gc')
    const memoryBefore = residentBytes(server.pid)
    const file = join(tmpdir(), `tickwire-bench-${process.pid}.requests`)
    writeFileSync(file, requests(row, subscriptions(shape)))
    try {
      const [, port, token, pid] = server.said.split(' ')
      const measured = Number(pid ?? server.pid)
      const loading = [compiled('load'), port, file, row.mode, row.ready]
      const load = await start(loading, { core: LOAD_CORE, files })
      const publishing = await publisherOf(publish, shape, port, token)
      return new Session(shape, { server: { ...server, pid: measured }, load, ...publishing }, memoryBefore)
    } catch (error) {
      await server.stop()
      throw error
    } finally {
      rmSync(file)
    }
  }

  /**
   * @param {import('./shapes.js').Shape} shape
   * @param {Record<'server' | 'load', import('./programs.js').Program> & Publishing} programs
   * @param {number} memoryBefore
   */
  constructor (shape, { server, load, publisher }, memoryBefore) {
    this.shape = shape
    this.server = server
    this.load = load
    this.publisher = publisher
    this.feeder = publisher ?? server
    this.memoryBefore = memoryBefore
  }

  /**
   * Returns the bytes in RAM that a connection costs the server, from the difference to before there were
   * any.
   */
  async memoryPerConnection () {
    await this.server.ask('gc')
    return (residentBytes(this.server.pid) - this.memoryBefore) / this.shape.clients
  }

  /** Publishes so many messages a second from now on. @param {number} rate */
  async publish (rate) {
    return Number(await this.feeder.ask(`rate ${rate}`))
  }

  /** @returns {Promise<Counted>} */
  async count () {
    return JSON.parse(await this.load.ask('tell'))
  }

  /** Measures for some seconds. @param {number} seconds @returns {Promise<Span>} */
  async measure (seconds) {
    const published = Number(await this.feeder.ask('published'))
    const [core, cpu] = [coreSeconds(SERVER_CORE), cpuSeconds(this.server.pid)]
    const before = await this.count()
    await delay(seconds * 1000)
    const [coreAfter, cpuAfter] = [coreSeconds(SERVER_CORE), cpuSeconds(this.server.pid)]
    const counted = await this.count()
    const publishedAfter = Number(await this.feeder.ask('published'))
    return {
      seconds: (counted.at - before.at) / 1e6,
      delivered: counted.messages - before.messages,
      published: publishedAfter - published,
      bytes: counted.bytes - before.bytes,
      reads: counted.reads - before.reads,
      cpu: cpuAfter - cpu,
      othersCpu: Math.max(0, coreAfter - core - (cpuAfter - cpu)),
      loadCpu: counted.cpu - before.cpu,
      counted
    }
  }

  /**
   * Publishes no more, and waits for messages under way.
   * @returns how many were to be delivered in all, and the counts
   */
  async end () {
    const expected = await this.publish(0) * readers(this.shape)
    const deadline = Date.now() + DRAIN_MS
    let counted = await this.count()
    while (counted.messages < expected && Date.now() < deadline) {
      await delay(50)
      counted = await this.count()
    }
    return { expected, counted }
  }

  async close () {
    await this.publisher?.stop()
    await this.server.stop()
    await this.load.stop()
  }
}
