import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import { FlushWindow } from '../../src/hub/flush-window.js'
import { until } from '../helpers/clients.js'

/** Keeps the event loop busy for so long. */
function work (milliseconds: number): void {
  const end = performance.now() + milliseconds
  while (performance.now() < end);
}

test('a fixed window gathers what comes in it, and can be ended early', async t => {
  for (const width of [0, 20]) {
    let flushed = 0
    const window = new FlushWindow(width, () => { flushed++ })
    for (let turn = 0; turn < 3; turn++) {
      for (let n = 0; n < 5; n++) window.schedule()
      t.equal(flushed, turn)
      await until('it is flushed', () => flushed === turn + 1)
    }
    window.schedule()
    window.cancel()
    await delay(40)
    t.equal(flushed, 3, 'what was cancelled does not come')
    t.equal(window.width, width)
  }
})

test('auto: the next tick while there is time, longer windows as it runs out, and back', async t => {
  let cost = 0
  let flushed = 0
  const window = new FlushWindow('auto', () => {
    flushed++
    work(cost)
  })
  const run = async (milliseconds: number, each: () => Promise<void> | void): Promise<number> => {
    const before = flushed
    const end = performance.now() + milliseconds
    while (performance.now() < end) {
      window.schedule()
      await each()
      await new Promise(resolve => { setImmediate(resolve) })
    }
    return flushed - before
  }
  const idle = await run(400, () => delay(5))
  t.ok(idle > 30, `${idle} messages that come now and then leave one by one`)
  t.ok(window.width < 1, `the window is ${window.width} ms`)
  await run(600, () => { work(4) })
  const busy = window.width
  t.ok(busy > 10 && busy <= 50, `a busy process gathers for ${busy} ms`)
  await run(1200, () => delay(5))
  t.ok(window.width < 1, `and goes back to ${window.width} ms`)
  cost = 15
  window.schedule()
  await delay(30)
  t.ok(window.width >= 15, 'never less than what the last flush took')
  window.cancel()
})
