import { test } from 'tap'
import { Pings } from '../../src/transports/ws/pings.js'

test('reads from an answer how far the peer has read, and counts the earlier pings as answered', async t => {
  const pings = new Pings()
  const sent = [100, 200, 300].map(end => {
    const payload = pings.next()
    pings.markSent(end)
    return payload
  })
  t.same([pings.due, pings.unread], [100, 100])
  t.equal(pings.answer(sent[1]!), true)
  t.same([pings.due, pings.unread], [300, 100])
  t.equal(pings.answer(sent[0]!), false, 'it was answered with the later one')
  t.equal(pings.answer(sent[2]!), true)
  t.same([pings.due, pings.unread], [undefined, 0])
})

test('bounds the pings of a peer whose answers name none, and judges it by the first unanswered one', async t => {
  const pings = new Pings()
  for (let count = 1; count <= 1000; count++) {
    pings.next()
    pings.markSent(count)
    t.equal(pings.answer(''), false)
  }
  t.ok(pings.openCount < 100)
  t.equal(pings.due, 1)
  t.equal(pings.answer('1000'), true, 'the newest is still known')
  t.equal(pings.openCount, 0)
})
