import { standardChannels } from '@tickwire/protocol'
import { type Test, test } from 'tap'
import { Hub } from '../../src/hub/hub.js'
import { OperatorInstruments } from '../../src/instruments/operator-instruments.js'
import type { Log } from '../../src/log/log.js'
import { Counters } from '../../src/metrics/counters.js'
import { Publisher } from '../../src/publisher/publisher.js'
import { backends, eventually, openLog } from './logs.js'

/**
 * Instruments on every log: what one node declares and removes is so on another, at once and after it starts
 * anew.
 */

async function startHub (t: Test, log: Log): Promise<Hub> {
  const hub = new Hub({
    log,
    channels: standardChannels,
    flushMs: 0,
    recentBytes: 1 << 20,
    counters: new Counters(),
    onError: (_error, message) => { t.fail(message) }
  })
  await hub.start()
  t.teardown(() => { hub.close() })
  return hub
}

const listed = (hub: Hub): string => [...hub.directory.instruments()].map(({ symbol, market = '' }) => `${symbol}@${market}`).sort().join(' ')
const inSet = (hub: Hub, market: string): string => [...hub.membership.symbols(`@market/${market}`)].sort().join(' ')
const items = (...values: readonly object[]): Array<{ value: object }> => values.map(value => ({ value }))

for (const backend of backends.filter(({ overOthers }) => overOthers !== true)) {
  for (const shards of [1, 3]) {
    void test(`${backend.name}, ${shards} shards: what an operator declares and removes is known on every node`, async t => {
      const { log, restart } = await openLog(t, backend, { shards })
      const publisher = new Publisher({ log, channels: standardChannels })
      const [hub, other] = [await startHub(t, log), await startHub(t, log)]
      const operator = new OperatorInstruments(publisher, hub)
      await publisher.publish(['A', 'B'].map(symbol => ({ channel: 'instruments', symbol, data: { symbol, market: 'X' } })), { publisher: '' })
      await eventually('the source is heard', () => listed(hub) === 'A@X B@X' && listed(other) === 'A@X B@X')

      t.same(await operator.put(items({ symbol: 'A', market: 'Y' }, { symbol: 'C', market: 'X', tick_size: '0' }, { symbol: 'C', market: 'X' }, { symbol: 'C' })), {
        accepted: 2,
        rejected: [
          { index: 1, field: 'tick_size', code: 'invalid_message', message: "tick_size must be a decimal above 0, not '0'" },
          { index: 3, field: 'symbol', code: 'invalid_message', message: 'the item 2 has this symbol, too' }
        ]
      })
      t.equal(listed(hub), 'A@Y B@X C@X', 'the node that was asked knows when it answers')
      await eventually('the other hears', () => listed(other) === 'A@Y B@X C@X' && inSet(other, 'X') === 'B C' && inSet(other, 'Y') === 'A')

      t.same(await operator.remove(['B', 'C', 'D', 'B']), {
        removed: ['B', 'C'], rejected: [{ symbol: 'D', code: 'not_found', message: 'there is no such instrument' }]
      })
      t.equal(listed(hub), 'A@Y')
      await eventually('the other hears', () => listed(other) === 'A@Y' && inSet(other, 'X') === '')
      t.equal((await log.snapshot('instruments.overrides:C')), undefined, 'what nobody else declares leaves nothing')

      const heads = (await log.head()).map(({ offset }) => offset)
      await publisher.publish([{ channel: 'instruments', symbol: 'B', data: { symbol: 'B', market: 'Z' } }], { publisher: '' })
      const third = await startHub(t, log)
      t.equal(listed(third), 'A@Y', 'a node that starts now knows the same, whatever a source declares again')
      await restart(heads)
      await eventually('an epoch later, too', () => [hub, other, third].every(node => node.epoch(0) !== 0 && listed(node) === 'A@Y'))
      t.equal(listed(await startHub(t, log)), 'A@Y')
    })
  }
}
