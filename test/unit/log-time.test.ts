import { test } from 'tap'
import { LogTime } from '../../src/hub/shards/log-time.js'

const MINUTE = 60_000

/** Makes the time of a node whose clock started when the log's clock said `began`. */
function node (began: number): {
  time: LogTime
  pass: (milliseconds: number) => void
  hear: (delay: number) => void
  lag: () => number
} {
  let now = 0
  const time = new LogTime(() => now)
  return {
    time,
    pass: milliseconds => {
      now += milliseconds
    },
    /** Hears a message that was on its way for `delay` milliseconds. */
    hear: delay => {
      time.hear(began + now - delay)
    },
    lag: () => began + now - time.now()
  }
}

test('takes nothing as old before it has heard a message', t => {
  t.equal(new LogTime().now(), -Infinity)
  t.end()
})

test('takes the time from the fastest message, and lets it run on while nothing is heard', t => {
  const { pass, hear, lag } = node(1_700_000_000_000)
  hear(40)
  t.equal(lag(), 40)
  pass(10)
  hear(5)
  pass(10)
  hear(300)
  t.equal(lag(), 5, 'a slow message changes nothing')
  pass(60 * MINUTE)
  t.equal(lag(), 5)
  hear(10 * MINUTE)
  t.equal(lag(), 5, 'neither does one that was read long after it was written')
  t.end()
})

test("follows a log's clock that runs slower or was set", t => {
  let now = 0
  const time = new LogTime(() => now)
  const slow = (): number => 1000 + now * 0.99
  for (; now < 10 * MINUTE; now += 100) time.hear(slow())
  t.ok(Math.abs(time.now() - slow()) < 2 * MINUTE * 0.01 + 1, 'it is behind by at most what two windows make')
  time.hear(slow() + 60 * MINUTE)
  t.equal(time.now(), slow() + 60 * MINUTE, "it follows at once if the log's clock is set ahead")
  t.end()
})
