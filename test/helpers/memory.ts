import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Characters of {@link largePayload}: next to it all else that a test does is small. */
export const LARGE = 1_000_000

/** JSON text of its own, in one piece of the heap. */
export const largePayload = (): string => JSON.stringify('x'.repeat(LARGE - 2))

/** Bytes that are held, on the heap and in buffers, after a collection. */
export async function bytesUsed (): Promise<number> {
  // Buffers are given back behind the collection that has found them.
  for (let round = 0; round < 3; round++) {
    await nextTurn()
    collectGarbage()
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
