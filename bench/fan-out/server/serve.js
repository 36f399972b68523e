import { createInterface } from 'node:readline'
import { Feeder } from '../feeder.js'
import { RemoteFeeder } from '../remote-feeder.js'

/**
 * The settings of a server of this bench, given as JSON.
 * @typedef {object} Settings
 * @property {number} topics
 * @property {number} windowMs
 * @property {number} [mostLateMs] see the feeder
 * @property {boolean} [remote] whether another process is the feeder
 * @property {number | string} [flush]
 * @property {boolean} [mixed] see mixed.js
 * @property {Record<string, number | string>} [more] settings of this project's server
 * @property {boolean} [metrics] whether this project's server serves its metrics
 * @property {number} [warmMs] WARM_UP_MS of this project's server; default: none
 */

export const settings = /** @type {Settings} */ (JSON.parse(process.argv[2] ?? '{}'))

/**
 * Prints where a server listens, and feeds it by the commands of its input: `rate <messages a second>`,
 * `published`, `gc`, `memory`, and `trace` where trace.js was preloaded. It ends with its input.
 * @param {number} port
 * @param {(batch: readonly import('../feeder.js').Trade[]) => unknown} publish
 * @param {string} [token] with which another process may publish
 */
export function serve (port, publish, token = '') {
  const { topics, windowMs, mostLateMs, remote } = settings
  const feeder = remote === true
    ? new RemoteFeeder(topics, windowMs, publish)
    : new Feeder(topics, windowMs, publish, mostLateMs)
  createInterface(process.stdin)
    .on('line', line => {
      const [command, value] = line.split(' ')
      if (command === 'rate') feeder.setRate(Number(value))
      if (command === 'gc') globalThis.gc?.()
      if (command === 'memory') console.log(JSON.stringify(process.memoryUsage()))
      else if (command === 'trace') console.log(JSON.stringify(trace?.tell()))
      else console.log(feeder.published)
    })
    .on('close', () => { process.exit(0) })
  console.log(`port ${port} ${token}`.trimEnd())
}

/** @typedef {{ tell (): import('./trace.js').Told, window (ms: number): void }} Trace */
/** What trace.js notes; undefined where it was not preloaded. */
export const trace = /** @type {{ benchTrace?: Trace }} */ (globalThis).benchTrace

/**
 * Numbers the messages of each topic, and wraps a trade as this project's server does, so that all send the
 * same text.
 */
export class Envelopes {
  /** @type {Map<string, number>} */
  #sequences = new Map()

  /** @param {import('../feeder.js').Trade} data */
  wrap (data) {
    const { symbol, timestamp } = data
    const sequence = (this.#sequences.get(symbol) ?? 0) + 1
    this.#sequences.set(symbol, sequence)
    return { type: 'trade', channel: 'trades', symbol, sequence, timestamp, data }
  }
}

/** Returns the topics that a request's URL names. @param {string | undefined} url */
export function topicsOf (url) {
  const numbers = new URL(url ?? '', 'http://bench').searchParams.get('topics') ?? ''
  return numbers.split(',').map(number => `S${number}`)
}
