import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from 'react'
import type { State } from '../state.js'
import { useClient } from './provider.js'

const IDLE: State = { name: 'idle' }

/** Returns the state of the connection. It is told at once, not with the next frame. */
export function useConnection (): State {
  const client = useClient()
  const subscribe = useCallback((listener: () => void) => client.on('state', listener), [client])
  return useSyncExternalStore(subscribe, () => client.state, () => IDLE)
}

/** What becomes of an action. */
export interface ActionState<Result> {
  /** Whether the answer is still to come. */
  readonly pending: boolean
  readonly error: Error | undefined
  readonly result: Result | undefined
}

const NOTHING = { error: undefined, result: undefined }

/**
 * Returns a function that does something once at a time, such as sending an order, and what became of it.
 * While it is pending, a second call is ignored: a double click sends one order.
 */
export function useAction<Arguments extends unknown[], Result> (
  action: (...args: Arguments) => Promise<Result>
): [run: (...args: Arguments) => Promise<Result | undefined>, state: ActionState<Result>] {
  const [state, setState] = useState<ActionState<Result>>({ ...NOTHING, pending: false })
  const isPending = useRef(false)
  const newest = useRef(action)
  // Not while it renders: React may drop the render.
  useEffect(() => { newest.current = action })
  const run = useCallback(async (...args: Arguments): Promise<Result | undefined> => {
    if (isPending.current) return undefined
    isPending.current = true
    setState({ ...NOTHING, pending: true })
    try {
      const result = await newest.current(...args)
      setState({ ...NOTHING, pending: false, result })
      return result
    } catch (error) {
      setState({ ...NOTHING, pending: false, error: error as Error })
      return undefined
    } finally {
      isPending.current = false
    }
  }, [])
  return [run, state]
}
