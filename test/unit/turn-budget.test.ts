import { performance } from 'node:perf_hooks'
import { test } from 'tap'
import { TurnBudget } from '../../src/hub/turn-budget.js'

const TASKS = 60
const TASK_MS = 3
/** What fits into the time of a turn, and what is begun is ended. */
const MOST_IN_A_TURN = 2

function work (milliseconds: number): void {
  for (const end = performance.now() + milliseconds; performance.now() < end;);
}

test('however many ask at once, the event loop turns between a few of them, and they go on in order', async t => {
  const turns = new TurnBudget()
  const order: number[] = []
  const doneByTurn = [0]
  const turn = (): void => {
    doneByTurn.push(order.length)
    if (order.length < TASKS) setTimeout(turn, 0)
  }
  setTimeout(turn, 0)
  await Promise.all(Array.from({ length: TASKS }, async (_, index) => {
    await turns.take()
    work(TASK_MS)
    order.push(index)
  }))
  t.same(order, Array.from({ length: TASKS }, (_, index) => index), 'first come, first served')
  const most = Math.max(...doneByTurn.map((done, index) => done - (doneByTurn[index - 1] ?? 0)))
  t.ok(most <= MOST_IN_A_TURN, `at most ${most} in one turn`)
  t.ok(doneByTurn.length > TASKS / MOST_IN_A_TURN, `${doneByTurn.length} turns`)
})

test('while there is time nobody waits', async t => {
  const turns = new TurnBudget()
  t.equal(turns.take(), undefined)
  await new Promise(resolve => { setImmediate(resolve) })
  await new Promise(resolve => { setImmediate(resolve) })
  t.equal(turns.take(), undefined, 'and in a later turn neither')
})

test('who went on may ask again, and waits behind the others', async t => {
  const turns = new TurnBudget()
  const order: string[] = []
  const slices = async (name: string): Promise<void> => {
    for (let slice = 1; slice <= 3; slice++) {
      await turns.take()
      work(10)
      order.push(`${name}${slice}`)
    }
  }
  await Promise.all([slices('a'), slices('b'), slices('c')])
  t.same(order, ['a1', 'b1', 'c1', 'a2', 'b2', 'c2', 'a3', 'b3', 'c3'])
})
