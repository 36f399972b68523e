import fc from 'fast-check'
import { test } from 'tap'
import { MessageRate } from '../../src/connection/message-rate.js'
import { TokenBucket } from '../../src/connection/token-bucket.js'

const rates = fc.integer({ min: 1, max: 5000 })
const bursts = fc.integer({ min: 1, max: 200 })
/**
 * Milliseconds between attempts: mostly none or few, sometimes many, and sometimes a clock that is set back.
 */
const pauses = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.constant(0) },
    { weight: 4, arbitrary: fc.integer({ min: 1, max: 30 }) },
    { weight: 1, arbitrary: fc.integer({ min: 100, max: 100_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: -1000, max: -1 }) }
  ),
  { minLength: 1, maxLength: 300 }
)

/**
 * Tells from the times of earlier grants alone whether one more is allowed. It is if no stretch of time up to
 * now has more grants than a burst and what the rate adds in that stretch.
 */
function isAllowed (granted: readonly number[], now: number, rate: number, burst: number): boolean {
  return granted.every(
    (since, index) => (granted.length - index + 1) * 1000 <= burst * 1000 + (now - since) * rate
  )
}

test('grants all that the rate and the burst allow, and no more', async t => {
  fc.assert(fc.property(rates, bursts, pauses, (rate, burst, steps) => {
    let clock = 1_000_000
    // The time of the bucket; it stands still while the clock runs back.
    let elapsed = 0
    const bucket = new TokenBucket(rate, burst, clock)
    const granted: number[] = []
    for (const pause of steps) {
      clock += pause
      elapsed += Math.max(0, pause)
      const expected = isAllowed(granted, elapsed, rate, burst)
      const wait = bucket.take(clock)
      if ((wait === 0) !== expected) throw new Error(`at ${elapsed}: ${wait}, with ${granted.length} granted`)
      const isAllowedAt = (time: number): boolean => isAllowed(granted, time, rate, burst)
      if (wait === 0) granted.push(elapsed)
      else if (isAllowedAt(elapsed + wait - 1) || !isAllowedAt(elapsed + wait)) {
        throw new Error(`at ${elapsed}: not after ${wait} ms`)
      }
    }
  }), { numRuns: 2000 })
  t.pass('2000 histories')
})

test('never refuses a client within the limit, always one at twice the limit, and ends one above that', async t => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: 10 }), (limit, factor) => {
      const rate = new MessageRate(limit, 0)
      const answers = Array.from({ length: 60 }, (_, second) => {
        return Array.from({ length: limit * factor }, () => rate.take(second * 1000))
      }).flat()
      const refused = answers.filter(answer => answer !== undefined && answer > 0).length
      const ended = answers.includes(undefined)
      if (factor <= 1 && refused > 0) throw new Error('refused within the limit')
      if (factor === 2 && (refused === 0 || ended)) { throw new Error(`at twice the limit ${refused} refused, ${ended ? '' : 'not '}ended`) }
      if (factor > 2 && !ended) throw new Error('never ended')
    })
  )
  const flood = new MessageRate(50, 0)
  const answers = Array.from({ length: 10_000 }, () => flood.take(0))
  t.equal(answers.indexOf(undefined), 600, 'at once: two seconds are granted, ten are refused')
})
