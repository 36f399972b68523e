import { figureLines } from '../fleet/columns.js'
import { byMinute, LEAST_JUDGED_MS, MOST_GROWN_PERCENT } from '../fleet/memory.js'
import type { SoakReport } from './run.js'

/** What is wrong, in a line each; nothing where the soak holds. */
export function failures ({ memory, left, tally, gauges, lastWords }: SoakReport): string[] {
  return [
    ...memory === undefined || memory.holds ? [] : [`memory grew by ${memory.grownPercent.toFixed(1)} %, more than ${MOST_GROWN_PERCENT} %`],
    ...left.map(what => `left behind: ${what}`),
    ...tally.shown,
    ...tally.faults > tally.shown.length ? [`… and ${tally.faults - tally.shown.length} more of these`] : [],
    ...gauges.refused === 0 ? [] : [`${gauges.refused} messages of the feed were refused`],
    ...lastWords === '' ? [] : [`the server said: ${lastWords}`]
  ]
}

const exactly = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`

const TOO_SHORT = `not judged: the run lasts less than ${LEAST_JUDGED_MS / 60_000} minutes`

/** The figures of a run, by what they are. */
export function figures (report: SoakReport): Record<string, string | number> {
  const { lastedMs, samples, memory, left, waitedMs, delivered, tally, gauges } = report
  return {
    'lasted s': Math.round(lastedMs / 1000),
    published: gauges.published,
    delivered,
    connections: tally.connects,
    'of them resumed': tally.resumes,
    'dropped by clients': tally.drops,
    'ended by the server': tally.lost,
    'stopped reading': tally.stalls,
    'made to lag': gauges.lags,
    resets: Object.entries(tally.resets).map(([reason, count]) => `${count} ${reason}`).join(', ') || 'none',
    'gaps, duplicates, refusals': tally.faults,
    'RSS MiB by minute': byMinute(samples).join(' '),
    'RSS at minute five': memory === undefined ? TOO_SHORT : exactly(memory.early),
    'RSS in the last minute': memory === undefined ? 'not judged' : exactly(memory.last),
    'RSS grown percent': memory === undefined ? 'not judged' : Number(memory.grownPercent.toFixed(2)),
    'left behind': left.length,
    'nothing was left after s': left.length === 0 ? Number((waitedMs / 1000).toFixed(1)) : 'never'
  }
}

/** The report of a run for people, line by line. */
export const reportLines = (report: SoakReport): string[] => figureLines(figures(report))
