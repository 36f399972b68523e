import { figureLines } from '../fleet/columns.js'
import { byMinute, MOST_GROWN_PERCENT } from '../fleet/memory.js'
import type { FuzzReport } from './run.js'

/** From here on memory is judged: before, caches and lists of free memory take their size. */
const SETTLED_MS = 120_000
/** A run that is shorter says nothing of memory. */
const LEAST_JUDGED_MS = 240_000
const LEAST_PASSED = 0.5

/**
 * Returns what is wrong, one line each; nothing if all holds.
 * @param whole whether the run must have reached everything that can be reached
 */
export function failures (report: FuzzReport, whole: boolean): string[] {
  const { coverage, faults, faultCount, neighbours, left, lastWords, crashed } = report
  const grown = grownPercent(report)
  return [
    ...crashed ? ['the server ended'] : [],
    ...lastWords === '' ? [] : [`the server said: ${lastWords}`],
    ...faults,
    ...faultCount > faults.length ? [`… and ${faultCount - faults.length} more of these`] : [],
    ...neighbours.faults.map(text => `a neighbour: ${text}`),
    ...left.map(text => `left behind: ${text}`),
    ...coverage.passed >= LEAST_PASSED * coverage.inputs ? [] : ['fewer than half of the inputs passed the parser'],
    ...whole ? coverage.missing() : [],
    ...grown === undefined || grown <= MOST_GROWN_PERCENT ? [] : [`memory grew by ${grown.toFixed(1)} %, more than ${MOST_GROWN_PERCENT} %`]
  ]
}

/** From the first minute that counts to the last; undefined for a run that is too short. */
function grownPercent ({ samples, lastedMs }: FuzzReport): number | undefined {
  if (lastedMs < LEAST_JUDGED_MS) return undefined
  const untilMs = Math.floor(lastedMs / 60_000) * 60_000
  const judged = samples.filter(({ at }) => at >= SETTLED_MS && at < untilMs)
  const minutes = byMinute(judged.map(({ at, bytes }) => ({ at: at - SETTLED_MS, bytes })))
  const [first = NaN] = minutes
  return 100 * (minutes.at(-1)! - first) / first
}

/** The report of a run, line by line. */
export function reportLines (report: FuzzReport): string[] {
  const { coverage, lastedMs, control, fuzzed, neighbours, samples } = report
  const grown = grownPercent(report)
  const figures = {
    inputs: coverage.inputs,
    'of them passed the parser': `${(100 * coverage.passed / coverage.inputs).toFixed(1)} %`,
    'a second': Math.round(coverage.inputs / lastedMs * 1000),
    "neighbours' messages": `${neighbours.published} to each of ${neighbours.readers}`,
    'p50, p99, max ms without': `${control.p50}, ${control.p99}, ${control.max}`,
    'p50, p99, max ms beside it': `${fuzzed.p50}, ${fuzzed.p99}, ${fuzzed.max}`,
    'p99 against without': `${(fuzzed.p99 / control.p99).toFixed(2)} times`,
    'RSS MiB by minute': byMinute(samples).join(' '),
    'RSS grown percent from minute three': grown === undefined ? 'not judged: the run is too short' : grown.toFixed(1)
  }
  return [...coverage.lines(), '', ...figureLines(figures)]
}
