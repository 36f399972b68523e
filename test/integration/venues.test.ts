import { test } from 'tap'
import { venues } from '../../src/sources/venues/venues.js'
import { harms } from '../venues/misbehaviour.js'
import { protocols } from '../venues/protocols/protocols.js'
import { Summary } from '../venues/report.js'
import { run } from '../venues/run.js'
import { syntheticMarkets } from '../venues/synthetic.js'

const RUNS = 2
const STEPS = 150
const PER_MILLE = 20
/** A seed that `npm run venues -- --seed` repeats. */
const FIRST_SEED = Number(process.env['VENUES_SEED'] ?? Date.now() % 1_000_000)

for (const protocol of protocols) {
  test(`a live source of ${protocol.name} passes on nothing wrong, and comes back, whatever the venue does`, {
    timeout: 200_000
  }, async t => {
    const repeat = `VENUES_SEED=${FIRST_SEED} repeats it`
    const venue = venues.find(({ name }) => name === protocol.name)!
    const summary = new Summary(protocol.name)
    for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) {
      const markets = (depth: number | undefined): ReturnType<typeof syntheticMarkets> =>
        syntheticMarkets(protocol, seed, depth)
      const options = { seed, steps: STEPS, perMille: PER_MILLE, only: harms, markets }
      summary.add(await run({ protocol, venue, ...options }))
    }
    for (const line of summary.lines) t.comment(line)
    t.same(summary.failures, [], repeat)
    t.ok(summary.harms > 0, 'frames came to harm')
  })
}
