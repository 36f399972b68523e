import { performance } from 'node:perf_hooks'
import { test } from 'tap'
import { TurnBudget } from '../../src/hub/turn-budget.js'
import { bytesUsed } from '../helpers/memory.js'

const TASKS = 60
const TASK_MS = 3
/** Two tasks: one fits into the time of a turn, and one that has begun may end. */
const MOST_IN_A_TURN = 2

function work (milliseconds: number): void {
  for (const end = performance.now() + milliseconds; performance.now() < end;);
}

/** Waits as many turns as an idle budget needs to forget the turn that it was asked in. */
async function nextTurns (): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise(resolve => { setImmediate(resolve) })
}

test('lets the event loop turn between a few of many tasks, and performs them in order', async t => {
  const turns = new TurnBudget()
  const order: number[] = []
  const doneByTurn = [0]
  const turn = (): void => {
    doneByTurn.push(order.length)
    if (order.length < TASKS) setTimeout(turn, 0)
  }
  setTimeout(turn, 0)
  await Promise.all(Array.from({ length: TASKS }, async (_, index) => {
    await turns.take({})
    work(TASK_MS)
    order.push(index)
  }))
  t.same(order, Array.from({ length: TASKS }, (_, index) => index), 'first come, first served')
  const most = Math.max(...doneByTurn.map((done, index) => done - (doneByTurn[index - 1] ?? 0)))
  t.ok(most <= MOST_IN_A_TURN, `at most ${most} in one turn`)
  t.ok(doneByTurn.length > TASKS / MOST_IN_A_TURN, `${doneByTurn.length} turns`)
})

test('lets nobody wait while there is time', async t => {
  let time = 0
  const turns = new TurnBudget(() => time)
  const [one, other] = [{}, {}]
  t.equal(turns.take(one), undefined)
  t.equal(turns.take(one), undefined, 'it does not wait for its next piece either')
  const waits = turns.take(other)
  t.not(waits, undefined, 'another one waits, because its piece would come on top')
  await waits
  await nextTurns()
  t.equal(turns.take(other), undefined, 'in a later turn nobody waits')
  time += 10
  t.not(turns.take(other), undefined, 'once the time of the turn is over, the next one waits')
  await nextTurns()
})

test('keeps no reference to those that had a turn when it is over', async t => {
  const turns = new TurnBudget()
  const owners = [new WeakRef({}), new WeakRef({})]
  await Promise.all(owners.map(async owner => { await turns.take(owner.deref()!) }))
  await nextTurns()
  // Objects made in this turn are collected in a later one.
  await new Promise(resolve => { setTimeout(resolve, 0) })
  await bytesUsed()
  t.same(owners.map(owner => owner.deref()), [undefined, undefined])
})

test('lets one that went on ask again, and wait behind the others', async t => {
  const turns = new TurnBudget()
  const order: string[] = []
  const slices = async (name: string): Promise<void> => {
    const owner = {}
    for (let slice = 1; slice <= 3; slice++) {
      await turns.take(owner)
      work(10)
      order.push(`${name}${slice}`)
    }
  }
  await Promise.all([slices('a'), slices('b'), slices('c')])
  t.same(order, ['a1', 'b1', 'c1', 'a2', 'b2', 'c2', 'a3', 'b3', 'c3'])
})
