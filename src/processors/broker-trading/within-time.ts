/**
 * Does some work, and gives up if it takes too long or if the signal aborts.
 * @param work gets a signal that aborts then; whatever it does after that counts for nothing
 * @throws what the work throws, or an error that says that it took too long
 */
export async function withinTime (
  ms: number, signal: AbortSignal, work: (signal: AbortSignal) => Promise<void>
): Promise<void> {
  const limit = new AbortController()
  let stop: (error: unknown) => void = () => {}
  const stopped = new Promise<never>((_resolve, reject) => {
    stop = error => {
      limit.abort(error)
      reject(error)
    }
  })
  const end = (): void => { stop(signal.reason) }
  const timer = setTimeout(() => { stop(new Error(`there was no answer within ${ms} ms`)) }, ms)
  signal.addEventListener('abort', end)
  try {
    await Promise.race([work(limit.signal), stopped])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', end)
  }
}
