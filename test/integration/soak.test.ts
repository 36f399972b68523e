import { test } from 'tap'
import { failures, reportLines } from '../soak/report.js'
import { soak } from '../soak/run.js'

/**
 * Enough clients for every transport and kind of subscription, and long enough for each to do everything a
 * few times.
 */
const CLIENTS = 100
const LASTS_MS = 7000
const PACE_MS = 700
const STALL_MS = [300, 4000] as const
/** Some clients stay away for longer. */
const RETENTION_SECONDS = 3
const FEED = { rate: 400, trades: 60, quotes: 40, books: 20, bulks: 4, bulkRate: 60 }
const BULK_EVERY = 8

/** A seed that `SOAK_SEED` repeats. */
const seed = Number(process.env['SOAK_SEED'] ?? Date.now() % 1_000_000)

test('leaves nothing behind of clients that came and went at random, and they miss nothing', { timeout: 200_000 }, async t => {
  t.comment(`seed ${seed}: SOAK_SEED=${seed} repeats it`)
  const report = await soak({
    seed,
    clients: CLIENTS,
    lastsMs: LASTS_MS,
    feed: FEED,
    bulkEvery: BULK_EVERY,
    retentionSeconds: RETENTION_SECONDS,
    paceMs: PACE_MS,
    stallMs: STALL_MS,
    say: () => {}
  })
  for (const line of reportLines(report)) t.comment(line)
  t.same(
    failures(report),
    [],
    `nothing is left behind, and no client saw a gap or a duplicate (seed ${seed})`
  )
  const { tally, before, after } = report
  t.ok(
    report.delivered > CLIENTS && tally.resumes > CLIENTS / 4 && tally.stalls > 0,
    'clients read, came back with their cursors and stopped reading'
  )
  t.ok(
    (before['timers of 1000 ms'] ?? 0) > 0 && (after['log: topics'] ?? 0) > 0,
    'what the server keeps for itself was counted'
  )
})
