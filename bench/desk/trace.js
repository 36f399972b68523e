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
export const CATEGORIES = [
  'devtools.timeline', 'disabled-by-default-lighthouse', 'disabled-by-default-devtools.timeline', 'v8'
].join()

/**
 * @typedef {object} Event in microseconds
 * @property {string} name
 * @property {string} ph
 * @property {number} ts
 * @property {number} [dur]
 * @property {number} pid
 * @property {number} tid
 */

/**
 * @param {Event[]} events
 * @returns {Record<'frames' | 'work' | 'script' | 'drawing' | 'tasks', number[]>} all in milliseconds: from
 *   each frame to the next, the work in each, what of it was script and drawing, and each task
 */
export function readTrace (events) {
  const frames = events.filter(({ name }) => name === FRAME)
  // The page's own thread is the one that has its frames.
  const [{ pid, tid } = { pid: -1, tid: -1 }] = frames
  const own = events.filter(event => event.pid === pid && event.tid === tid && event.ph === 'X')
  const starts = frames.map(({ ts }) => ts).sort((a, b) => a - b)
  /** @param {Event[]} some @returns {number[]} milliseconds of the events of each frame */
  const perFrame = some => {
    const sums = new Array(Math.max(0, starts.length - 1)).fill(0)
    let frame = 0
    for (const { ts, dur = 0 } of [...some].sort((a, b) => a.ts - b.ts)) {
      // A task belongs to the frame that it holds up: the next one.
      while (frame < sums.length && ts > (starts[frame + 1] ?? Infinity)) frame++
      if (frame < sums.length && ts >= (starts[0] ?? 0)) sums[frame] += dur / 1000
    }
    return sums
  }
  const tasks = own.filter(({ name }) => name === TASK)
  return {
    frames: starts.slice(1).map((ts, at) => (ts - /** @type {number} */ (starts[at])) / 1000),
    work: perFrame(tasks),
    script: perFrame(outermost(own.filter(({ name }) => KINDS.script.includes(name)))),
    drawing: perFrame(outermost(own.filter(({ name }) => KINDS.drawing.includes(name)))),
    tasks: tasks.map(({ dur = 0 }) => dur / 1000)
  }
}

/** @param {Event[]} events @returns {Event[]} those that are in no other */
function outermost (events) {
  let end = -Infinity
  return [...events].sort((a, b) => a.ts - b.ts).filter(({ ts, dur = 0 }) => {
    if (ts < end) return false
    end = ts + dur
    return true
  })
}
