/** A command that Redis did not answer in time. */
export class TimedOut extends Error {
  override readonly name = 'TimedOut'
}

/**
 * What an answer must come within. Where the event loop was held up, an answer that has come meanwhile is read before
 * the time is found to be over.
 * @throws TimedOut
 */
export async function timeLimit<Answer> (answer: Promise<Answer>, milliseconds: number): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => { afterReading(() => { reject(new TimedOut(`no answer within ${milliseconds} ms`)) }) }, milliseconds)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Calls back when what has come in by now has been read: timers come before it. */
export function afterReading (callback: () => void): void {
  setImmediate(() => { setImmediate(callback) })
}
