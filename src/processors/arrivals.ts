import { setMaxListeners } from 'node:events'
import type { Entry } from '../log/log.js'
import type { ShardInputs } from './shard-inputs.js'

/** An entry of an input. */
export interface Arrival {
  readonly input: ShardInputs
  readonly entry: Entry
  readonly missed?: boolean
}

/** Waits for entries of any shard. Returns none if none came in time. @throws BeginAnew */
export async function arrivals (
  inputs: readonly ShardInputs[],
  withinMs: number,
  signal: AbortSignal
): Promise<Arrival[]> {
  const come = new AbortController()
  setMaxListeners(inputs.length, come.signal)
  // A reason of its own, because the default one is an error with a stack.
  const stop = (): void => { come.abort('arrived') }
  signal.addEventListener('abort', stop)
  // The first shard with entries stops the wait for the others, which then return what they have.
  const arrived = await Promise.all(inputs.map(async input => {
    const entries = await input.next(withinMs, come.signal).finally(stop)
    return entries.map(entry => ({ input, entry }))
  })).finally(() => { signal.removeEventListener('abort', stop) })
  return arrived.flat()
}
