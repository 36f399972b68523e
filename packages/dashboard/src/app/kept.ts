import { createStore, type Store } from './store.js'

/**
 * Returns a store that this browser keeps. The key has the path of the server, because it tells apart servers
 * of one origin.
 * @param isValid whether a kept value can still be used: an older version of the page may have written it
 */
export function keptStore<Value> (
  name: string, initial: Value, isValid: (value: unknown) => value is Value
): Store<Value> {
  const key = `tickwire ${name} ${new URL('.', document.baseURI).pathname}`
  const store = createStore(read(key, isValid) ?? initial)
  return {
    ...store,
    set (value) {
      store.set(value)
      try {
        localStorage.setItem(key, JSON.stringify(value))
      } catch {
        // A page may be denied its storage, or it is full: the choice lasts as long as the page.
      }
    }
  }
}

function read<Value> (key: string, isValid: (value: unknown) => value is Value): Value | undefined {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(key) ?? 'null')
    return isValid(value) ? value : undefined
  } catch {
    return undefined
  }
}
