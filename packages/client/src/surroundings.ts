/** What a page tells a client; elsewhere nothing of this happens. */
export interface PageEvents {
  /** The page is looked at, or the network is there again: the connection may be dead. */
  readonly onWake: (reason: string) => void
  /** The browser puts the page away, and may bring it back: an open connection would prevent that. */
  readonly onHide: () => void
}

/** Listens to what happens to the page. @returns a function that stops it */
export function watchPage ({ onWake, onHide }: PageEvents): () => void {
  if (typeof addEventListener !== 'function') return () => {}
  const abort = new AbortController()
  const { signal } = abort
  const wake = ({ type }: Event): void => { onWake(type) }
  addEventListener('online', wake, { signal })
  addEventListener('pageshow', event => {
    if (event.persisted) wake(event)
  }, { signal })
  addEventListener('pagehide', onHide, { signal })
  if (typeof document === 'object') {
    document.addEventListener('visibilitychange', event => {
      if (document.visibilityState === 'visible') wake(event)
    }, { signal })
  }
  return () => { abort.abort() }
}
