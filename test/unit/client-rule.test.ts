import { ClientRule } from '@tickwire/protocol'
import { test } from 'tap'

const message = (sequence: number, more: object = {}): { type: string, channel: string, symbol: string, sequence: number } => ({ type: 'trade', channel: 'trades', symbol: 'A', sequence, ...more })
const epoch = (name: string): { type: string, epoch: string, channel?: string } => ({ type: 'subscribed', epoch: name, channel: 'trades' })

test('follows on, duplicates, gaps, resets and snapshots', t => {
  const rule = new ClientRule()
  t.equal(rule.take({ type: 'welcome' }), 'control')
  t.equal(rule.take(epoch('e1')), 'control')
  t.equal(rule.take(message(5)), 'new', 'any message follows on where there is none')
  t.equal(rule.take(message(6)), 'new')
  t.equal(rule.take(message(6)), 'duplicate')
  t.equal(rule.take(message(9, { prev: 6 })), 'new')
  t.equal(rule.take(message(12)), 'gap')
  t.equal(rule.take(message(12, { snapshot: true })), 'new', 'a state of what is held replaces it')
  t.equal(rule.take(message(11, { snapshot: true })), 'duplicate')
  t.equal(rule.take(message(20, { snapshot: true })), 'new')
  t.equal(rule.take({ type: 'reset', channel: 'trades', symbol: 'A' }), 'reset')
  t.equal(rule.take(message(3)), 'new')
  t.equal(rule.take({ type: 'news', channel: 'news', sequence: 1 }), 'new', 'a channel without symbols is one topic')
  t.end()
})

test('what came behind the cursor is a duplicate when it comes again, and forgotten where the epoch is another', t => {
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
    t.equal(rule.take(message(1, { symbol: 'B' })), again, 'a topic of which the cursor knew nothing')
    t.equal(rule.take(message(5)), again)
    t.equal(rule.take(message(6)), 'new')
  }
  t.end()
})

test('an epoch that begins while it is caught up with', t => {
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
  t.equal(rule.take(message(5)), 'new', 'what came again on this connection stands, what did not is forgotten')
  t.equal(rule.take(message(5)), 'duplicate')
  t.end()
})
