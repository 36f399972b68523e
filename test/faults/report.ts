import { columns } from '../fleet/columns.js'
import type { RunReport } from './run.js'

/** The report of a run for people, line by line. */
export function reportLines (report: RunReport): string[] {
  const { acknowledged, lost, delivered, duplicates, resumes, resets, attempts, slowestMs, faults } = report
  const seen = Object.entries(resets.seen).map(([reason, count]) => `${count} ${reason}`).join(', ') || 'none'
  return [
    `acknowledged          ${acknowledged}, of them lost by Redis ${lost}`,
    `publish               ${attempts.answered} answers, ${attempts.unavailable} of them 503, ${attempts.unanswered} requests ` +
      `without one; slowest ${slowestMs} ms`,
    `delivered             ${delivered}, and ${duplicates} duplicates filtered`,
    `resumes               ${resumes}`,
    `resets                ${seen}`,
    `  called for          ${resets.live} of live topics, ${resets.byPosition} by positions`,
    `  repeated            ${resets.repeated}`,
    `  not called for      ${resets.unjustified}`,
    `  missing             ${resets.missing}`,
    '',
    ...columns([
      ['fault', 'lasted ms', 'recovered ms', 'slowest publish ms', 'connections lost'],
      ...faults.map(({ name, lastedMs, recoveredMs, slowestMs, lostConnections }) => (
        [name, lastedMs, recoveredMs, slowestMs, lostConnections].map(String)))
    ])
  ]
}
