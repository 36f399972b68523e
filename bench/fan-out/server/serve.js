import { createInterface } from 'node:readline'
import { Feeder } from '../feeder.js'
import { RemoteFeeder } from '../remote-feeder.js'

/**
 * What a server of this bench is started with, as JSON; remote: fed by another process; mixed: see mixed.js; more: settings of this
 * project's server; metrics: whether it says them.
 */
export const settings = /** @type {{ topics: number, windowMs: number, mostLateMs?: number, remote?: boolean, flush?: number | string, mixed?: boolean, more?: Record<string, number | string>, metrics?: boolean }} */ (
  JSON.parse(process.argv[2] ?? '{}'))

/**
 * Says where a server listens, and feeds it as the parent says: `rate <messages a second>`, `published`, `gc`, `memory`. It ends with
 * its input.
 * @param {number} port
 * @param {(batch: readonly import('../feeder.js').Trade[]) => unknown} publish
 */
export function serve (port, publish) {
  const { topics, windowMs, mostLateMs, remote } = settings
  const feeder = remote === true ? new RemoteFeeder(topics, windowMs, publish) : new Feeder(topics, windowMs, publish, mostLateMs)
  createInterface(process.stdin)
    .on('line', line => {
      const [command, value] = line.split(' ')
      if (command === 'rate') feeder.setRate(Number(value))
      if (command === 'gc') globalThis.gc?.()
      console.log(command === 'memory' ? JSON.stringify(process.memoryUsage()) : feeder.published)
    })
    .on('close', () => { process.exit(0) })
  console.log(`port ${port}`)
}

/** Numbers each topic's messages, and makes of a trade what this project's server sends: the same text for all. */
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

/** The topics in a request's URL. @param {string | undefined} url */
export const topicsOf = url => (new URL(url ?? '', 'http://bench').searchParams.get('topics') ?? '').split(',').map(number => `S${number}`)
