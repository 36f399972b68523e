import { performance } from 'node:perf_hooks'

/** Redis did not answer a command in time. */
export class TimedOut extends Error {
  override readonly name = 'TimedOut'
}

/**
 * Waits for an answer within a time. If something blocked the event loop, answers that have arrived meanwhile
 * are read before the time counts as over.
 * @param since says when the other side last gave a sign of life, by `performance.now`: the time begins
 * there, if that is after the call
 * @throws TimedOut
 */
export async function timeLimit<Answer> (
  answer: Promise<Answer>, milliseconds: number, since: () => number = () => 0
): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined
  let isOver = false
  const late = new Promise<never>((_resolve, reject) => {
    const judge = (): void => {
      if (isOver) return
      const left = since() + milliseconds - performance.now()
      if (left > 0) wait(left)
      else reject(new TimedOut(`no answer within ${milliseconds} ms`))
    }
    const wait = (ms: number): void => { timer = setTimeout(() => { afterReading(judge) }, ms) }
    wait(milliseconds)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    isOver = true
    clearTimeout(timer)
  }
}

/** Calls back after the event loop has read what has arrived by now: it runs timers before that. */
export function afterReading (callback: () => void): void {
  setImmediate(() => { setImmediate(callback) })
}
