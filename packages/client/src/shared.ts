import type { Client } from './client.js'

/**
 * Returns a function that gives the views of one client one shared store for each name. The last view that
 * leaves a store closes it.
 */
export function sharedStores<Store extends { close: () => void }> (
  open: (client: Client, name: string) => Store
): (client: Client, name: string) => { readonly store: Store, readonly leave: () => void } {
  const clients = new WeakMap<Client, Map<string, { readonly store: Store, views: number }>>()
  return (client, name) => {
    let stores = clients.get(client)
    if (stores === undefined) clients.set(client, stores = new Map())
    let shared = stores.get(name)
    if (shared === undefined) stores.set(name, shared = { store: open(client, name), views: 0 })
    shared.views++
    const [all, { store }] = [stores, shared]
    const own = shared
    let left = false
    return {
      store,
      leave () {
        if (left) return
        left = true
        if (--own.views > 0) return
        all.delete(name)
        store.close()
      }
    }
  }
}

/** Listeners without arguments. */
export class Listeners {
  readonly #all = new Set<() => void>()

  /** @returns a function that takes the listener away */
  add (listener: () => void): () => void {
    this.#all.add(listener)
    return () => { this.#all.delete(listener) }
  }

  tell (): void {
    for (const listener of [...this.#all]) listener()
  }
}
