import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import { FlushWindow, type LoopMeter } from '../../src/hub/flush-window.js'
import { until } from '../helpers/clients.js'

test('a fixed window gathers what comes in it, and can be ended early', async t => {
  for (const width of [0, 20]) {
    let flushed = 0
    const window = new FlushWindow(width, () => {
      flushed++
      return { messages: 1, writes: 1 }
    })
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

/** An event loop whose time passes, and that is busy, as the test says. */
class ManualLoop implements LoopMeter {
  time = 0
  busy = 0

  now (): number {
    return this.time
  }

  utilization (): number {
    return this.busy
  }
}

test('auto: the next tick while there is time, longer windows as it runs out, and back', async t => {
  const loop = new ManualLoop()
  let cost = 0
  let messages = 1
  let flushed = 0
  const window = new FlushWindow('auto', () => {
    flushed++
    loop.time += cost
    return { messages, writes: 1 }
  }, loop)
  /** A message every 5 ms; the window before it has ended by then, or this waits for it. */
  const run = async (messages: number): Promise<number> => {
    const before = flushed
    for (let n = 0; n < messages; n++) {
      loop.time += 5 + window.width
      window.schedule()
      await new Promise(resolve => { setImmediate(resolve) })
    }
    return flushed - before
  }
  t.equal(await run(80), 80, 'messages that come now and then leave one by one')
  t.ok(window.width < 1, `the window is ${window.width} ms`)
  loop.busy = 0.9
  await run(120)
  const busy = window.width
  t.ok(busy > 10 && busy <= 50, `a busy process gathers for ${busy} ms`)
  window.schedule()
  const before = flushed
  await new Promise(resolve => { setImmediate(resolve) })
  t.equal(flushed, before, 'what comes now does not leave with the next tick')
  await until('it is flushed', () => flushed === before + 1)
  loop.busy = 0.1
  await run(240)
  t.ok(window.width < 1, `and goes back to ${window.width} ms`)
  cost = 0.5
  messages = 20
  await run(60)
  t.ok(window.width > 4 && window.width <= 16, `where a write for each message would take more than there is, ${window.width} ms save work`)
  cost = 20
  loop.time += 5
  window.schedule()
  await until('it is flushed', () => window.width >= 20)
  t.equal(window.width, 20, 'never less than what the last flush took')
  window.cancel()
})
