/** Redis did not answer a command in time. */
export class TimedOut extends Error {
  override readonly name = 'TimedOut'
}

/**
 * Waits for an answer within a time. If something blocked the event loop, answers that have arrived meanwhile
 * are read before the time counts as over.
 * @throws TimedOut
 */
export async function timeLimit<Answer> (answer: Promise<Answer>, milliseconds: number): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    const giveUp = (): void => { reject(new TimedOut(`no answer within ${milliseconds} ms`)) }
    timer = setTimeout(() => { afterReading(giveUp) }, milliseconds)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Calls back after the event loop has read what has arrived by now: it runs timers before that. */
export function afterReading (callback: () => void): void {
  setImmediate(() => { setImmediate(callback) })
}
