import type { RunReport } from './run.js'

/** Violations that are printed; the others are counted. */
const SHOWN = 30

/** The report of a run for people, line by line. */
export function reportLines (report: RunReport): string[] {
  const { acknowledged, lost, delivered, duplicates, resumes, resets, attempts, slowestMs, faults, violations } = report
  const seen = Object.entries(resets.seen).map(([reason, count]) => `${count} ${reason}`).join(', ') || 'none'
  const lines = [
    `acknowledged          ${acknowledged}, of them lost by Redis ${lost}`,
    `publish               ${attempts.answered} answers, ${attempts.unavailable} of them 503, ${attempts.unanswered} requests without one; slowest ${slowestMs} ms`,
    `delivered             ${delivered}, and ${duplicates} duplicates filtered`,
    `resumes               ${resumes}`,
    `resets                ${seen}`,
    `  called for          ${resets.live} of live topics, ${resets.byPosition} by positions`,
    `  repeated            ${resets.repeated}`,
  `  not called for      ${resets.unjustified}`,
    `  missing             ${resets.missing}`,
    '',
    ...table([
      ['fault', 'lasted ms', 'recovered ms', 'slowest publish ms', 'connections lost'],
      ...faults.map(({ name, lastedMs, recoveredMs, slowestMs, lostConnections }) => [name, lastedMs, recoveredMs, slowestMs, lostConnections].map(String))
    ]),
    '',
    ...violations.slice(0, SHOWN).map(text => `VIOLATION ${text}`)
  ]
  if (violations.length > SHOWN) lines.push(`… and ${violations.length - SHOWN} more`)
  lines.push(violations.length === 0 ? 'no violation' : `${violations.length} violations`)
  return lines
}

function table (rows: readonly string[][]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
  return rows.map(row => row.map((cell, column) => column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)).join('  '))
}
