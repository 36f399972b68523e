import { runProgram, seed, text } from '../fleet/program.js'
import { failures, figures, reportLines } from './report.js'
import { soak } from './run.js'
import { DEFAULT_FEED } from './server-process.js'

/** `npm run soak`: see USAGE. */
const DEFAULT_MINUTES = 30
const USAGE = `usage: npm run soak -- [--minutes ${DEFAULT_MINUTES} | --hours 24] [--clients 2000]
                       [--rate 300] [--seed N]

Clients on all transports subscribe and unsubscribe, stop reading, read on, drop and come back, all at random,
for as long as that lasts. Then
  - memory in the last minute is within 5 % of that at minute five (from ten minutes on),
  - when all have left, no timer, listener, topic, subscription or object of theirs is left in the server,
  - and no client saw a gap, or a message twice on one connection.

A run of ${DEFAULT_MINUTES} minutes or more is written to bench/results/soak.json.`

const RETENTION_SECONDS = 60
/** At 2,000 clients, 40. */
const BULK_EVERY = 50
/** Mean of the time between two things that a client does. */
const PACE_MS = 20_000
/** Some are silent for longer than the server waits for a sign of life. */
const STALL_MS = [2000, 25_000] as const

await runProgram({
  usage: USAGE,
  options: {
    minutes: { type: 'string' },
    hours: { type: 'string' },
    clients: text(2000),
    rate: text(DEFAULT_FEED.rate),
    seed: seed()
  },
  numbers: ['minutes', 'hours', 'clients', 'rate', 'seed'],
  async run ({ minutes, hours }, number, say) {
    if (minutes !== undefined && hours !== undefined) return 'usage'
    const lasts = hours === undefined ? Number(minutes ?? DEFAULT_MINUTES) : 60 * Number(hours)
    const feed = { ...DEFAULT_FEED, rate: number('rate') }
    const common = { clients: number('clients'), seed: number('seed') }
    say(`${lasts} minutes`)
    const report = await soak({
      ...common,
      lastsMs: lasts * 60_000,
      feed,
      bulkEvery: BULK_EVERY,
      retentionSeconds: RETENTION_SECONDS,
      paceMs: PACE_MS,
      stallMs: STALL_MS,
      say
    })
    const failed = failures(report)
    if (lasts >= DEFAULT_MINUTES) {
      const settings = { minutes: lasts, ...common, retention_seconds: RETENTION_SECONDS, ...feed }
      const holds = failed.length === 0
      const results = { ...figures(report), holds, failures: failed, after: report.after }
      await new Promise(resolve => { process.send?.({ settings, results }, resolve) })
    }
    const counts = Object.keys(report.after).length
    return {
      lines: reportLines(report),
      failures: failed,
      holds: `holds: ${counts} counts are what they were before the first client, or less`
    }
  }
})
