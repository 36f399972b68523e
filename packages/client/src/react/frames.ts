/** How often stores are told where no frames come: in a hidden tab, and outside of a browser. */
const HIDDEN_MS = 250

const waiting = new Set<() => void>()
let isScheduled = false

const isVisible = (): boolean =>
  typeof requestAnimationFrame === 'function' && document.visibilityState === 'visible'

function tellAll (): void {
  isScheduled = false
  const now = [...waiting]
  waiting.clear()
  for (const tell of now) tell()
}

/**
 * Calls a function once in the next frame, however often it is asked to. All that wait are called in one
 * task, so that React renders once for all of them.
 */
export function inNextFrame (tell: () => void): void {
  waiting.add(tell)
  if (isScheduled) return
  isScheduled = true
  if (!isVisible()) {
    setTimeout(tellAll, HIDDEN_MS)
    return
  }
  // A tab that is hidden before the frame gets none until it is seen again.
  const timer = setTimeout(run, HIDDEN_MS)
  const frame = requestAnimationFrame(run)
  function run (): void {
    clearTimeout(timer)
    cancelAnimationFrame(frame)
    tellAll()
  }
}
