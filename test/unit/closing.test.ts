import { test } from 'tap'
import { standardChannels } from '@tickwire/protocol'
import { beginSubscriptions, type Subscription } from '../../src/connection/actions/subscribe.js'
import { receiveText } from '../helpers/native.js'
import { makeSelector } from '../../src/hub/audience/selector.js'
import { holdLog } from '../helpers/hold-log.js'
import { MemoryWire } from '../helpers/memory-wire.js'
import { startNode, ticks } from '../helpers/node.js'

/** When a wire closes, the hub keeps nothing of its connection, whatever the connection was waiting for. */
const quote = { topic: 'quotes:A', payload: '{"symbol":"A","last":"1"}' }

test('leaves nothing behind of a wire that closes while its catch-up is being opened', async t => {
  const node = await startNode()
  const release = holdLog(node.log, 'head')
  const connection = node.connect(new MemoryWire(true))
  receiveText(
    connection,
    JSON.stringify({
      action: 'subscribe',
      channel: 'trades',
      symbols: ['A'],
      after: { A: 0 },
      epoch: node.hub.epochText()
    })
  )
  await ticks()
  connection.onClose()
  release()
  await ticks()
  t.equal(node.hub.audience.size, 0)
  await node.close()
})

test('leaves nothing behind of a wire that closes while its catch-up waits for the state to join by', async t => {
  const node = await startNode()
  await node.log.append([quote])
  await ticks()
  const release = holdLog(node.log, 'snapshot')
  const connection = node.connect(new MemoryWire(true))
  receiveText(
    connection,
    JSON.stringify({ action: 'subscribe', channel: 'quotes', symbols: ['A'], throttle_ms: 100 })
  )
  await ticks()
  connection.onClose()
  release()
  await ticks()
  t.equal(node.hub.audience.size, 0)
  await node.close()
})

test('counts a selector once that one query gives twice, and drops it with its connection', async t => {
  const node = await startNode()
  const connection = node.connect(new MemoryWire(true))
  const subscriptions = [100, 200].map((throttleMs): Subscription => ({
    channel: 'quotes',
    granted: [
      makeSelector(standardChannels.get('quotes')!, 'A', undefined, { view: { throttleMs, depth: 0 } })
    ],
    rejected: []
  }))
  connection.actions.enqueue(() => beginSubscriptions(connection, subscriptions, { from: 'now' }, true))
  await ticks()
  t.same(
    [...node.hub.audience.of('quotes:A').views()],
    [{ throttleMs: 200, depth: 0 }],
    'the last view that was given counts'
  )
  t.equal(node.hub.counters.subscriptions, 1)
  connection.onClose()
  t.equal(node.hub.audience.size, 0)
  t.equal(node.hub.counters.subscriptions, 0)
  await node.close()
})
