/**
 * Does work whose signal is aborted when another is, or after a time, with a `TimeoutError`. Nothing of it
 * stays at the other signal, which may live as long as the server.
 *
 * `AbortSignal.any([signal, AbortSignal.timeout(…)])` would not do: Node 20 may collect the timeout as
 * garbage before it fires, and the work then waits for ever.
 */
export async function withDeadline<Result> (
  signal: AbortSignal, milliseconds: number, work: (signal: AbortSignal) => Promise<Result>
): Promise<Result> {
  signal.throwIfAborted()
  const controller = new AbortController()
  const abort = (): void => { controller.abort(signal.reason) }
  const timer = setTimeout(() => {
    controller.abort(new DOMException(`not done within ${milliseconds} ms`, 'TimeoutError'))
  }, milliseconds)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await work(controller.signal)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
  }
}
