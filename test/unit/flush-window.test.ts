import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import { FlushWindow, type LoopMeter } from '../../src/hub/flush-window.js'
import { until } from '../helpers/clients.js'

test('flushes what comes within a fixed window at once, and can cancel it', async t => {
  for (const width of [0, 20]) {
    let flushed = 0
    const window = new FlushWindow(width, () => {
      flushed++
      return { messages: 1, writes: 1 }
    })
    for (let turn = 0; turn < 3; turn++) {
      for (let n = 0; n < 5; n++) window.schedule()
      t.equal(flushed, turn)
      await until('the window is flushed', () => flushed === turn + 1)
    }
    window.schedule()
    window.cancel()
    await delay(40)
    t.equal(flushed, 3, 'a cancelled window is not flushed')
    t.equal(window.width, width)
  }
})

/** An event loop whose time and load the test sets. */
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

test('auto: flushes on the next tick while there is time, widens the window as time runs out, and narrows it again', async t => {
  const loop = new ManualLoop()
  let cost = 0
  let messages = 1
  let flushed = 0
  const window = new FlushWindow('auto', () => {
    flushed++
    loop.time += cost
    return { messages, writes: 1 }
  }, loop)
  /** Schedules a message every 5 ms. By then the window before it has ended, or this waits for it. */
  const publish = async (messages: number): Promise<number> => {
    const before = flushed
    for (let n = 0; n < messages; n++) {
      loop.time += 5 + window.width
      window.schedule()
      await new Promise(resolve => { setImmediate(resolve) })
    }
    return flushed - before
  }
  t.equal(await publish(80), 80, 'messages that come now and then leave one by one')
  t.ok(window.width < 1, `the window is ${window.width} ms`)
  loop.busy = 0.9
  await publish(120)
  const busy = window.width
  t.ok(busy > 10 && busy <= 50, `a busy process gathers for ${busy} ms`)
  window.schedule()
  const before = flushed
  await new Promise(resolve => { setImmediate(resolve) })
  t.equal(flushed, before, 'a message does not leave with the next tick now')
  await until('the window is flushed', () => flushed === before + 1)
  loop.busy = 0.1
  await publish(240)
  t.ok(window.width < 1, `the window narrows to ${window.width} ms`)
  cost = 0.5
  messages = 20
  await publish(60)
  t.ok(
    window.width > 4 && window.width <= 16,
    `a window of ${window.width} ms saves work when a write for each message would take too long`
  )
  cost = 20
  loop.time += 5
  window.schedule()
  await until('the window is flushed', () => window.width >= 20)
  t.equal(window.width, 20, 'the window is never shorter than the last flush took')
  window.cancel()
})
