import { test } from 'tap'
import { setTimeout as delay } from 'node:timers/promises'
import { receiveText } from '../helpers/native.js'
import { until } from '../helpers/clients.js'
import { MemoryWire } from '../helpers/memory-wire.js'
import { startNode, ticks } from '../helpers/node.js'

test('sends throttled messages on time when the system clock is set back an hour', async t => {
  const node = await startNode()
  const wire = new MemoryWire(true)
  receiveText(
    node.connect(wire),
    JSON.stringify({ action: 'subscribe', channel: 'quotes', symbols: ['A'], throttle_ms: 20 })
  )
  await ticks()
  const quote = { topic: 'quotes:A', payload: '{"symbol":"A"}' }
  await node.log.append([quote])
  await ticks()
  const { now } = Date
  Date.now = () => now() - 3_600_000
  try {
    await node.log.append([quote])
    await delay(60)
  } finally {
    Date.now = now
  }
  await until('the second message', () => wire.messages.some(({ sequence }) => sequence === 2), 1000)
  t.pass('it came')
  await node.close()
})
