import { test } from 'tap'
import { KnownInstruments } from '../../src/hub/shards/known-instruments.js'
import { receiveText } from '../helpers/native.js'
import { MemoryWire } from '../helpers/memory-wire.js'
import { type Node, startNode, ticks } from '../helpers/node.js'

/**
 * What is known of an instrument, by what sources and operators said; and what subscribers of its sets are
 * sent.
 */

const declared = 'instruments:A'
const override = 'instruments.overrides:A'
const asset = (market?: string, more: object = {}): string => JSON.stringify({ symbol: 'A', ...(market === undefined ? {} : { market }), ...more })

test('what an operator says stands above what sources say, in whichever order it comes', async t => {
  const steps: ReadonlyArray<readonly [string, string]> = [
    [declared, asset('X')], [declared, asset('Y')], [override, asset('Z')], [declared, 'null']
  ]
  for (const turn of steps.keys()) {
    const known = new KnownInstruments()
    // The order within each of the two stays, as the log keeps it.
    const operators = steps.filter(([topic]) => topic === override)
    const sources = steps.filter(([topic]) => topic === declared)
    const mixed = [...sources.slice(0, turn), ...operators, ...sources.slice(turn)]
    for (const [topic, payload] of mixed) known.take(topic, payload)
    t.same(known.get('A'), { symbol: 'A', market: 'Z' })
    t.same([...known.all()], [{ symbol: 'A', market: 'Z' }])
    t.same(['X', 'Y', 'Z'].map(market => known.hasMarket(market)), [false, false, true])
  }
})

test('a removed instrument stays removed while sources declare it again, and comes back by an operator', async t => {
  const known = new KnownInstruments()
  known.take(declared, asset('X'))
  known.take(override, asset(undefined, { removed: true }))
  known.take(declared, asset('Y'))
  t.same([...known.all()], [])
  t.notOk(known.hasMarket('X') || known.hasMarket('Y'))
  t.match(known.declaredAs('A'), { market: 'Y' })
  known.take(override, 'null')
  t.match(known.get('A'), { market: 'Y' }, 'where nothing is said above it any more, sources count again')
  known.take(declared, 'null')
  t.same([...known.all()], [])
  known.take(override, asset('Z'))
  t.match(known.get('A'), { market: 'Z' })
  known.lose(declared)
  t.match(known.get('A'), { market: 'Z' })
  known.lose(override)
  t.equal(known.get('A'), undefined)
})

test('what cannot be read leaves what was known', async t => {
  const known = new KnownInstruments()
  known.take(declared, asset('X'))
  for (const payload of ['{', '7', '"A"', '[]', '{"symbol":"B"}']) t.throws(() => { known.take(declared, payload) }, payload)
  t.match(known.get('A'), { market: 'X' })
})

const quote = (price: number): { topic: string, payload: string } =>
  ({ topic: 'quotes:A', payload: JSON.stringify({ symbol: 'A', last: String(price) }) })
const item = (topic: string, payload: string): { topic: string, payload: string } => ({ topic, payload })

async function follow (node: Node, symbol: string): Promise<() => string[]> {
  const wire = new MemoryWire(true)
  receiveText(node.connect(wire), JSON.stringify({ action: 'subscribe', channel: 'quotes', symbols: [symbol] }))
  await ticks()
  return () => wire.messages.flatMap(({ type, sequence, snapshot }) =>
    type === 'reset' ? 'reset' : sequence === undefined ? [] : `${snapshot === true ? 'state' : 'message'} ${sequence}`)
}

for (const [by, removal] of [['an operator', item(override, asset(undefined, { removed: true }))], ['its source', item(declared, 'null')]] as const) {
  test(`an instrument that is removed by ${by} leaves its sets, and whoever subscribes to it by name keeps it`, async t => {
    const node = await startNode()
    t.teardown(() => node.close())
    await node.log.append([item(declared, asset('X')), quote(1)])
    await ticks()
    const [bySet, byName, all] = [await follow(node, '@market/X'), await follow(node, 'A'), await follow(node, '*')]
    await node.log.append([removal])
    await ticks()
    await node.log.append([quote(2)])
    await ticks()
    t.same(bySet(), ['state 1'])
    t.same(byName(), ['state 1', 'message 2'])
    t.same(all(), ['state 1', 'message 2'])
    t.same([...node.hub.directory.instruments()], [])
    await node.log.append([item(override, asset('X'))])
    await ticks()
    await node.log.append([quote(3)])
    await ticks()
    t.same(bySet(), ['state 1', 'reset', 'state 2', 'message 3'], 'and where it is declared again, it enters')
    t.same(byName(), ['state 1', 'message 2', 'message 3'])
    t.same(node.errors, [])
  })
}

test('where the log loses what an operator said, the sets are as they were before it', async t => {
  const node = await startNode()
  t.teardown(() => node.close())
  await node.log.append([item(declared, asset('X')), quote(1)])
  await ticks()
  const bySet = await follow(node, '@market/X')
  await node.log.append([item(override, asset(undefined, { removed: true })), item('instruments.overrides:B', '{"symbol":"B","market":"X"}')])
  await ticks()
  t.same([...node.hub.membership.symbols('@market/X')], ['B'])
  node.log.restart([2])
  await ticks(30)
  t.same([...node.hub.directory.instruments()], [{ symbol: 'A', market: 'X' }])
  t.same([...node.hub.membership.symbols('@market/X')], ['A'])
  await node.log.append([quote(2)])
  await ticks()
  t.same(bySet(), ['state 1', 'reset', 'state 1', 'message 2'])
  t.same(node.errors, [])
})

test('a removed instrument is not known where it was retained no longer, and when a node starts', async t => {
  const node = await startNode({ retention: { messages: 1 } })
  t.teardown(() => node.close())
  await node.log.append([item(declared, asset('X')), item(override, asset(undefined, { removed: true })), item('instruments:B', '{"symbol":"B"}'), item('instruments:B', 'null')])
  await ticks()
  await node.hub.directory.load(node.log, 0, node.hub.epoch(0))
  t.same([...node.hub.directory.instruments()], [])
  t.match(node.hub.directory.known.overrideOf('A'), { removed: true })
})
