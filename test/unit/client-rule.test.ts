import { ClientRule } from '@tickwire/protocol'
import { test } from 'tap'

const message = (
  sequence: number,
  more: object = {}
): { type: string, channel: string, symbol: string, sequence: number } => ({
  type: 'trade',
  channel: 'trades',
  symbol: 'A',
  sequence,
  ...more
})
const epoch = (name: string): { type: string, epoch: string, channel?: string } => ({
  type: 'subscribed',
  epoch: name,
  channel: 'trades'
})

test('tells new messages from duplicates, gaps, resets and snapshots', t => {
  const rule = new ClientRule()
  t.equal(rule.take({ type: 'welcome' }), 'control')
  t.equal(rule.take(epoch('e1')), 'control')
  t.equal(rule.take({ type: 'acknowledged', channel: 'alerts', sequence: 9 }), 'control')
  t.equal(rule.take(message(5)), 'new', 'the first message of a topic is new at any sequence')
  t.equal(rule.take(message(6)), 'new')
  t.equal(rule.take(message(6)), 'duplicate')
  t.equal(rule.take(message(9, { prev: 6 })), 'new')
  t.equal(rule.take(message(12)), 'gap')
  t.equal(rule.take(message(12, { snapshot: true })), 'new', 'a state of the sequence at hand replaces it')
  t.equal(rule.take(message(11, { snapshot: true })), 'duplicate')
  t.equal(rule.take(message(20, { snapshot: true })), 'new')
  t.equal(rule.take({ type: 'reset', channel: 'trades', symbol: 'A' }), 'reset')
  t.equal(rule.take(message(3)), 'new')
  t.equal(
    rule.take({ type: 'news', channel: 'news', sequence: 1 }),
    'new',
    'a channel without symbols is one topic'
  )
  t.end()
})

test('counts messages after the cursor as duplicates when they come again, and forgets them in another epoch', t => {
  for (const next of ['e1', 'e2']) {
    const rule = new ClientRule()
    rule.connected()
    rule.take(epoch('e1'))
    for (let sequence = 1; sequence <= 3; sequence++) rule.take(message(sequence))
    rule.cursor()
    rule.take(message(4))
    rule.take(message(5))
    rule.take(message(1, { symbol: 'B' }))
    rule.connected()
    rule.take(epoch(next))
    const again = next === 'e1' ? 'duplicate' : 'new'
    t.equal(rule.take(message(4)), again)
    t.equal(rule.take(message(1, { symbol: 'B' })), again, 'also in a topic that the cursor did not cover')
    t.equal(rule.take(message(5)), again)
    t.equal(rule.take(message(6)), 'new')
  }
  t.end()
})

test('forgets what did not come again when an epoch begins during catch-up', t => {
  const rule = new ClientRule()
  rule.connected()
  rule.take(epoch('e1'))
  rule.take(message(3))
  rule.cursor()
  for (const sequence of [4, 5, 6]) rule.take(message(sequence))
  rule.connected()
  rule.take(epoch('e1'))
  t.equal(rule.take(message(4)), 'duplicate')
  rule.take({ type: 'epoch', epoch: 'e2' })
  t.equal(rule.take(message(5)), 'new', 'what came again on this connection stands, the rest is forgotten')
  t.equal(rule.take(message(5)), 'duplicate')
  t.end()
})
