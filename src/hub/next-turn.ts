/**
 * The next occurrence of an event, as one promise for all callers: many of them ask for it and do not wait in
 * the end, and it may take long to come.
 */
export class NextTurn {
  private next: { readonly promise: Promise<void>, readonly resolve: () => void } | undefined

  wait (): Promise<void> {
    this.next ??= deferred()
    return this.next.promise
  }

  come (): void {
    const { next } = this
    this.next = undefined
    next?.resolve()
  }
}

function deferred (): { promise: Promise<void>, resolve: () => void } {
  let settle = (): void => {}
  const promise = new Promise<void>(resolve => { settle = resolve })
  return { promise, resolve: settle }
}
