import { type ChannelDefinition, standardChannels } from '@tickwire/protocol'
import { setTimeout as delay } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { receiveText, writer } from '../helpers/native.js'
import type { OutgoingMessage } from '../../src/hub/format.js'
import { readHistory } from '../../src/hub/catch-up/history.js'
import { MemoryLog } from '../../src/log/memory/memory-log.js'
import { type Message, RuleFollower } from '../helpers/clients.js'
import { MemoryWire } from '../helpers/memory-wire.js'
import { type Node, startNode, ticks } from '../helpers/node.js'

/** What a channel, an encoder or a subscriber throws affects its topic or its client, and nobody else. */
const book = standardChannels.get('book')!
const { reduce, levels, merge } = book
if (typeof reduce !== 'function' || typeof merge !== 'function' || levels === undefined) throw new Error('the channel book must have reduce, merge and levels')

/** Lets the dialect fail to write some messages until the end of a test. */
function failWriting (t: Test, fails: (message: OutgoingMessage) => boolean): void {
  const { data } = writer
  t.teardown(() => { writer.data = data })
  writer.data = message => {
    if (fails(message)) throw new Error('cannot be written')
    return data.call(writer, message)
  }
}

/** The book's channel, where some functions fail on a level whose price is 13. */
const failsAt = (part: 'reduce' | 'merge' | 'cut'): ReadonlyMap<string, ChannelDefinition> => {
  const check = (where: string, data: unknown): void => { if (where === part && JSON.stringify(data).includes('"13"')) throw new Error(`${where} failed`) }
  const failing: ChannelDefinition = {
    ...book,
    reduce: (state: never, data: never, replaces: boolean) => { check('reduce', data); return reduce(state, data, replaces) as never },
    merge: (pending: never, data: never, replaces: boolean) => { check('merge', data); return merge(pending, data, replaces) as never },
    levels: { ...levels, cut: (state: never, depth: number) => { check('cut', state); return levels.cut(state, depth) as never } }
  }
  return new Map([...standardChannels, ['book', failing]])
}
const update = (price: number, replaces = false, symbol = 'A'): { topic: string, payload: string, replaces: boolean } =>
  ({ topic: `book:${symbol}`, payload: JSON.stringify({ symbol, bids: [[String(price), '1']], asks: [] }), replaces })
const trade = (n: number): { topic: string, payload: string } => ({ topic: 'trades:A', payload: JSON.stringify({ symbol: 'A', price: String(n) }) })

function connect (node: Node, ...subscriptions: object[]): MemoryWire {
  const wire = new MemoryWire(true)
  const connection = node.connect(wire)
  for (const subscription of subscriptions) receiveText(connection, JSON.stringify({ action: 'subscribe', symbols: ['A'], ...subscription }))
  return wire
}
const short = ({ messages }: MemoryWire, channel: string): string[] => messages
  .filter(message => message.channel === channel && message.type !== 'subscribed')
  .map(({ type, sequence, snapshot, reason }) => type === 'reset' ? String(reason) : `${snapshot === true ? 'state ' : ''}${sequence}`)
const gaps = ({ messages }: MemoryWire): string[] => {
  const follower = new RuleFollower()
  for (const message of messages) follower.take(message)
  return follower.gaps
}

test('takes messages in the memory log that cannot be folded, and knows the state again after a replacement', async t => {
  const log = new MemoryLog({ channels: failsAt('reduce'), retention: { messages: 4, seconds: 3600, bytes: 1 << 26 }, maxTopics: 10 })
  t.teardown(() => log.close())
  const told: string[] = []
  await log.tail(0, ({ entries }) => { told.push(...entries.map(({ topic, sequence }) => `${topic} ${sequence}`)) })
  // The log drops the thirteenth message in time, and so folds it in the midst of an append.
  for (let n = 10; n <= 20; n++) await log.append([update(n, n === 10), trade(n)])
  t.same(told, Array.from({ length: 11 }, (_, index) => [`book:A ${index + 1}`, `trades:A ${index + 1}`]).flat(), 'all of it is passed on, in order')
  await t.rejects(log.snapshot('book:A'), { message: 'reduce failed' }, 'the state is not known')
  t.equal((await log.read('book:A', { sequence: 0 }, 10)).entries.length, 4, 'old messages are dropped all the same')
  await log.append([update(30, true), update(31)])
  t.same(JSON.parse((await log.snapshot('book:A'))!.payload).bids.map(([price]: string[]) => price), ['31', '30'])
})

