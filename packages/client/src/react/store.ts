import { useMemo, useSyncExternalStore } from 'react'
import type { Client } from '../client.js'
import { inNextFrame } from './frames.js'
import { useClient } from './provider.js'

/** What is open while a component looks at a store. */
export interface Opened<Value> {
  /** The present value: the same object as long as nothing has changed. */
  readonly read: () => Value
  readonly close: () => void
}

type Open<Value> = (client: Client, changed: () => void) => Opened<Value>
/** What `useSyncExternalStore` asks for. */
interface Store<Value> {
  readonly subscribe: (listener: () => void) => () => void
  readonly read: () => Value
}

/** The stores of each client that components look at now. */
const open = new WeakMap<Client, Map<string, Store<unknown>>>()

/** Makes a store that is open while it has listeners, and whose value moves once a frame. */
function createStore<Value> (
  openValue: (changed: () => void) => Opened<Value>, empty: Value, closed: () => void
): Store<Value> {
  const listeners = new Set<() => void>()
  const opened = openValue(() => { inNextFrame(tell) })
  let value = empty
  function tell (): void {
    if (listeners.size === 0) return
    const next = opened.read()
    if (next === value) return
    value = next
    for (const listener of [...listeners]) listener()
  }
  return {
    subscribe (listener) {
      listeners.add(listener)
      inNextFrame(tell)
      return () => {
        listeners.delete(listener)
        if (listeners.size > 0) return
        opened.close()
        closed()
      }
    },
    read: () => value
  }
}

/**
 * Returns how a component reaches the store of a name. The store begins when a component is mounted, never
 * while one renders, so that a render that React drops leaves nothing behind.
 */
function storeOf<Value> (client: Client, key: string, openValue: Open<Value>, empty: Value): Store<Value> {
  const find = (): Store<Value> | undefined => open.get(client)?.get(key) as Store<Value> | undefined
  return {
    subscribe (listener) {
      let stores = open.get(client)
      if (stores === undefined) open.set(client, stores = new Map())
      const all = stores
      let store = find()
      if (store === undefined) {
        store = createStore(changed => openValue(client, changed), empty, () => { all.delete(key) })
        all.set(key, store)
      }
      return store.subscribe(listener)
    },
    read: () => find()?.read() ?? empty
  }
}

const nothing = <Value> (empty: Value): Store<Value> => ({ subscribe: () => () => {}, read: () => empty })

/**
 * Reads a value that all components with the same key share.
 * @param key names the value; undefined: there is none, and the hook gives `empty`
 * @param openValue opens the value; it is called when the first component is mounted
 * @param empty the value before anything came; the same object at each call
 */
export function useStore<Value> (key: string | undefined, openValue: Open<Value>, empty: Value): Value {
  const client = useClient()
  const { subscribe, read } = useMemo(
    () => key === undefined ? nothing(empty) : storeOf(client, key, openValue, empty), [client, key]
  )
  return useSyncExternalStore(subscribe, read, () => empty)
}
