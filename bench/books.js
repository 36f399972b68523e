/**
 * How many updates of books a second one core takes: read from frames of Kraken, applied with their checksum
 * looked at, and published to the memory log.
 *
 * npm run bench -- books [--symbols 1000] [--levels 100] [--seconds 0.5] [--rounds 10] [--batch 100]
 *   [--rate 50000] [--paced 5]
 *
 * Half of the updates change one of the ten best levels, and each changes one level. Rows add one stage after
 * another. Figures are CPU time of a process that does nothing else, in the best and the median of the
 * rounds: where other programs take the caches, only the best says what the code costs. The first row is a
 * fixed loop, the same before and after any change: it says how fast the machine was meanwhile.
 *
 * Then frames come at a rate, by their own schedule, for some seconds: how long from the moment at which each
 * was due until the log hands it to the hub. The same schedule with nothing to do says how late the machine
 * alone makes them.
 */
import { standardChannels } from '@tickwire/protocol'
import { Books } from '../dist/src/book/books.js'
import { parseExact } from '../dist/src/book/exact-json.js'
import { createKrakenChecksum } from '../dist/src/book/kraken/checksum.js'
import { krakenV1, krakenV2 } from '../dist/src/book/kraken/frames.js'
import { OrderBook } from '../dist/src/book/order-book.js'
import { VenueBook } from '../dist/src/book/venue-book.js'
import { MemoryLog } from '../dist/src/log/memory/memory-log.js'
import { Publisher } from '../dist/src/publisher/publisher.js'
import { options, percentile, reportTable } from './report.js'

const settings = options({
  symbols: 1000, levels: 100, seconds: 0.5, rounds: 10, batch: 100, rate: 50_000, paced: 5
})
const { symbols, levels, seconds, rounds, batch, rate, paced } = settings

/** Frames that are made before anything is measured; they come round again. */
const FRAMES = 20_000
const RETENTION = { messages: 10_000, seconds: 3600, bytes: 256 * 2 ** 20 }

/** A generator of whole numbers below a bound, the same in each run. */
let seed = 7
const below = (/** @type {number} */ bound) => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
  return Math.floor(seed / 2 ** 32 * bound)
}
const size = () => `${1 + below(9000)}.${String(below(10 ** 8)).padStart(8, '0')}`
const price = (/** @type {number} */ cents) => (cents / 100).toFixed(5)
const nameOf = (/** @type {number} */ symbol) => `S${String(symbol).padStart(4, '0')}/USD`
const MIDDLE = 50_000
/** @typedef {[price: string, size: string]} Level */
/** @typedef {import('../dist/src/book/book-event.js').BookEvent} BookEvent */
/** @typedef {import('../dist/src/book/book-event.js').Change} Change */
const side = (/** @type {1 | -1} */ direction) => Array.from({ length: levels }, (_, at) => {
  return /** @type {Level} */ ([price(MIDDLE + direction * (1 + at)), size()])
})

const snapshots = Array.from({ length: symbols }, (_, symbol) => {
  return { kind: /** @type {const} */ ('snapshot'), symbol: nameOf(symbol), bids: side(-1), asks: side(1) }
})
/** @type {string[]} */
const v1 = []
/** @type {string[]} */
const v2 = []

/**
 * Keeps books of its own, which are gone when anything is measured: a heap of few books is like a server's.
 */
function makeFrames () {
  const truth = snapshots.map(snapshot => {
    const book = new OrderBook(levels)
    book.replace(snapshot)
    return { book, checksumOf: createKrakenChecksum() }
  })
  for (let frame = 0; frame < FRAMES; frame++) {
    const symbol = below(symbols)
    const { book, checksumOf } = /** @type {typeof truth[0]} */ (truth[symbol])
    const isBid = below(2) === 0
    const distance = 1 + below(below(2) === 0 ? 10 : levels)
    const level = /** @type {Level} */ ([price(MIDDLE + (isBid ? -distance : distance)), size()])
    book.apply(isBid ? { bids: [level], asks: [] } : { bids: [], asks: [level] })
    const checksum = checksumOf(book)
    const [inPrice, inSize] = level
    v1.push(`[${symbol},{"${isBid ? 'b' : 'a'}":[["${inPrice}","${inSize}","1618678155.718950"]],` +
      `"c":"${checksum}"},"book-${levels}","${nameOf(symbol)}"]`)
    const written = `[{"price":${inPrice},"qty":${inSize}}]`
    v2.push(`{"channel":"book","type":"update","data":[{"symbol":"${nameOf(symbol)}",` +
      `"bids":${isBid ? written : '[]'},"asks":${isBid ? '[]' : written},` +
      `"checksum":${checksum},"timestamp":"2026-01-02T03:04:05.678901Z"}]}`)
  }
}

makeFrames()
let faults = 0
/**
 * Makes the books. Those that are measured compute each checksum, but take the frame's for right: when the
 * frames come round again, the books are further on.
 */
const books = (/** @type {boolean} */ verified) => {
  const made = new Books(symbol => {
    const checksumOf = createKrakenChecksum()
    return new VenueBook({
      symbol: symbol.replace('/', '-'),
      depth: levels,
      checksumOf: book => {
        const own = checksumOf(book)
        return verified ? own : taken(own)
      },
      onFault: () => { faults++ }
    })
  })
  made.take(snapshots)
  return made
}
/** The checksum that the frame at hand has. */
let expected = 0
const taken = (/** @type {number} */ own) => own === -1 ? own : expected

