/**
 * What one message costs before it goes to any client: to check it, to write it as text, to append it, to
 * keep it for catch-ups, and to encode it once for each wire.
 *
 * npm run bench -- encode [--topics 1000] [--each 1,5,20] [--seconds 2] [--rounds 5]
 *
 * `each` is the number of messages that a topic has in a window. Figures are medians of the rounds, in a
 * process that does nothing else.
 */
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { standardChannels } from '@tickwire/protocol'
import { Dialects } from '../dist/src/dialects/dialects.js'
import { RecentEntries } from '../dist/src/hub/shards/recent.js'
import { MemoryLog } from '../dist/src/log/memory/memory-log.js'
import { Publisher } from '../dist/src/publisher/publisher.js'
import { identity, gzip } from '../dist/src/transports/sse/content-coding.js'
import { deflatedArrays } from '../dist/src/transports/ws/array-frames.js'
import { plainFrames } from '../dist/src/transports/ws/frame.js'
import { options, percentile, reportTable } from './report.js'

const settings = options({ topics: 1000, each: '1,5,20', seconds: 2, rounds: 5 })
const { topics, seconds, rounds } = settings

const MEBIBYTE = 2 ** 20
const RETENTION = { messages: 10_000, seconds: 3600, bytes: 256 * MEBIBYTE }
/** Messages in one batch. */
const BATCH = 1000

let count = 0
function publication () {
  const symbol = `S${String(++count % topics).padStart(4, '0')}`
  const [price, size] = [`1${count % 100}.25`, String(count % 900)]
  return { channel: 'trades', symbol, data: { symbol, price, size, timestamp: '2026-01-02T03:04:05.678Z' } }
}
const publications = Array.from({ length: BATCH }, publication)
const texts = publications.map(({ data }) => JSON.stringify(data))
const items = publications.map(({ channel, symbol }, index) => {
  return { topic: `${channel}:${symbol}`, payload: /** @type {string} */ (texts[index]) }
})
const now = Date.now()
const entries = items.map(({ topic, payload }, index) => ({
  topic,
  payload,
  shard: 0,
  offset: index + 1,
  sequence: index + 1,
  previous: index,
  timestamp: now,
  replaces: false
}))

const log = () => new MemoryLog({ channels: standardChannels, retention: RETENTION, maxTopics: topics })
const trades = /** @type {import('@tickwire/protocol').ChannelDefinition} */ (standardChannels.get('trades'))
const check = TypeCompiler.Compile(trades.schema)
const publisher = new Publisher({ log: log(), channels: standardChannels })
const plainLog = log()
const dialects = new Dialects(standardChannels)
const native = dialects.native()
const batch = dialects.of('tickwire.v1.batch')
const recent = new RecentEntries(0, 0, RETENTION.bytes / 4)
let offset = 0

/** What is done to {@link BATCH} messages. @type {Array<[what: string, each: number, run: () => unknown]>} */
const stages = [
  ['check against the schema', 1, () => { for (const { data } of publications) check.Check(data) }],
  ['write as JSON', 1, () => { for (const { data } of publications) JSON.stringify(data) }],
  ['append to the memory log', 1, () => plainLog.append(items)],
  ['publish: all of that', 1, () => publisher.publish(publications, { publisher: 'bench' })],
  ['keep among the recent', 1, () => {
    for (const entry of entries) recent.push({ ...entry, offset: ++offset })
  }],
  ['as a message', 1, () => { for (const entry of entries) native.writer.data(entry) }]
]
const formats = {
  json: native.on(plainFrames),
  batch: batch.on(plainFrames),
  'batch deflated': batch.on(deflatedArrays),
  sse: native.on(identity.events),
  'sse gzip': native.on(gzip.events)
}
for (const each of settings.each.split(',').map(Number)) {
  for (const [name, format] of Object.entries(formats)) {
    stages.push([`as bytes: ${name}`, each, () => {
      for (let from = 0; from < BATCH; from += each) {
        format.join(entries.slice(from, from + each).map(entry => format.data(entry)))
      }
    }])
  }
}

/** @param {() => unknown} run @returns {Promise<number>} microseconds of CPU for each message */
async function measure (run) {
  const began = performance.now()
  const before = process.cpuUsage()
  let done = 0
  while (performance.now() - began < seconds * 1000 / rounds) {
    await run()
    done += BATCH
  }
  const { user, system } = process.cpuUsage(before)
  return (user + system) / done
}

const rows = []
for (const [what, each, run] of stages) {
  await measure(run)
  const figures = []
  for (let round = 0; round < rounds; round++) figures.push(await measure(run))
  rows.push({ what, 'messages of a topic': each, 'µs/message': Number(percentile(figures, 50).toFixed(3)) })
}
await plainLog.close()
reportTable('encode', settings, rows)
process.exit()
