import { test } from 'tap'
import { PricePace } from '../../src/older/hts/price-pace.js'
import { until } from '../helpers/clients.js'

const INTERVAL_MS = 1000

test('sends each price once a second, the newest of it, and keeps one for a client that does not read', async t => {
  let now = 0
  let reads = false
  const sent: string[][] = []
  let refused = 0
  const pace = new PricePace(messages => {
    if (reads) sent.push([...messages])
    else refused++
    return reads
  }, () => now)
  t.teardown(() => { pace.close() })
  const take = (topic: string, text: string): string => pace.take(topic, () => text)

  t.equal(take('A', 'a1'), 'a1', 'at once, for a topic that was never sent')
  pace.begin('B')
  t.equal(take('B', 'b1'), '', 'within a second, for one that has just begun')
  for (let price = 2; price < 100; price++) t.equal(take('A', `a${price}`), '')
  now = INTERVAL_MS
  await until('it was to be sent', () => refused > 0)
  t.equal(take('B', 'b2'), 'b2', 'one that comes when it is due replaces the one that waits')
  reads = true
  await until('it is sent', () => sent.length === 1)
  t.same(sent, [['a99']])

  now = 1.5 * INTERVAL_MS
  t.equal(take('A', 'a100'), '')
  t.equal(take('B', 'b3'), '')
  pace.forget(topic => topic === 'B')
  now = 3 * INTERVAL_MS
  await until('the rest is sent', () => sent.length === 2)
  t.same(sent[1], ['b3'], 'nothing of a topic that was left')
  t.equal(take('A', 'a101'), 'a101', 'it begins anew')
})