const readV1 = (/** @type {string} */ text) => krakenV1(JSON.parse(text))
const readV2 = (/** @type {string} */ text) => krakenV2(parseExact(text))
const events = v1.map(text => /** @type {Change} */ (readV1(text)[0]))
const take = (/** @type {Books} */ books, /** @type {readonly BookEvent[]} */ list) => {
  const [event] = list
  expected = Number(/** @type {Change} */ (event).checksum)
  return books.take(list)
}

// Before anything is measured: all checksums are right.
{
  const first = books(true)
  for (const event of events) first.take([event])
}
if (faults > 0) throw new Error(`${faults} checksums are wrong`)

let turned = 1
const turn = (/** @type {number} */ times) => {
  for (let at = 0; at < times; at++) turned = (Math.imul(turned, 1664525) + 1013904223) >>> 0
}

const log = new MemoryLog({ channels: standardChannels, retention: RETENTION, maxTopics: 2 * symbols })
const publisher = new Publisher({ log, channels: standardChannels })
const measured = books(false)
/**
 * Handles the frames from one index to another.
 * @type {Array<[what: string, run: (from: number, to: number) => unknown]>}
 */
const stages = [
  ['a fixed loop of 1,000 turns', (from, to) => { for (let at = from; at < to; at++) turn(1000) }],
  ['read frames of version 1', (from, to) => { for (let at = from; at < to; at++) readV1(v1[at] ?? '') }],
  ['read frames of version 2', (from, to) => { for (let at = from; at < to; at++) readV2(v2[at] ?? '') }],
  ['apply, with the checksum', (from, to) => {
    for (let at = from; at < to; at++) take(measured, events.slice(at, at + 1))
  }],
  ['version 1 to the log', (from, to) => {
    const messages = v1.slice(from, to).flatMap(text => take(measured, readV1(text)))
    return publisher.publish(messages, { publisher: 'bench' })
  }],
  ['version 2 to the log', (from, to) => {
    const messages = v2.slice(from, to).flatMap(text => take(measured, readV2(text)))
    return publisher.publish(messages, { publisher: 'bench' })
  }]
]
await publisher.publish(snapshots.map(({ symbol, bids, asks }) => {
  const name = symbol.replace('/', '-')
  return { channel: 'book', symbol: name, snapshot: true, data: { symbol: name, bids, asks } }
}), { publisher: 'bench' })

/** @type {Map<string, number[]>} */
const figures = new Map()
for (let round = 0; round < rounds; round++) {
  for (const [what, run] of stages) {
    const before = process.cpuUsage()
    let count = 0
    for (const end = performance.now() + seconds * 1000; performance.now() < end;) {
      const from = count % (FRAMES - batch)
      await run(from, from + batch)
      count += batch
    }
    const used = process.cpuUsage(before)
    figures.set(what, [...figures.get(what) ?? [], (used.user + used.system) / count])
  }
}
/**
 * Hands frames over when they are due.
 * @param {(from: number, to: number) => unknown} handle called with the numbers of the frames that are due
 * @returns {Promise<(at: number) => number>} when a frame was due
 */
async function pace (handle) {
  const began = performance.now()
  const due = (/** @type {number} */ at) => began + at / rate * 1000
  const total = rate * paced
  for (let at = 0; at < total;) {
    const now = Math.min(total, Math.floor((performance.now() - began) * rate / 1000), at + batch)
    if (now > at) await handle(at, now)
    at = Math.max(at, now)
    await new Promise(resolve => setImmediate(resolve))
  }
  return due
}

/** @type {number[]} */
const arrivals = []
await log.tail(0, ({ entries }) => {
  const now = performance.now()
  for (let at = 0; at < entries.length; at++) arrivals.push(now)
})
const wrap = (/** @type {number} */ at) => at % (FRAMES - batch)
/** @type {Array<[what: string, handle: (from: number, to: number) => unknown]>} */
const paces = [
  ['nothing to do', (from, to) => { for (let at = from; at < to; at++) arrivals.push(performance.now()) }],
  ['version 1', (from, to) => stages[4]?.[1](wrap(from), wrap(from) + to - from)],
  ['version 2', (from, to) => stages[5]?.[1](wrap(from), wrap(from) + to - from)]
]
const remarks = []
for (const [what, handle] of paces) {
  arrivals.length = 0
  const due = await pace(handle)
  const late = arrivals.map((now, at) => now - due(at))
  const [p50, p99] = [percentile(late, 50) ?? NaN, percentile(late, 99) ?? NaN]
  remarks.push(`${rate} frames a second, ${what}: ` +
    `${p50.toFixed(2)} ms from due to the hub, p99 ${p99.toFixed(2)} ms`)
}
if (faults > 0) throw new Error(`${faults} books became stale`)
reportTable('books', settings, [...figures].map(([stage, all]) => {
  const [best, median] = [Math.min(...all), percentile(all, 50) ?? NaN]
  return {
    stage,
    'µs/update, best': Number(best.toFixed(2)),
    'µs/update, median': Number(median.toFixed(2)),
    'updates/s of one core, best': Math.round(1e6 / best)
  }
}), remarks)
