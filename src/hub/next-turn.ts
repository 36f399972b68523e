/**
 * What comes next, as one promise for all who wait for it: many more look up to it than wait for it in the end, and it may be
 * long until it comes.
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
