import { standardChannels } from '@tickwire/protocol'
import { type Test, test } from 'tap'
import { makeSelector, Selection } from '../../src/hub/audience/selector.js'
import { Plan, type PlanOptions } from '../../src/hub/catch-up/plan.js'
import { startNode, ticks } from '../helpers/node.js'

const OPTIONS: PlanOptions = {
  snapshots: true, except: () => false, reduced: 'join', maxBacklog: Infinity, maxRetained: Infinity, dropped: 'history_lost'
}

/** What a plan says, without what is empty. */
function saying (plan: Plan): Record<string, unknown> {
  const maps = { pending: plan.pending, floors: plan.floors, sent: plan.sent, backlog: plan.backlog }
  return {
    ...Object.fromEntries(Object.entries(maps)
      .filter(([, map]) => map.size > 0)
      .map(([name, map]) => [name, Object.fromEntries<unknown>(map)])),
    ...(plan.joining.size === 0 ? {} : { joining: [...plan.joining] }),
    ...(plan.lostTopics === undefined ? {} : { lostTopics: plan.lostTopics }),
    ...(plan.recovered ? {} : { recovered: false })
  }
}

/**
 * Plans against a log of six messages, one by one in two topics without a state and one with a state:
 * trades:A at 1 and 4, trades:B at 2 and 5, quotes:A at 3 and 6.
 */
async function begin (
  t: Test,
  options: Partial<PlanOptions> = {},
  view = { throttleMs: 0, depth: 0 }
): Promise<Plan> {
  const node = await startNode()
  t.teardown(() => node.close())
  for (const n of [1, 2]) {
    for (const topic of ['trades:A', 'trades:B', 'quotes:A']) {
      await node.log.append([{ topic, payload: JSON.stringify({ symbol: topic.at(-1), price: String(n) }) }])
    }
  }
  await ticks()
  const [trades, quotes] = [standardChannels.get('trades')!, standardChannels.get('quotes')!]
  const selectors = [
    ...['A', 'B'].map(symbol => makeSelector(trades, symbol, undefined, { last: 1 })),
    makeSelector(quotes, 'A', undefined, { view })
  ]
  return new Plan(node.hub, new Selection(selectors, node.hub.membership), { ...OPTIONS, ...options }, true)
}

const AT_PRESENT = [6]
const THROTTLED = { throttleMs: 100, depth: 0 }

interface Row {
  readonly title: string
  readonly change: (plan: Plan) => unknown
  readonly says: Record<string, unknown>
  /** Absent: where the hub stands. */
  readonly position?: readonly number[]
  readonly options?: Partial<PlanOptions>
  readonly view?: typeof THROTTLED
}

