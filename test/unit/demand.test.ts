import { standardChannels } from '@tickwire/protocol'
import { type Test, test } from 'tap'
import { Demand, type DemandedTopic } from '../../src/hub/audience/demand.js'
import { Membership } from '../../src/hub/audience/membership.js'
import { makeSelector, type Selector } from '../../src/hub/audience/selector.js'
import { Choices } from '../helpers/random.js'

const select = (channel: string, symbol?: string): Selector =>
  makeSelector(standardChannels.get(channel)!, symbol, undefined)
const turn = (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })

function watched (symbols = new Set(['A', 'B'])): {
  demand: Demand
  membership: Membership
  isWanted: () => boolean
  topics: () => readonly DemandedTopic[]
  changes: boolean[]
} {
  const membership = new Membership()
  const demand = new Demand(membership)
  const changes: boolean[] = []
  const watch = demand.watch(
    { channels: ['quotes', 'trades', 'news'], covers: symbol => symbols.has(symbol) },
    () => {
      changes.push(watch.isWanted())
    }
  )
  const topics = (): ReturnType<typeof watch.topics> => watch.topics(() => symbols)
  return { demand, membership, isWanted: () => watch.isWanted(), topics, changes }
}

test('counts its symbols, whole channels, sets with one of its symbols, and channels without symbols', async (t: Test) => {
  const { demand, membership, isWanted } = watched()
  membership.set({ symbol: 'A', market: 'M', sector: 'S' })
  membership.set({ symbol: 'Z', market: 'OTHER', sector: 'T' })
  const cases: ReadonlyArray<readonly [Selector, boolean]> = [
    [select('quotes', 'A'), true],
    [select('trades', 'B'), true],
    [select('quotes', 'Z'), false],
    [select('book', 'A'), false],
    [select('quotes', '*'), true],
    [select('book', '*'), false],
    [select('quotes', '@market/M'), true],
    [select('quotes', '@sector/T'), false],
    [select('quotes', '@market/NONE'), false],
    [select('news'), true],
    [select('system'), false]
  ]
  for (const [selector, wanted] of cases) {
    demand.add(selector)
    t.equal(isWanted(), wanted, selector.key)
    demand.remove(selector)
    t.equal(isWanted(), false)
  }
  const set = select('quotes', '@market/OTHER')
  demand.add(set)
  membership.set({ symbol: 'B', market: 'OTHER' })
  t.equal(isWanted(), true, 'a set counts for its present members')
})

test('names the topics that are wanted, and once those that came and went', async t => {
  const { demand, membership, topics } = watched()
  for (const symbol of ['A', 'B']) membership.set({ symbol, market: 'M' })
  const named = (): string[] => topics().map(({ channel, symbol }) => `${channel}:${symbol}`).sort()
  const all = [select('quotes', 'A'), select('trades', '*'), select('trades', '@market/M'), select('news')]
  for (const selector of [...all, select('quotes', 'Z'), select('book', 'A')]) demand.add(selector)
  const both = ['quotes:A', 'trades:A', 'trades:A', 'trades:B', 'trades:B']
  t.same(named(), both)
  t.same(named(), both, 'as long as they are there')
  for (const selector of all) demand.remove(selector)
  t.same(named(), [], 'what was named already is not named when it has gone')
  demand.add(select('quotes', 'B'))
  demand.remove(select('quotes', 'B'))
  t.same(named(), ['quotes:B'])
  t.same(named(), [])
})

test('names first the topics that somebody names, and then the members of sets', async t => {
  const { demand, membership, topics } = watched()
  for (const symbol of ['A', 'B']) membership.set({ symbol, market: 'M' })
  const named = (): string[] => topics().map(({ channel, symbol, isNamed }) => `${channel}:${symbol} ${isNamed}`)
  for (const selector of [select('trades', '*'), select('quotes', '@market/M'), select('trades', 'B')]) {
    demand.add(selector)
  }
  const [first, ...others] = named()
  t.equal(first, 'trades:B true')
  t.same(others.sort(), ['quotes:A false', 'quotes:B false', 'trades:A false', 'trades:B false'])
  demand.remove(select('trades', 'B'))
  demand.add(select('quotes', 'A'))
  t.equal(named()[0], 'quotes:A true', 'one that came last, too')
})

test('reports begin and end, but not what comes and goes within one turn', async t => {
  const { demand, changes } = watched()
  const selector = select('quotes', 'A')
  for (let n = 0; n < 3; n++) demand.add(selector)
  await turn()
  t.same(changes, [true])
  demand.remove(selector)
  demand.add(select('trades', 'B'))
  demand.remove(selector)
  demand.remove(selector)
  await turn()
  t.same(changes, [true])
  demand.remove(select('trades', 'B'))
  demand.add(select('trades', 'B'))
  await turn()
  t.same(changes, [true])
  demand.remove(select('trades', 'B'))
  await turn()
  t.same(changes, [true, false])
})

test('wants a source exactly while somebody does, in whatever order they come and go', async t => {
  const random = new Choices(7)
  const { demand, isWanted, changes } = watched()
  const all = [
    select('quotes', 'A'),
    select('quotes', 'Z'),
    select('quotes', '*'),
    select('news'),
    select('system')
  ]
  const matching = new Set([all[0], all[2], all[3]])
  const held: Selector[] = []
  for (let n = 0; n < 2000; n++) {
    if (held.length === 0 || random.integer(0, 2) === 0) {
      const selector = random.pick(all)
      held.push(selector)
      demand.add(selector)
    } else demand.remove(held.splice(random.integer(0, held.length - 1), 1)[0]!)
    if (isWanted() !== held.some(selector => matching.has(selector))) t.fail(`step ${n}`)
  }
  for (const selector of held) demand.remove(selector)
  await turn()
  t.equal(isWanted(), false)
  t.ok(changes.every((wanted, index) => index === 0 || wanted !== changes[index - 1]))
})
