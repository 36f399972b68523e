// tap's reporter. It prints one line per test file as the file ends, its failures in full; at the end all
// failures again, and only the counts on the last line. It is not executable on purpose: tap would start an
// executable file as a program instead of importing it.
//
// It reads the parser of each file, not the joined TAP. The joined TAP comes in the order of the files, so a
// slow file would hold back all others, and a time-out there pushes the last file out of the plan and loses
// its result.
import { writeFileSync } from 'node:fs'
import { Transform } from 'node:stream'
import { inspect } from 'node:util'
import { t as runner } from 'tap'
import { countsLine } from './counts.js'
import { slowestLines, writeTimes } from './test-times.js'

/** Where the counts go, as JSON, when scripts/test.js has more to add before it prints them. */
const SUMMARY_FILE = process.env.TICKWIRE_TEST_SUMMARY

/** Diagnostics that are shown in a form of their own, or say nothing about the failure. */
const NOT_SHOWN = new Set(['at', 'diff', 'source', 'stack', 'tapCaught', 'test'])
/** Characters of each failure that the list at the end shows, for whoever sees no more than the end. */
const SHOWN_AT_THE_END = 1500

/** The test points of one file; a subtest's closing point only repeats what is inside, unless nothing is. */
class Counter {
  counts = { passed: 0, failed: 0, skipped: 0 }
  /** @type {{ name: string, diag: Record<string, any> }[]} */
  failures = []
  /** @type {string[]} */
  printed = []

  /**
   * @param {any} parser
   * @param {string[]} path
   */
  watch (parser, path) {
    const seen = { points: 0, failed: 0 }
    /** @type {typeof seen | undefined} */
    let child
    parser.on('child', (/** @type {any} */ sub) => { child = this.watch(sub, [...path, sub.name]) })
    parser.on('extra', (/** @type {string} */ text) => this.printed.push(text))
    parser.on('bailout', (/** @type {string} */ reason) => this.fail([...path, 'bail out'], { reason }))
    parser.on('assert', (/** @type {any} */ point) => {
      const inside = point.closingTestPoint ? child : undefined
      child = undefined
      const failed = !point.ok && !point.todo && !point.skip
      seen.points += inside?.points ?? 0
      seen.failed += inside?.failed ?? 0
      if (inside !== undefined && repeats(point, failed, inside)) return
      seen.points++
      if (failed) {
        seen.failed++
        this.fail([...path, point.name], point.diag ?? {})
      } else if (point.skip || point.todo) this.counts.skipped++
      else this.counts.passed++
    })
    return seen
  }

  /**
   * @param {string[]} path
   * @param {Record<string, any>} diag
   */
  fail (path, diag) {
    this.counts.failed++
    this.failures.push({ name: path.join(' > '), diag })
  }
}

/**
 * @param {any} point
 * @param {boolean} failed
 * @param {{ points: number, failed: number }} inside
 */
function repeats (point, failed, inside) {
  if (failed) return inside.failed > 0
  return inside.points > 0 || !(point.skip || point.todo)
}

export default class Reporter extends Transform {
  #counts = { passed: 0, failed: 0, skipped: 0 }
  /** @type {string[]} */
  #failed = []
  /** Seconds by file. @type {Record<string, number>} */
  #times = {}
  #open = true

  constructor () {
    super({ encoding: 'utf8' })
    const counters = new Map()
    runner.on('subtestStart', file => {
      const counter = new Counter()
      const seen = counter.watch(file.parser, [file.name])
      counters.set(file, { counter, seen, started: performance.now() })
    })
    runner.on('subtestEnd', file => {
      const { counter, seen, started } = counters.get(file)
      // tap's own time leaves out what the process takes to start.
      this.#fileEnded(file, counter, seen, (performance.now() - started) / 1000)
    })
  }

  /**
   * @param {unknown} _chunk
   * @param {string} _encoding
   * @param {() => void} done
   */
  _transform (_chunk, _encoding, done) {
    done()
  }

  /** @param {() => void} done */
  _flush (done) {
    writeTimes(this.#times)
    const slowest = slowestLines(this.#times)
    if (slowest.length > 0) this.#line(`\n${slowest.join('\n')}`)
    if (this.#failed.length > 1) this.#line(`\nFailed:\n${this.#failed.map(indent).join('\n')}`)
    if (SUMMARY_FILE === undefined) this.#line(`\n${countsLine(this.#counts)}`)
    else writeFileSync(SUMMARY_FILE, JSON.stringify(this.#counts))
    this.#open = false
    done()
  }

  /**
   * @param {any} file
   * @param {Counter} counter
   * @param {{ points: number, failed: number }} seen
   * @param {number} seconds
   */
  #fileEnded (file, counter, seen, seconds) {
    this.#times[file.name] = seconds
    const ok = file.results?.ok === true
    const { exitCode, signal } = file.options
    if (!ok && counter.counts.failed === 0) {
      const message = signal ? `ended by ${signal}` : `ended with exit code ${exitCode}`
      counter.fail([file.name], { message })
    } else if (ok && seen.points === 0) counter.counts.skipped++
    for (const key of /** @type {const} */ (['passed', 'failed', 'skipped'])) {
      this.#counts[key] += counter.counts[key]
    }
    const outcome = ok ? 'ok  ' : 'FAIL'
    const remark = seen.points === 0 && ok ? ' has no tests' : ''
    this.#line(`${outcome} ${file.name} (${seconds.toFixed(1)} s)${remark}`)
    for (const { name, diag } of counter.failures) {
      const text = indent(explain(diag))
      this.#failed.push(`${name}\n${indent(text.slice(0, SHOWN_AT_THE_END))}`)
      this.#line(`\nFAIL ${name}\n${text}`)
    }
    if (!ok && counter.printed.length > 0) this.#line(`\nIt printed:\n${indent(counter.printed.join(''))}`)
    if (!ok) this.#line(' ')
  }

  /** @param {string} text */
  #line (text) {
    if (this.#open) this.push(`${text.trimEnd()}\n`)
  }
}

/** @param {Record<string, any>} diag */
function explain (diag) {
  const rest = Object.fromEntries(Object.entries(diag).filter(([key]) => !NOT_SHOWN.has(key)))
  const others = Object.keys(rest).length > 0 ? inspect(rest, { depth: 6, breakLength: 100 }) : undefined
  return [diag.diff, diag.source, others, diag.stack]
    .filter(part => part)
    .map(part => part.trimEnd())
    .join('\n')
}

/** @param {string} text */
function indent (text) {
  return text.trimEnd().replace(/^/gm, '  ')
}
