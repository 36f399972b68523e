import { useEffect, useRef } from 'react'
import { createStore, useStore } from './store.js'

/** Whether the page stands still, for somebody who wants to read it. What comes meanwhile is not lost. */
export const frozen = createStore(false)

/** Returns the value, or while the page is frozen the one that was shown before. */
export function useUnlessFrozen<Value> (value: Value): Value {
  const isFrozen = useStore(frozen)
  const shown = useRef(value)
  // Not while it renders: React may drop the render.
  useEffect(() => { if (!isFrozen) shown.current = value })
  return isFrozen ? shown.current : value
}
