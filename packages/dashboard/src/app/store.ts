import { useSyncExternalStore } from 'react'

/** A value that components follow. */
export interface Store<Value> {
  readonly get: () => Value
  readonly set: (value: Value) => void
  /** Calls a listener after each change. @returns a function that takes it away */
  readonly subscribe: (listener: () => void) => () => void
}

export function createStore<Value> (value: Value): Store<Value> {
  const listeners = new Set<() => void>()
  return {
    get: () => value,
    set (next) {
      if (Object.is(next, value)) return
      value = next
      for (const listener of [...listeners]) listener()
    },
    subscribe (listener) {
      listeners.add(listener)
      return () => { listeners.delete(listener) }
    }
  }
}

export const useStore = <Value>({ subscribe, get }: Store<Value>): Value =>
  useSyncExternalStore(subscribe, get)
