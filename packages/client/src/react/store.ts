import { useSyncExternalStore } from 'react'
import type { Client } from '../client.js'
import { inNextFrame } from './frames.js'
import { useClient } from './provider.js'

/** What is open while a component looks at a store. */
export interface Opened<Value> {
  /** The present value: the same object as long as nothing has changed. */
  readonly read: () => Value
  readonly close: () => void
}

/** A value outside of React that components read. */
interface Store<Value> {
  readonly subscribe: (listener: () => void) => () => void
  readonly read: () => Value
}

const stores = new WeakMap<Client, Map<string, Store<unknown>>>()

/**
 * Makes a store that is open only while components look at it, and whose value moves once a frame. Opening
 * happens when a component is mounted, never while it renders, so that a render that React drops leaves
 * nothing behind.
 */
function createStore<Value> (
  open: (changed: () => void) => Opened<Value>, empty: Value, forget: () => void
): Store<Value> {
  const listeners = new Set<() => void>()
  let opened: Opened<Value> | undefined
  let value = empty
  const tell = (): void => {
    const next = opened?.read() ?? empty
    if (next === value) return
    value = next
    for (const listener of [...listeners]) listener()
  }
  return {
    subscribe (listener) {
      listeners.add(listener)
      opened ??= open(() => { inNextFrame(tell) })
      inNextFrame(tell)
      return () => {
        listeners.delete(listener)
        if (listeners.size > 0) return
        opened?.close()
        opened = undefined
        value = empty
        forget()
      }
    },
    read: () => value
  }
}

/**
 * Reads a value that all components with the same key share.
 * @param key names the value; undefined: there is none, and the hook gives `empty`
 * @param open opens the value; it is called when the first component is mounted
 * @param empty the value before anything came; the same object at each call
 */
export function useStore<Value> (
  key: string | undefined, open: (client: Client, changed: () => void) => Opened<Value>, empty: Value
): Value {
  const client = useClient()
  const { subscribe, read } = key === undefined ? nothing(empty) : storeOf(client, key, open, empty)
  return useSyncExternalStore(subscribe, read, () => empty)
}

const unsubscribe = (): void => {}
const never = (): (() => void) => unsubscribe
const nothing = <Value> (empty: Value): Store<Value> => ({ subscribe: never, read: () => empty })

function storeOf<Value> (
  client: Client, key: string, open: (client: Client, changed: () => void) => Opened<Value>, empty: Value
): Store<Value> {
  let known = stores.get(client)
  if (known === undefined) stores.set(client, known = new Map())
  const all = known
  let store = all.get(key) as Store<Value> | undefined
  if (store === undefined) {
    // A store that nobody subscribes to after the render is dropped with the next one of its name.
    const made = store = createStore(changed => open(client, changed), empty, () => {
      if (all.get(key) === made) all.delete(key)
    })
    all.set(key, store)
  }
  return store
}
