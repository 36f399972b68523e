/** There was no answer in time. */
export class DeadlinePassed extends Error {
  override readonly name = 'DeadlinePassed'
}

/**
 * Does some work, and gives up after a time, or when a signal aborts. Nothing of it stays at that signal,
 * which may live as long as the server.
 *
 * `AbortSignal.any([signal, AbortSignal.timeout(…)])` would not do: Node 20 may collect the timeout as
 * garbage before it fires, and the work then waits for ever.
 * @param work gets a signal that aborts then; whatever it does after that counts for nothing
 * @throws DeadlinePassed; the reason of the signal; what the work throws
 */
export async function withDeadline<Result> (
  signal: AbortSignal, milliseconds: number, work: (signal: AbortSignal) => Promise<Result>
): Promise<Result> {
  signal.throwIfAborted()
  const controller = new AbortController()
  let stop: (reason: Error) => void = () => {}
  const stopped = new Promise<never>((_resolve, reject) => {
    stop = reason => {
      reject(reason)
      controller.abort(reason)
    }
  })
  const end = (): void => { stop(signal.reason as Error) }
  const timer = setTimeout(() => {
    stop(new DeadlinePassed(`there was no answer within ${milliseconds} ms`))
  }, milliseconds)
  signal.addEventListener('abort', end)
  try {
    return await Promise.race([work(controller.signal), stopped])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', end)
  }
}
