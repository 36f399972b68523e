/** After how long to ask again for what could not be read, in milliseconds. */
export const RETRY_MS = 2000

/**
 * Does something again and again, one after the other.
 * @param work returns after how many milliseconds to do it again; undefined: never. It does not throw. The
 *   signal is aborted when nobody wants the result any more
 * @returns a function that ends it
 */
export function repeat (work: (signal: AbortSignal) => Promise<number | undefined>): () => void {
  const ending = new AbortController()
  const { signal } = ending
  let timer: ReturnType<typeof setTimeout> | undefined
  async function again (): Promise<void> {
    const wait = await work(signal)
    if (wait !== undefined && !signal.aborted) timer = setTimeout(() => { void again() }, wait)
  }
  void again()
  return () => {
    ending.abort()
    clearTimeout(timer)
  }
}
