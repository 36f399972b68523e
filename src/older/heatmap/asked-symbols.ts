import type { CountByName } from '../../connection/counts.js'

const NONE: readonly string[] = []

/** The symbols that one client has asked for, as it spells them. */
export class AskedSymbols {
  /** By spelling, the key of its selector, which is that of its topic. */
  private readonly keys = new Map<string, string>()
  /** By key, the spellings. */
  private readonly spellings = new Map<string, readonly string[]>()

  /** @param counts of all clients, by spelling */
  constructor (private readonly counts: CountByName) {}

  get size (): number {
    return this.keys.size
  }

  has (symbol: string): boolean {
    return this.keys.has(symbol)
  }

  /** Whether some symbol needs a selector. */
  needs (key: string): boolean {
    return this.spellings.has(key)
  }

  /** Returns how the client spells the symbol of a topic. */
  spelled (key: string): readonly string[] {
    return this.spellings.get(key) ?? NONE
  }

  add (symbol: string, key: string): void {
    if (this.keys.has(symbol)) return
    this.keys.set(symbol, key)
    this.spellings.set(key, [...this.spelled(key), symbol])
    this.counts.add(symbol)
  }

  remove (symbol: string): void {
    const key = this.keys.get(symbol)
    if (key === undefined) return
    this.keys.delete(symbol)
    this.counts.remove(symbol)
    const left = this.spelled(key).filter(spelling => spelling !== symbol)
    if (left.length === 0) this.spellings.delete(key)
    else this.spellings.set(key, left)
  }

  clear (): void {
    for (const symbol of [...this.keys.keys()]) this.remove(symbol)
  }
}
