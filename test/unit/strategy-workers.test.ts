import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { test } from 'tap'
import type { Answer } from '../../src/strategies/workers/requests.js'
import { WorkerPool } from '../../src/strategies/workers/pool.js'
import { StrategyFailure, StrategyWorker, WorkerGone } from '../../src/strategies/workers/worker.js'
import { ROOT } from '../helpers/root.js'

/** Workers: who is to blame for what becomes of one, and who is not. */

const module = pathToFileURL(join(ROOT, 'test/helpers/strategies/unruly.js')).href
/** Long enough for a busy machine: only a call that never ends takes so long. */
const CALL_MS = 2000

const start = (worker: StrategyWorker, name: string, id = name): Promise<Answer> =>
  worker.call({ type: 'start', id, module, name, symbol: 'A', parameters: { reason: 'told' } })
const hear = (worker: StrategyWorker, id: string, close = '666'): Promise<Answer> =>
  worker.call({ type: 'hear', id, kind: 'bar', data: { close, start: 'S' }, moment: { time: 7, position: 3 } })

async function failure (call: Promise<Answer>): Promise<Error> {
  try {
    await call
  } catch (error) {
    return error as Error
  }
  throw new Error('the call has not failed')
}

test('answers with the signal and the log of a strategy', async t => {
  const worker = new StrategyWorker(CALL_MS)
  t.teardown(() => worker.close())
  await start(worker, 'told')
  t.match(await hear(worker, 'told', '1'), { signal: { signal: 'buy', reason: 'told' }, lines: ['bar 1 S 1 3'], ms: Number, error: undefined })
  t.match(await hear(worker, 'told', '5'), { signal: undefined, lines: ['bar 2 S 5 3'] })
})

test('a strategy that throws fails alone, and its worker goes on', async t => {
  const worker = new StrategyWorker(CALL_MS)
  t.teardown(() => worker.close())
  for (const name of ['told', 'throws', 'promises', 'strays', 'unfit']) await start(worker, name)
  for (const [name, words] of [
    ['throws', /as it was told/], ['promises', /onBar returned a promise/], ['strays', /left behind/], ['unfit', /no signal "hold"/]
  ] as const) {
    const error = await failure(hear(worker, name))
    t.type(error, StrategyFailure)
    t.match(error.message, words)
    t.match(await hear(worker, 'told', '1'), { signal: { signal: 'buy' } }, `after ${name}`)
  }
  t.match(await failure(start(worker, 'falls_at_start')), { name: 'StrategyFailure', message: /no start/ })
  t.match(await failure(start(worker, 'nowhere')), { message: /has no strategy nowhere any more/ })
  t.notOk(worker.isGone)
})

for (const [name, words, callMs] of [
  ['loops', /longer than 2000 ms/, CALL_MS], ['microtasks', /longer than 2000 ms/, CALL_MS],
  ['hoards', /too much memory/, 60_000], ['exits', /ended its worker/, 60_000]
] as const) {
  test(`${name}: whoever ends a worker is blamed, and those who wait are not`, async t => {
    const worker = new StrategyWorker(callMs)
    t.teardown(() => worker.close())
    await start(worker, 'told')
    await start(worker, name)
    const [bad, waiting] = await Promise.all([failure(hear(worker, name)), failure(hear(worker, 'told', '1'))])
    t.type(bad, StrategyFailure)
    t.match(bad.message, words)
    t.type(waiting, WorkerGone)
    t.ok(worker.isGone)
    t.type(await failure(hear(worker, 'told', '1')), WorkerGone, 'a later call, too')
  })
}

test('an answer that is here before its time limit is noticed counts', async t => {
  const worker = new StrategyWorker(100)
  t.teardown(() => worker.close())
  await start(worker, 'told')
  const call = hear(worker, 'told', '1')
  // This thread is held up for longer than the call may take, while the worker answers.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500)
  t.match(await call, { signal: { signal: 'buy' } })
})

test('spreads strategies over few workers, and ends a worker with its last strategy', async t => {
  const pool = new WorkerPool(CALL_MS)
  t.teardown(() => pool.close())
  const seats = Array.from({ length: 30 }, (_, index) => ({ id: `s${index}`, worker: pool.seat(`s${index}`) }))
  const workers = new Set(seats.map(({ worker }) => worker))
  t.equal(workers.size, 4)
  for (const worker of workers) t.ok(worker.ids.size >= 7, `${worker.ids.size} strategies`)
  const [first] = workers
  for (const { id, worker } of seats) if (worker === first) pool.leave(worker, id)
  t.ok(first!.isGone)
  t.not(pool.seat('another'), first)
})
