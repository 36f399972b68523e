import { programOptions } from '../helpers/program-options.js'
import { failures, figures, reportLines } from './report.js'
import { soak } from './run.js'
import { DEFAULT_FEED } from './server-process.js'

/** `npm run soak`: see USAGE. The exit code is 1 where something does not hold. */
const DEFAULT_MINUTES = 30
const USAGE = `usage: npm run soak -- [--minutes ${DEFAULT_MINUTES} | --hours 24] [--clients 2000] [--rate 300] [--seed N]

Clients on all transports subscribe and unsubscribe, stop reading, read on, drop and come back, all at random, for as long
as that lasts. Then
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

const values = programOptions(USAGE, {
  minutes: { type: 'string' },
  hours: { type: 'string' },
  clients: { type: 'string', default: '2000' },
  rate: { type: 'string', default: String(DEFAULT_FEED.rate) },
  seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  help: { type: 'boolean', default: false }
})

async function main (): Promise<number> {
  const { minutes, hours, clients, rate, seed } = values
  const numbers = [minutes ?? hours ?? '1', clients, rate, seed]
  if (values.help || (minutes !== undefined && hours !== undefined) || numbers.some(text => !/^[1-9]\d*$/.test(text))) {
    console.log(USAGE)
    return values.help ? 0 : 2
  }
  const lasts = hours === undefined ? Number(minutes ?? DEFAULT_MINUTES) : 60 * Number(hours)
  const feed = { ...DEFAULT_FEED, rate: Number(rate) }
  const settings = { minutes: lasts, clients: Number(clients), seed: Number(seed), retention_seconds: RETENTION_SECONDS, ...feed }
  console.log(`seed ${seed}, ${lasts} minutes`)
  const began = Date.now()
  const report = await soak({
    seed: settings.seed,
    clients: settings.clients,
    lastsMs: lasts * 60_000,
    feed,
    bulkEvery: BULK_EVERY,
    retentionSeconds: RETENTION_SECONDS,
    paceMs: PACE_MS,
    stallMs: STALL_MS,
    say: line => { console.log(`${((Date.now() - began) / 1000).toFixed(0).padStart(6)} s  ${line}`) }
  })
  console.log('')
  for (const line of reportLines(report)) console.log(line)
  console.log(`seed ${seed}`)
  const failed = failures(report)
  if (lasts >= DEFAULT_MINUTES) {
    await new Promise(resolve => { process.send?.({ settings, results: { ...figures(report), holds: failed.length === 0, failures: failed, after: report.after } }, resolve) })
  }
  return failed.length === 0 ? 0 : 1
}

// What it has started ends with it: the server listens for `exit`.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => { process.exit(130) })
process.exit(await main())