test('drops messages by age although they cannot be folded', async t => {
  let now = 1_000_000
  const log = new MemoryLog({
    channels: failsAt('reduce'), retention: { messages: 100, seconds: 10, bytes: 1 << 26 }, maxTopics: 10, clock: { now: () => now, randomEpoch: () => 1 }
  })
  t.teardown(() => log.close())
  await log.append([update(10, true), update(13), trade(1)])
  now += 20_000
  t.same((await log.read('book:A', { sequence: 0 }, 10)).entries, [])
  t.same((await log.read('trades:A', { sequence: 0 }, 10)).entries, [])
  await t.rejects(log.snapshot('book:A'), { message: 'reduce failed' })
})

for (const part of ['reduce', 'merge', 'cut'] as const) {
  test(`resets a topic whose ${part} fails for those who need it, and continues everything else`, async t => {
    const node = await startNode({ channels: failsAt(part) })
    t.teardown(() => node.close())
    await node.log.append([update(10, true), update(10, true, 'B')])
    await ticks()
    const wires = [connect(node, { channel: 'book', depth: 2 }, { channel: 'trades' }), connect(node, { channel: 'book', throttle_ms: 10 }), connect(node, { channel: 'book', symbols: ['B'] }, { channel: 'trades' })]
    const [cut, throttled, other] = wires as [MemoryWire, MemoryWire, MemoryWire]
    await ticks(30)
    await node.log.append([update(11), update(12)])
    await delay(30)
    await node.log.append([update(12), update(13), trade(1), update(11, false, 'B')])
    await delay(30)
    await node.log.append([update(12), update(13), trade(2), update(12, false, 'B')])
    await delay(60)
    t.same(short(other, 'trades'), ['1', '2'])
    t.same(short(other, 'book'), ['state 1', '2', '3'], 'another topic of the channel is unaffected')
    t.same(short(cut, 'trades'), ['1', '2'], 'another topic of the same client is unaffected')
    const failing = part === 'merge' ? throttled : cut
    t.ok(short(failing, 'book').includes('history_lost'), `the client is told: ${short(failing, 'book').join(', ')}`)
    await node.log.append([update(20, true), update(21), trade(3)])
    await delay(60)
    for (const wire of [cut, throttled]) {
      t.equal(short(wire, 'book').at(-1)?.replace('state ', ''), '9', 'the newest state comes')
      t.same(gaps(wire), [])
      t.equal(wire.closedWith, undefined)
    }
    t.same(short(cut, 'trades'), ['1', '2', '3'])
    const places = node.hub.counters.failures.get('book')!
    t.ok([...places.values()].reduce((sum, count) => sum + count, 0) > 0, 'it is counted')
    t.ok(node.errors.length <= places.size, 'it is logged once for each place')
  })
}

test('resets a topic whose message cannot be encoded, and sends no cursor that covers it before that', async t => {
  const node = await startNode()
  t.teardown(() => node.close())
  await node.log.append([trade(1)])
  await ticks()
  const wire = connect(node, { channel: 'trades' }, { channel: 'quotes' })
  await ticks(30)
  failWriting(t, ({ topic, sequence }) => topic === 'trades:A' && sequence === 2)
  await node.log.append([trade(2), { topic: 'quotes:A', payload: '{"symbol":"A","last":"1"}' }])
  await delay(30)
  await node.log.append([trade(3)])
  await delay(30)
  const kinds = wire.messages.filter(({ type }) => ['reset', 'trade', 'quote', 'cursor'].includes(type))
  const reset = kinds.findIndex(({ type }) => type === 'reset')
  const quote = kinds.findIndex(({ type }) => type === 'quote')
  t.ok(quote >= 0 && quote < reset, 'the window was delivered without it')
  t.notOk(kinds.slice(quote, reset - 1).some(({ type }) => type === 'cursor'), 'without a cursor')
  t.same(short(wire, 'trades').slice(-1), ['3'])
  t.same(gaps(wire), [])
  t.equal(node.errors.length, 1)
})

