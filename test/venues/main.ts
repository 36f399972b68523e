import { runProgram, seed, text } from '../fleet/program.js'
import { venues } from '../../src/sources/venues/venues.js'
import { protocols } from './protocols/protocols.js'
import { Summary } from './report.js'
import { run } from './run.js'
import { recordedMarkets, recordedVenues } from './recorded.js'
import { syntheticMarkets } from './synthetic.js'

/** `npm run venues`: see USAGE. */
const NAMES = protocols.map(({ name }) => name)
const USAGE = `usage: npm run venues -- [--venue ${NAMES.join('|')}] [--runs 100] [--seed N] [--steps 300] [--harm 15]
                        [--recorded]

Starts, for each run, a server with one live source, and plays that source's venue to it on loopback: a market
whose every state is known. The venue misbehaves as the seed says: frames lost, doubled, overtaken, garbled or
of a wrong type, cuts within a frame and between two, half-closed connections, silence, slow and refused
handshakes, and requests that are refused, slow, cut, old or never answered. Time is 20 times as fast for the
source. A subscriber on any transport is judged, message by message:
  - each book that it holds is one that the venue had, in order, or it is stale; where the venue lets nobody
    know that a frame came to harm, a wrong book is counted,
  - each trade comes once, in order, as the venue had it, and each quote is one that there was,
  - the source keeps to the venue's limits,
  - once the venue behaves, all books become the venue's own and the market's status is open.

Run number n of a seed is the first run of the seed n higher.
  --venue    one venue; otherwise all of them, one after another
  --steps    how often each market goes on while the venue misbehaves
  --harm     how many frames in a thousand come to harm
  --recorded the markets are those of the recorded sessions in RECORDINGS, each from a place that the seed
             decides; there is none of Upbit`

await runProgram({
  usage: USAGE,
  options: { recorded: { type: 'boolean', default: false }, venue: text(''), runs: text(100), seed: seed(), steps: text(300), harm: text(15) },
  numbers: ['runs', 'seed', 'steps', 'harm'],
  async run ({ venue: wanted, recorded }, number, say) {
    const chosen = protocols.filter(({ name }) =>
      (wanted === '' || name === wanted) && (!recorded || recordedVenues.includes(name)))
    if (recorded && process.env['RECORDINGS'] === undefined) {
      console.error('--recorded needs RECORDINGS, the folder of the recorded sessions')
      return 2
    }
    const make = recorded ? recordedMarkets : syntheticMarkets
    if (chosen.length === 0) return 'usage'
    const lines: string[] = []
    const failures: string[] = []
    for (const protocol of chosen) {
      const venue = venues.find(({ name }) => name === protocol.name)!
      const summary = new Summary(protocol.name)
      for (let at = 0; at < number('runs'); at++) {
        const runSeed = number('seed') + at
        const markets = (depth: number | undefined): ReturnType<typeof make> => make(protocol, runSeed, depth)
        const [steps, perMille] = [number('steps'), number('harm')]
        const report = await run({ protocol, venue, seed: runSeed, steps, perMille, markets })
        summary.add(report)
        if ((at + 1) % 10 === 0 || report.failures.length > 0) say(summary.progress)
      }
      lines.push(...summary.lines)
      failures.push(...summary.failures)
    }
    return { lines, failures }
  }
})
