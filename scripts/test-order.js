// Which test file is started next.

/** Files with servers in processes of their own and hundreds of clients: each has work for a core or more. */
const HEAVY = /\/(?:integration\/(?:abuse|bars-kills|cuts|faults-[a-z]+|fuzz|orders-faults|processors|rolling-restart|soak)|chaos\/(?:broken|chaos))\.test\.ts$/

/** @param {string} name */
const isHeavy = name => HEAVY.test(name)

/**
 * The longest first, so that none of them runs alone at the end; what is not known keeps its place behind.
 * @param {readonly string[]} names
 * @param {Readonly<Record<string, number>>} times seconds of each, where it has run before
 */
export function inOrder (names, times) {
  return [...names].sort((a, b) => (times[b] ?? 0) - (times[a] ?? 0))
}

/**
 * Takes the next file. Heavy files run one at a time, because they would disturb each other's measurements;
 * two run at once when only heavy files are left.
 * @param {string[]} waiting in order; what is taken is removed
 * @param {ReadonlySet<string>} running
 * @returns {string | undefined} undefined where none may be started now
 */
export function nextFile (waiting, running) {
  const atOnce = waiting.every(isHeavy) ? 2 : 1
  const mayBeHeavy = [...running].filter(isHeavy).length < atOnce
  const heavy = mayBeHeavy ? waiting.findIndex(isHeavy) : -1
  // Heavy ones first: one after another they take about as long as all others beside them.
  const index = heavy >= 0 ? heavy : waiting.findIndex(name => !isHeavy(name))
  return index < 0 ? undefined : waiting.splice(index, 1)[0]
}