test('leaves only a message that cannot be encoded out of a history, a snapshot or an unsubscribe', async t => {
  const node = await startNode()
  t.teardown(() => node.close())
  const quote = (symbol: string): { topic: string, payload: string } => ({ topic: `quotes:${symbol}`, payload: JSON.stringify({ symbol, last: '1' }) })
  await node.log.append([trade(1), trade(2), trade(3), quote('A'), quote('B')])
  await ticks()
  let fails = false
  failWriting(t, ({ topic, sequence, replaces }) => (topic === 'trades:A' && sequence === 2) || (fails && replaces && topic === 'quotes:A'))
  const history = await readHistory(node.hub, writer, 'trades:A', { limit: 10 })
  t.same(history!.messages.map(text => JSON.parse(text) as Message).map(({ type, sequence, reason }) => reason ?? `${type} ${sequence}`), ['trade 1', 'history_lost', 'trade 3'])
  const wire = new MemoryWire(true)
  const connection = node.connect(wire)
  receiveText(connection, JSON.stringify({ action: 'subscribe', channel: 'quotes', symbols: ['A', 'B'] }))
  receiveText(connection, JSON.stringify({ action: 'subscribe', channel: 'quotes', symbols: ['*'] }))
  await ticks(30)
  fails = true
  receiveText(connection, JSON.stringify({ action: 'snapshot', id: 'all', channel: 'quotes', symbols: ['A', 'B'] }))
  await ticks(30)
  t.same(wire.messages.slice(-2).map(({ type, symbol, id }) => symbol ?? `${type} ${String(id)}`), ['B', 'done all'])
  receiveText(connection, JSON.stringify({ action: 'unsubscribe', id: 'two', channel: 'quotes', symbols: ['A', 'B'] }))
  await ticks(30)
  const after = wire.messages.slice(wire.messages.findIndex(({ type }) => type === 'unsubscribed'))
  t.same(after.filter(({ channel, type }) => channel === 'quotes' && type !== 'unsubscribed').map(({ type, symbol }) => `${type} ${symbol}`), ['reset A', 'reset B', 'quote B'])
  t.equal(wire.closedWith, undefined)
})

test('closes a subscriber that fails with internal, and sends the others everything', async t => {
  const node = await startNode()
  t.teardown(() => node.close())
  const [first, broken, last] = [connect(node, { channel: 'trades' }), connect(node, { channel: 'trades' }), connect(node, { channel: 'trades' })]
  await ticks(30)
  const { write } = broken
  broken.write = buffers => {
    if (buffers.some(buffer => buffer.includes('"trade"'))) throw new Error('the wire is broken')
    return write.call(broken, buffers)
  }
  await node.log.append([trade(1)])
  await ticks()
  await node.log.append([trade(2)])
  await ticks()
  t.equal(broken.closedWith?.code, 'internal')
  for (const wire of [first, last]) t.same(short(wire, 'trades'), ['1', '2'])
  const lastMessage = (broken.messages as Message[]).at(-1)
  t.match(lastMessage, { type: 'closing', code: 'internal' })
})

test('takes all messages of a batch but an instrument that cannot be read', async t => {
  const node = await startNode()
  t.teardown(() => node.close())
  const wire = connect(node, { channel: 'trades' })
  await ticks(30)
  await node.log.append([trade(1), { topic: 'instruments:X', payload: '7' }, trade(2)])
  await ticks()
  t.same(short(wire, 'trades'), ['1', '2'])
  t.equal(node.hub.counters.failures.get('instruments')?.get('instrument'), 1)
})