const rows: readonly Row[] = [
  { title: 'a new plan stands at the present, and nothing is pending', change: () => {}, says: {} },
  {
    title: 'a shard is resumed at the offset that the client holds',
    change: plan => { plan.resumeShard(0, 3) },
    says: {},
    position: [3]
  },
  {
    title: 'a topic with an earlier start moves its shard back, and never forward',
    change: plan => { plan.readFrom(0, 2); plan.readFrom(0, 5) },
    says: {},
    position: [2]
  },
  {
    title: 'a topic without a state begins with its newest messages',
    change: plan => { plan.begin('trades:A', true) },
    says: { pending: { 'trades:A': { reason: undefined } }, backlog: { 'trades:A': 1 } }
  },
  {
    title: 'a topic with a state begins with it',
    change: plan => { plan.begin('quotes:A', true) },
    says: { pending: { 'quotes:A': { reason: undefined } } }
  },
  { title: 'a state that is not wanted is not given', change: plan => { plan.begin('quotes:A', false) }, says: {} },
  {
    title: 'a throttled topic begins with its state in the tick of joining',
    view: THROTTLED,
    change: plan => { plan.begin('quotes:A', true) },
    says: { joining: ['quotes:A'] }
  },
  {
    title: 'a poll merges instead, and gives the state of a throttled topic like any other',
    view: THROTTLED,
    options: { reduced: 'merge' },
    change: plan => { plan.begin('quotes:A', true) },
    says: { pending: { 'quotes:A': { reason: undefined } } }
  },
  {
    title: '`last` is divided among the topics where messages are limited',
    options: { maxBacklog: 2 },
    change: plan => { plan.begin('trades:A', true) },
    says: {}
  },
  {
    title: 'a reset forgets the newest messages that were asked for, and says that the client did not recover',
    change: plan => { plan.begin('trades:A', true); plan.reset('trades:A', 'history_lost') },
    says: { pending: { 'trades:A': { reason: 'history_lost' } }, recovered: false }
  },
  {
    title: 'a reset of a throttled topic comes at once, and its state in the tick of joining',
    view: THROTTLED,
    change: plan => { plan.reset('quotes:A', 'entered') },
    says: { pending: { 'quotes:A': { reason: 'entered' } }, joining: ['quotes:A'], recovered: false }
  },
  {
    title: 'a topic that is sent live already is not reset',
    options: { except: topic => topic === 'trades:A' },
    change: plan => { plan.reset('trades:A', 'entered') },
    says: {}
  },
  {
    title: 'a message that could not be written voids older cursors',
    change: plan => { plan.lose('trades:A') },
    says: { pending: { 'trades:A': { reason: 'history_lost', voids: true } } }
  },
  {
    title: 'a lost shard resets every topic of it, and is read from its beginning',
    change: plan => { plan.resumeShard(0, 3); plan.resetShard(0) },
    says: {
      pending: Object.fromEntries(['trades:A', 'trades:B', 'quotes:A'].map(topic => [topic, { reason: 'epoch_changed' }])),
      lostTopics: 6,
      recovered: false
    },
    position: [0]
  },
  {
    title: 'a new epoch resets only what was sent from its start on',
    change: plan => {
      plan.advance(0, 5)
      plan.markSent('trades:A', 4)
      plan.markSent('quotes:A', 3)
      return plan.enterEpoch(0, 7, 4)
    },
    says: { pending: { 'trades:A': { reason: 'epoch_changed' } }, sent: { 'trades:A': 4, 'quotes:A': 3 } },
    position: [3]
  },
  {
    title: 'a new epoch that starts within what the client held at the beginning resets the shard',
    change: plan => { plan.resumeShard(0, 5); return plan.enterEpoch(0, 7, 4) },
    says: {
      pending: Object.fromEntries(['trades:A', 'trades:B', 'quotes:A'].map(topic => [topic, { reason: 'epoch_changed' }])),
      lostTopics: 6,
      recovered: false
    },
    position: [0]
  },
  {
    title: 'a new epoch resets the topics with a state, if the client may have states of an earlier one',
    options: { heldEpochs: [5] },
    change: plan => { plan.enterEpoch(0, 7, 4) },
    says: { pending: { 'quotes:A': { reason: 'epoch_changed' } } },
    position: [3]
  },
  {
    title: 'an epoch in which the client was sent its states resets none of them',
    options: { heldEpochs: [7] },
    change: plan => { plan.enterEpoch(0, 7, 4) },
    says: {},
    position: [3]
  },
  {
    title: 'a new epoch lowers what is known beyond its start',
    change: plan => { plan.resumeTopic('trades:A', 5); plan.resumeTopic('trades:B', 2); plan.enterEpoch(0, 7, 4) },
    says: {
      floors: { 'trades:A': 3, 'trades:B': 2 },
      sent: { 'trades:A': 5, 'trades:B': 2 },
      pending: { 'trades:A': { reason: 'epoch_changed' } }
    },
    position: [3]
  },
  {
    title: 'a state that was given is a floor of its topic',
    change: plan => { plan.requireState('quotes:A'); plan.markReset('quotes:A'); plan.markGiven('quotes:A', 6) },
    says: { floors: { 'quotes:A': 6 }, sent: { 'quotes:A': 6 } }
  },
  {
    title: 'after a reset alone the client holds nothing of the topic',
    change: plan => { plan.restate('quotes:A', 'lagging'); plan.markReset('quotes:A'); plan.markGiven('quotes:A', undefined) },
    says: { sent: { 'quotes:A': 0 } }
  },
  {
    title: 'a topic without a known state waits from the position on',
    change: plan => { plan.resumeShard(0, 4); plan.requireState('quotes:A'); plan.markWaiting('quotes:A') },
    says: { floors: { 'quotes:A': 4 } },
    position: [4]
  },
  {
    title: 'a history is given in parts, and then is a floor',
    change: plan => {
      plan.restate('trades:A', 'entered')
      plan.markReset('trades:A')
      plan.markPartGiven('trades:A', 'entered', 1)
      plan.markPartGiven('trades:B', 'entered', 2)
      plan.markHistoryGiven('trades:A', 6)
    },
    says: { pending: { 'trades:B': { reason: 'entered', givenUpTo: 2 } }, floors: { 'trades:A': 6 }, sent: { 'trades:A': 0 } }
  },
  {
    title: 'nothing is pending of a topic that is forgotten',
    view: THROTTLED,
    change: plan => { plan.restate('quotes:A', 'entered'); plan.forget('quotes:A') },
    says: {}
  },
  {
    title: 'newest messages are taken once',
    change: plan => { plan.begin('trades:A', true); return [plan.takeBacklog('trades:A'), plan.takeBacklog('trades:A')] },
    says: { pending: { 'trades:A': { reason: undefined } } }
  },
  { title: 'the plan catches up with the hub', change: plan => { plan.resumeShard(0, 1); plan.advanceToHub() }, says: {} }
]

for (const { title, change, says, position = AT_PRESENT, options, view } of rows) {
  test(title, async t => {
    const plan = await begin(t, options, view)
    change(plan)
    t.same(saying(plan), says)
    t.same(plan.position, position)
  })
}

test('a new epoch says whether it causes a reset that an older cursor would miss', async t => {
  const plan = await begin(t)
  plan.markSent('trades:A', 4)
  t.equal(plan.enterEpoch(0, 7, 5), false)
  t.equal(plan.enterEpoch(0, 8, 4), true)
  t.same(plan.epochs, [8])
})
