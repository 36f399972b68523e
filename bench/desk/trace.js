/** Reads a trace of Chromium: what the page's main thread did in each frame. */

/** Tasks of the main thread, whole; what they did is in the events within. */
const TASK = 'RunTask'
const FRAME = 'FireAnimationFrame'
/** By kind, the events that count as it: scripts and what they leave behind, and what the browser draws. */
const KINDS = {
  script: ['FunctionCall', 'EvaluateScript', 'RunMicrotasks', 'v8.callFunction', 'MinorGC', 'MajorGC'],
  drawing: [
    'UpdateLayoutTree', 'Layout', 'PrePaint', 'Paint', 'Layerize', 'Commit', 'UpdateLayer',
    'IntersectionObserverController::computeIntersections'
  ]
}
/** As few as do: a trace that says more slows down what it traces. */
export const CATEGORIES = 'devtools.timeline,disabled-by-default-devtools.timeline'

/**
 * @typedef {object} Event in microseconds
 * @property {string} name
 * @property {string} ph
 * @property {number} ts
 * @property {number} [dur]
 * @property {number} [tdur] of its time on a processor
 * @property {number} pid
 * @property {number} tid
 */

/**
 * @param {Event[]} events
 * @returns {Record<'frames' | 'work' | 'script' | 'drawing' | 'tasks', number[]>} all in milliseconds: from
 *   each frame to the next, the work in each, what of it was script and drawing, and each task
 */
export function readTrace (events) {
  const [{ pid, tid } = { pid: -1, tid: -1 }] = events.filter(({ name }) => name === FRAME)
  // The page's own thread is the one that has its frames.
  const own = events.filter(event => event.pid === pid && event.tid === tid).sort((a, b) => a.ts - b.ts)
  const tasks = own.filter(({ name, ph }) => name === TASK && ph === 'X')
  /** All callbacks of a frame are in one task. */
  const starts = own.filter(({ name }) => name === FRAME)
    .map(({ ts }) => tasks.findLast(task => task.ts <= ts)?.ts ?? ts)
    .filter((ts, at, all) => ts !== all[at - 1])
  /** @param {Event[]} some sorted @returns {number[]} what the events of each frame took, in milliseconds */
  const perFrame = some => {
    const sums = new Array(Math.max(0, starts.length - 1)).fill(0)
    let frame = 0
    for (const event of some) {
      while (frame < sums.length && event.ts >= (starts[frame + 1] ?? Infinity)) frame++
      if (frame < sums.length && event.ts >= (starts[0] ?? 0)) sums[frame] += msOf(event)
    }
    return sums
  }
  /** @param {readonly string[]} names */
  const outermostOf = names => outermost(own.filter(({ name, ph }) => ph === 'X' && names.includes(name)))
  return {
    frames: starts.slice(1).map((ts, at) => (ts - /** @type {number} */ (starts[at])) / 1000),
    work: perFrame(tasks),
    script: perFrame(outermostOf(KINDS.script)),
    drawing: perFrame(outermostOf(KINDS.drawing)),
    tasks: tasks.map(({ dur = 0 }) => dur / 1000)
  }
}

/**
 * Returns the time of an event on its processor: what the thread waited for one, because others of the
 * machine had it, is not its work.
 * @param {Event} event
 */
function msOf ({ dur = 0, tdur = dur }) {
  return tdur / 1000
}

/** @param {Event[]} events sorted @returns {Event[]} those that are in no other */
function outermost (events) {
  let end = -Infinity
  return events.filter(({ ts, dur = 0 }) => {
    if (ts < end) return false
    end = ts + dur
    return true
  })
}
