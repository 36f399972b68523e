import type { Test } from 'tap'
import type { Kind } from './backing.js'
import type { Fault } from './fault.js'
import { faults } from './faults.js'
import { reportLines } from './report.js'
import { run, type RunReport } from './run.js'
import type { World } from './world.js'

/**
 * Enough clients that every transport, node and kind of subscription occurs many times, on a machine with two
 * cores.
 */
const CLIENTS = 200
/**
 * Fewer, for runs in which six servers of Redis, and the network between them, share the machine with the
 * clients.
 */
const CLIENTS_OF_REPLICATED = 120
const TOPICS = 100
const RATE = 300
/** Violations that are shown, and characters of what each server said last. */
const SHOWN = 8
const SHOWN_WORDS = 400

/** A seed that `FAULT_SEED` repeats. */
const seed = Number(process.env['FAULT_SEED'] ?? Date.now() % 1_000_000)

export const namesOf = (kind: Kind, loses: boolean): string[] => faults
  .filter(fault => fault.on.includes(kind) && (fault.loses !== false) === loses)
  .map(({ name }) => name)

/** Runs each of some faults once, all in one run. */
export async function eachOnce (
  t: Test,
  kind: Kind,
  names: readonly string[],
  shards: number
): Promise<RunReport> {
  const left = names.map(name => faults.find(fault => fault.name === name)!)
  const report = await runInTest(t, kind, shards, () => left.shift())
  t.same(report.faults.map(({ name }) => name), names, 'each has happened')
  return report
}

/** @param next see `RunOptions` */
export async function runInTest (
  t: Test,
  kind: Kind,
  shards: number,
  next: (world: World) => Fault | undefined
): Promise<RunReport> {
  t.comment(`seed ${seed}: FAULT_SEED=${seed} repeats it`)
  const report = await run({ kind, seed, shards, clients: kind === 'standalone' ? CLIENTS : CLIENTS_OF_REPLICATED, topics: TOPICS, rate: RATE, long: false, next, say: () => {} })
  for (const line of reportLines(report)) t.comment(line)
  // What a server said last may be why.
  const said = report.lastWords.map(words => words.slice(-SHOWN_WORDS))
  t.same([...report.violations.slice(0, SHOWN), ...said], [], `nothing is violated (seed ${seed})`)
  t.ok(report.acknowledged > 0 && report.delivered > report.acknowledged, 'messages were published and read')
  return report
}
