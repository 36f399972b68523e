import { Play } from './play.js'
import type { Scenario } from './scenario.js'
import { type Transport, transports } from './setup.js'
import { Failure } from './watch.js'

/** One scenario, over one transport or with a choice of several. */
export interface Run {
  readonly scenario: Scenario
  /** The transports that the client may use. */
  readonly allowed: readonly Transport[]
}

export interface Result extends Run {
  readonly seconds: number
  /** Why the client fails, in a sentence; undefined: it passes. */
  readonly why?: string
}

/** Returns the runs of some scenarios with clients that have these transports. */
export function runsOf (scenarios: readonly Scenario[], available: readonly Transport[]): Run[] {
  return scenarios.flatMap(scenario => {
    const { allows, over = transports } = scenario
    const all = allows === undefined ? over.map(transport => [transport]) : [allows]
    return all.filter(allowed => allowed.every(transport => available.includes(transport)))
      .map(allowed => ({ scenario, allowed }))
  })
}

export interface RunOptions {
  /** The command that starts a driver. */
  readonly command: readonly string[]
  /** How many scenarios are played side by side. */
  readonly atOnce: number
  /** How long a step waits for the client. */
  readonly patienceMs: number
}

/** Plays runs side by side, and yields each result as it comes. */
export async function * playAll (
  runs: readonly Run[], { command, atOnce, patienceMs }: RunOptions
): AsyncGenerator<Result> {
  const waiting = [...runs]
  const playing = new Map<Run, Promise<Result>>()
  for (;;) {
    while (playing.size < atOnce && waiting.length > 0) {
      const run = waiting.shift()!
      playing.set(run, playOne(run, command, patienceMs))
    }
    if (playing.size === 0) return
    const result = await Promise.race(playing.values())
    playing.delete([...playing.keys()].find(({ scenario, allowed }) =>
      scenario === result.scenario && allowed === result.allowed)!)
    yield result
  }
}

async function playOne (run: Run, command: readonly string[], patienceMs: number): Promise<Result> {
  const started = performance.now()
  const seconds = (): number => Math.round((performance.now() - started) / 100) / 10
  try {
    await new Play(run.scenario, run.allowed, command, patienceMs).run(run.scenario.steps)
    return { ...run, seconds: seconds() }
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    const { must, clause } = run.scenario
    const source = clause.startsWith('docs/') ? clause : `PROTOCOL.md, ${clause}`
    const why = `the client must ${must} (${source}); ${error.message}`
    return { ...run, seconds: seconds(), why }
  }
}
