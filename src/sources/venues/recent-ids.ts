/** Ids of a symbol that are remembered: a doubled frame comes soon after the first. */
const MAX_IDS = 256

/** The ids of a venue's newest trades, where ids are unique but tell no order: each is passed on once. */
export class RecentIds {
  private readonly ids = new Map<string, Set<unknown>>()

  /** @returns whether an id of a symbol has not come lately */
  isNew (symbol: string, id: unknown): boolean {
    let known = this.ids.get(symbol)
    if (known === undefined) this.ids.set(symbol, known = new Set())
    if (known.has(id)) return false
    known.add(id)
    if (known.size > MAX_IDS) {
      const [oldest] = known
      known.delete(oldest)
    }
    return true
  }
}
