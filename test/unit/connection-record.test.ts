import { standardChannels } from '@tickwire/protocol'
import { test } from 'tap'
import { ConnectionLedger, type Observed } from '../../src/connection/connection-ledger.js'
import { ConnectionRecord } from '../../src/connection/connection-record.js'
import { LimitedCallers } from '../../src/connection/limited-callers.js'
import { makeSelector, type Selector } from '../../src/hub/audience/selector.js'
import { Latencies } from '../../src/metrics/latencies.js'

/** What is kept of a connection, and within which bounds. */
const quotes = (...symbols: string[]): Selector[] => symbols.map(symbol => makeSelector(standardChannels.get('quotes')!, symbol, undefined))

test('a record keeps the last 200 events, and joins resets of one reason', async t => {
  const record = new ConnectionRecord()
  t.same(record.events, [])
  for (let at = 1; at <= 450; at++) record.note({ event: 'authenticate', user_id: String(at) }, at)
  t.same(record.events.map(({ at }) => at), Array.from({ length: 200 }, (_, index) => 251 + index))
  t.equal(record.omittedEvents, 250)
  for (let at = 500; at < 600; at++) record.noteReset('epoch_changed', 2, at)
  record.noteReset('lagging', 1, 600)
  record.noteReset('lagging', 1, 2000)
  t.match(record.events.slice(-4), [
    { at: 450 }, { event: 'reset', reason: 'epoch_changed', topics: 200, at: 500 }, { reason: 'lagging', topics: 1 }, { reason: 'lagging', at: 2000 }
  ])
  t.equal(record.events.length, 200)
})

test('a record knows what each subscription still gets', async t => {
  const record = new ConnectionRecord()
  t.same(record.subscribe('s1', 'quotes', quotes('A', 'B', 'C'), 1), [])
  t.same(record.subscribe('s2', 'quotes', quotes('C'), 2), [])
  t.match(record.subscriptions, [{ id: 's1', symbols: ['A', 'B'], since: 1 }, { id: 's2', symbols: ['C'] }])
  t.equal(record.selectors, 3)
  t.same(record.unsubscribe(quotes('A', 'X')), [])
  t.match(record.unsubscribe(quotes('B')), [{ id: 's1', symbols: ['A', 'B', 'C'] }], 'nothing is left of what it asked for')
  t.same(record.takeUnstored().map(({ id }) => id), ['s2'])
  t.same(record.takeUnstored(), [])
  record.subscribe('s3', 'quotes', quotes(...Array.from({ length: 150 }, (_, index) => `S${index}`)), 3)
  record.end()
  t.equal(record.selectors, 151)
  t.equal(record.subscriptions[1]!.symbols!.length, 99)
  t.equal(record.omittedSymbols, 51)
})

test('gives the store so many subscriptions of a connection, however often its client changes them', async t => {
  const record = new ConnectionRecord()
  let stored = 0
  for (let index = 0; index < 1500; index++) {
    stored += record.subscribe(`s${index}`, 'quotes', quotes('A'), index).length
    stored += record.takeUnstored().length
  }
  // Each of the first thousand is given when it begins and when it ends.
  t.equal(stored, 2000)
  t.same(record.storable, [])
  t.match(record.subscriptions, [{ id: 's1499', symbols: ['A'] }], 'operators see the present one')
})

test('a node keeps its newest 1,000 connections that have ended', async t => {
  const ledger = new ConnectionLedger()
  for (let index = 0; index < 1500; index++) {
    const connection: Observed = {
      id: String(index),
      transportName: 'sse',
      address: '',
      identity: { admin: false },
      openedAt: 0,
      heardAt: 0,
      streamState: 'live',
      unsent: 0,
      record: new ConnectionRecord()
    }
    ledger.add(connection)
    ledger.end(connection, null, null, index)
  }
  t.equal(ledger.open.size, 0)
  const ids = [...ledger.ended].map(({ id }) => Number(id))
  t.same([ids.length, ids[0], ids.at(-1)], [1000, 500, 1499])
})

test('who was limited is counted, within a bound', async t => {
  const limited = new LimitedCallers(() => 7)
  for (let index = 0; index < 10_001; index++) limited.note('requests', `user u${index}`, 100, 1000)
  limited.note('requests', 'user u5', 100, 1000)
  const taken = limited.take()
  t.equal(taken.length, 10_000)
  t.match(taken.find(({ key }) => key === 'u5'), { count: 2, keyKind: 'user', since: 7 })
  t.notOk(taken.some(({ key }) => key === 'u0'), 'the oldest went')
  t.same(limited.take(), [])
})

test('percentiles are those of sorted samples, but for the width of a bucket', async t => {
  const latencies = new Latencies()
  t.equal(latencies.percentiles(), undefined)
  const samples = Array.from({ length: 10_000 }, (_, index) => 0.1 * 1.001 ** index)
  for (const ms of samples) latencies.add(ms)
  const found = latencies.percentiles()!
  for (const [name, share] of [['p50', 0.5], ['p95', 0.95], ['p99', 0.99]] as const) {
    const exact = samples[Math.ceil(share * samples.length) - 1]!
    t.ok(found[name] >= exact * 0.999 && found[name] <= exact * 1.023, `${name}: ${found[name]} for ${exact}`)
  }
  const all = new Latencies()
  all.addAll(latencies)
  t.equal(all.count, 10_000)
  latencies.reset()
  t.equal(latencies.percentiles(), undefined)
  latencies.add(1e9)
  latencies.add(0)
  t.equal(latencies.percentiles()!.p50, 0.063)
})
