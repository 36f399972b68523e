import { createStore, useStore } from '../app/store.js'

/** The symbol that the panels show. It stands in the URL, so that a link opens the same. */
const selected = createStore(new URLSearchParams(location.search).get('symbol') ?? undefined)

export function select (symbol: string): void {
  const url = new URL(location.href)
  url.searchParams.set('symbol', symbol)
  history.replaceState(null, '', url)
  selected.set(symbol)
}

/** Returns the selected symbol; undefined until the instruments are known. */
export const useSelected = (): string | undefined => useStore(selected)
