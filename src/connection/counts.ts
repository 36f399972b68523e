/** Counts by name. A name whose count falls to 0 takes no memory. */
export class CountByName {
  private readonly counts = new Map<string, number>()

  /** The names with a count, and their counts. */
  entries (): Iterable<[name: string, count: number]> {
    return this.counts
  }

  of (name: string): number {
    return this.counts.get(name) ?? 0
  }

  add (name: string): void {
    this.counts.set(name, this.of(name) + 1)
  }

  remove (name: string): void {
    const left = this.of(name) - 1
    if (left > 0) this.counts.set(name, left)
    else this.counts.delete(name)
  }
}
