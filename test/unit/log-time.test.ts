import { test } from 'tap'
import { LogTime } from '../../src/hub/shards/log-time.js'

const MINUTE = 60_000

/** A node whose clock began to run when the log's clock said `began`. */
function node (began: number): { time: LogTime, pass: (milliseconds: number) => void, hear: (delay: number) => void, isIn: () => number } {
  let now = 0
  const time = new LogTime(() => now)
  return {
    time,
    pass: milliseconds => { now += milliseconds },
    /** A message that was so long on its way. */
    hear: delay => { time.hear(began + now - delay) },
    isIn: () => began + now - time.now()
  }
}

test('nothing is old before anything was heard', t => {
  t.equal(new LogTime().now(), -Infinity)
  t.end()
})

test('the fastest message tells the time, and the time goes on when nothing is heard', t => {
  const { pass, hear, isIn } = node(1_700_000_000_000)
  hear(40)
  t.equal(isIn(), 40)
  pass(10)
  hear(5)
  pass(10)
  hear(300)
  t.equal(isIn(), 5, 'a slow message changes nothing')
  pass(60 * MINUTE)
  t.equal(isIn(), 5)
  hear(10 * MINUTE)
  t.equal(isIn(), 5, 'nor does one that was read long after it was written')
  t.end()
})

test('it follows a clock of the log that runs slower, or was set', t => {
  let now = 0
  const time = new LogTime(() => now)
  const slow = (): number => 1000 + now * 0.99
  for (; now < 10 * MINUTE; now += 100) time.hear(slow())
  t.ok(Math.abs(time.now() - slow()) < 2 * MINUTE * 0.01 + 1, 'it is behind by what two windows make at most')
  time.hear(slow() + 60 * MINUTE)
  t.equal(time.now(), slow() + 60 * MINUTE, 'a log that is set ahead is followed at once')
  t.end()
})
