import { type Latencies, latenciesOf } from '../fleet/latencies.js'
import type { RollingReport } from './run.js'

const shown = ({ p50, p99, max, count }: Latencies): string => `p50 ${p50}, p99 ${p99}, max ${max} ms (${count})`

/** Returns what happened, in lines. */
export function reportLines (report: RollingReport): string[] {
  const { before, besideStart, during, control, absences, exitCodes } = report
  const { published, delivered, duplicates, refusals, whole } = report
  const beyond = latenciesOf(absences.map(({ ms, askedMs }) => Math.max(0, ms - askedMs)))
  return [
    `latency before:        ${shown(before)}`,
    `latency while a process starts that serves nobody: ${shown(besideStart)}`,
    `latency while one is away, of the others: ${shown(during)}: p99 ${(during.p99 / before.p99).toFixed(2)} times that before, ${(during.p99 / besideStart.p99).toFixed(2)} times that beside a start`,
    `a timer of this process, before all of it: ${shown(control)}`,
    `clients came back ${absences.length} times; beyond the time that they were asked to stay away: ${shown(beyond)}`,
    `published ${published}, delivered ${delivered}, of which came twice behind a cursor ${duplicates}; ${whole} clients have everything once and in order`,
    `not taken, and tried at the next node: ${[...refusals].map(([reason, count]) => `${count} ${reason}`).join(', ') || 'nothing'}`,
    `exit codes: ${exitCodes.join(', ')}`
  ]
}

/** Returns what is wrong, one line each. */
export function failures (
  { exitCodes, faults, refusals, whole, absences }: RollingReport,
  clients: number
): string[] {
  return [
    ...faults,
    ...exitCodes.filter(code => code !== 0).map(code => `a node ended with ${String(code)}`),
    ...[...refusals.keys()].filter(reason => reason !== 'unreachable' && reason !== 'going_away').map(reason => `a node that was there refused: ${reason}`),
    ...whole === clients ? [] : [`${clients - whole} clients do not have everything`],
    ...absences.length >= clients ? [] : [`only ${absences.length} times did a client have to come back: the nodes had no clients`]
  ]
}
