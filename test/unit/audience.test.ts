import fc from 'fast-check'
import { test } from 'tap'
import { standardChannels } from '@tickwire/protocol'
import { native, receiveText } from '../helpers/native.js'
import { Audience } from '../../src/hub/audience/audience.js'
import { Membership } from '../../src/hub/audience/membership.js'
import { makeSelector, type Selector } from '../../src/hub/audience/selector.js'
import type { Subscriber } from '../../src/hub/subscriber.js'
import { type View, viewKey, widerView } from '../../src/hub/conflation/view.js'
import { lines, MemoryWire } from '../helpers/memory-wire.js'
import { startNode, ticks } from '../helpers/node.js'

const format = native.on(lines)
const newSubscriber = (): Subscriber => ({
  format,
  lostTopics: undefined,
  settledAt: 0,
  deliver: () => true,
  flush: () => {},
  requireReset: () => {},
  lose: () => {},
  fail: () => {},
  restated: () => {}
})
const book = standardChannels.get('book')!
const selector = (symbol: string, view: View): Selector => makeSelector(book, symbol, undefined, { view })

test("serves each subscriber a topic by the widest view of that subscriber's own selectors", async t => {
  const people = [0, 1, 2, 3, 4]
  const change = fc.record({
    who: fc.constantFrom(...people),
    symbol: fc.constantFrom('A', '*', '@sector/x', 'B'),
    view: fc.option(fc.record({ throttleMs: fc.constantFrom(0, 10, 20), depth: fc.constantFrom(0, 1, 2) }))
  })
  fc.assert(fc.property(fc.array(change, { maxLength: 40 }), changes => {
    const membership = new Membership()
    membership.set({ symbol: 'A', sector: 'x' })
    const audience = new Audience(membership)
    const subscribers = people.map(newSubscriber)
    const held = subscribers.map(() => new Map<string, View>())
    for (const { who, symbol, view } of changes) {
      const before = held[who]!.get(symbol)
      if (before !== undefined) audience.detach(subscribers[who]!, selector(symbol, before))
      held[who]!.delete(symbol)
      if (view === null) continue
      audience.attach(subscribers[who]!, selector(symbol, view))
      held[who]!.set(symbol, view)
    }
    const topic = audience.of('book:A')
    const expected = new Map<number, Set<Subscriber>>()
    for (const [who, subscriber] of subscribers.entries()) {
      const views = [...held[who]!].filter(([symbol]) => symbol !== 'B').map(([, view]) => view)
      if (views.length === 0) continue
      const key = viewKey(views.reduce(widerView))
      expected.set(key, (expected.get(key) ?? new Set()).add(subscriber))
    }
    const views = [...topic.views()]
    const found = views.map(view => [viewKey(view), [...topic.members(view)]] as const)
    if (found.length !== expected.size) throw new Error(`${found.length} views in place of ${expected.size}`)
    for (const [key, members] of found) {
      const wanted = expected.get(key)
      if (members.length !== wanted?.size || !members.every(member => wanted.has(member))) {
        throw new Error(`other members than expected at ${key}`)
      }
    }
    for (const subscribed of held) {
      for (const [symbol, view] of subscribed) {
        audience.detach(subscribers[held.indexOf(subscribed)]!, selector(symbol, view))
      }
    }
    if (audience.size !== 0) throw new Error('something is left')
  }), { numRuns: 2000 })
  t.pass('2000 audiences')
})

test('sends a book whole to a client that wants it both whole and cut, and others pay nothing', async t => {
  const node = await startNode()
  const update = (price: number): { topic: string, payload: string } => ({
    topic: 'book:B',
    payload: JSON.stringify({ symbol: 'B', bids: [[String(price), '1']], asks: [] })
  })
  await node.log.append([update(1)])
  await ticks()
  const wire = new MemoryWire(true)
  const connection = node.connect(wire)
  for (const depth of [undefined, 1]) {
    receiveText(
      connection,
      JSON.stringify({
        action: 'subscribe',
        channel: 'book',
        symbols: [depth === undefined ? '*' : 'B'],
        ...(depth === undefined ? {} : { depth })
      })
    )
    await ticks()
  }
  await node.log.append([update(2)])
  await ticks()
  t.same(wire.messages.flatMap(({ sequence }) => sequence ?? []), [1, 2])
  await node.close()
})

test('visits many views of a topic in as many steps, not in their square', async t => {
  const audience = new Audience(new Membership())
  const looked = { at: 0 }
  for (let throttleMs = 10; throttleMs < 1010; throttleMs++) {
    audience.attach(
      newSubscriber(),
      selector('*', {
        get throttleMs () {
          looked.at++
          return throttleMs
        },
        depth: 0
      })
    )
  }
  looked.at = 0
  t.equal([...audience.of('book:A').views()].length, 1000)
  t.ok(looked.at <= 10_000, `${looked.at} accesses to 1000 views`)
})
