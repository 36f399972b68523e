import { parseTopicKey, standardChannels, topicKey } from '@tickwire/protocol'
import fc from 'fast-check'
import { test } from 'tap'
import { JsonWriter } from '../../src/dialects/native/json-writer.js'
import { isoTime } from '../../src/hub/iso-time.js'
import type { Entry } from '../../src/log/log.js'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 500)

const TIME = Date.parse('2026-02-07T14:30:00.123Z')
const entry = (topic: string, more: Partial<Entry> = {}): Entry => ({
  topic, shard: 0, offset: 9, sequence: 7, previous: 3, timestamp: TIME, payload: '{"bid":"185.50"}', replaces: false, ...more
})

test('writes a data message', async t => {
  const writer = new JsonWriter(standardChannels, 'string')
  t.equal(
    writer.data(entry('quotes:AAPL')),
    '{"type":"quote","channel":"quotes","symbol":"AAPL","sequence":7,"timestamp":"2026-02-07T14:30:00.123Z","data":{"bid":"185.50"}}'
  )
  t.same(JSON.parse(writer.data(entry('book:X', { replaces: true }))), {
    type: 'book', channel: 'book', symbol: 'X', sequence: 7, timestamp: '2026-02-07T14:30:00.123Z', snapshot: true, data: { bid: '185.50' }
  })
  t.same(JSON.parse(writer.data({ topic: 'quotes:AAPL', sequence: 7, timestamp: TIME, replaces: true, payload: '{}', prev: 3 })), {
    type: 'quote', channel: 'quotes', symbol: 'AAPL', sequence: 7, timestamp: '2026-02-07T14:30:00.123Z', snapshot: true, prev: 3, data: {}
  })
})

test('writes a reset', async t => {
  const writer = new JsonWriter(standardChannels, 'string')
  t.equal(writer.reset('quotes:AAPL', 'history_lost'), '{"type":"reset","channel":"quotes","symbol":"AAPL","reason":"history_lost"}')
  t.equal(writer.reset('orders@alice', 'epoch_changed'), '{"type":"reset","channel":"orders","reason":"epoch_changed"}')
})

test("never sends the owner of a private topic, whatever the user's name", async t => {
  const writer = new JsonWriter(standardChannels, 'string')
  fc.assert(fc.property(fc.string({ unit: 'binary' }), fc.constantFrom<readonly [string, string?]>(['orders'], ['strategy', 'S1']), (user, [channel, symbol]) => {
    const topic = { channel, ...(symbol === undefined ? {} : { symbol }) }
    const key = topicKey({ ...topic, user })
    const message = writer.data(entry(key))
    const other = writer.data(entry(topicKey({ ...topic, user: 'somebody else' })))
    if (message !== other || writer.reset(key, 'lagging') !== writer.reset(topicKey(topic), 'lagging')) throw new Error(message)
    if (parseTopicKey(key).user !== user) throw new Error(key)
  }), { numRuns })
  t.pass(`${numRuns} users`)
})

test('writes times', async t => {
  fc.assert(fc.property(fc.array(fc.constantFrom(0, 1, TIME, TIME, TIME + 1, 8.64e15)), times => {
    return times.every(time => isoTime(time) === new Date(time).toISOString())
  }), { numRuns })
  t.equal(isoTime(0), '1970-01-01T00:00:00.000Z')
})
