// How long test files took, kept in `dist` from run to run.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root } from './prepare.js'

const FILE = join(root, 'dist', '.tickwire-test-times')
/** How many of the slowest are shown, and of a run of at least how many files. */
const SHOWN = 10
const SHOWN_FROM = 2 * SHOWN

/** @returns {Record<string, number>} seconds by file */
export function readTimes () {
  if (!existsSync(FILE)) return {}
  try {
    return JSON.parse(readFileSync(FILE, 'utf8'))
  } catch {
    // A run that was ended as it wrote: the order matters little.
    return {}
  }
}

/** @param {Readonly<Record<string, number>>} times of this run; others are kept */
export function writeTimes (times) {
  mkdirSync(dirname(FILE), { recursive: true })
  writeFileSync(FILE, JSON.stringify({ ...readTimes(), ...times }, undefined, 1))
}

/**
 * The slowest files of a run, a line each; none of a short run.
 * @param {Readonly<Record<string, number>>} times
 */
export function slowestLines (times) {
  const all = Object.entries(times).sort(([, a], [, b]) => b - a)
  if (all.length < SHOWN_FROM) return []
  const total = all.reduce((sum, [, seconds]) => sum + seconds, 0)
  return [
    `${all.length} files took ${total.toFixed(0)} s together; the slowest:`,
    ...all.slice(0, SHOWN).map(([name, seconds]) => `${seconds.toFixed(1).padStart(7)} s  ${name}`)
  ]
}
