import type { Instrument } from '@tickwire/protocol'

/** Returns the sets that an instrument belongs to, as selectors name them. */
function setsOf ({ market, sector }: Instrument): string[] {
  const sets: string[] = []
  if (market !== undefined) sets.push(`@market/${market}`)
  if (sector !== undefined) sets.push(`@sector/${sector}`)
  return sets
}

/** A symbol that enters some sets. */
export interface Entrance {
  readonly symbol: string
  readonly sets: readonly string[]
}

/**
 * Which symbols belong to which sets. It changes when the hub has moved an instrument, so that all
 * subscribers of a set are sent the same topics.
 */
export class Membership {
  private readonly bySymbol = new Map<string, readonly string[]>()
  private readonly bySet = new Map<string, Set<string>>()
  /** Grows by one with each change. */
  version = 0

  sets (symbol: string): readonly string[] {
    return this.bySymbol.get(symbol) ?? NO_SETS
  }

  symbols (set: string): ReadonlySet<string> {
    return this.bySet.get(set) ?? NO_SYMBOLS
  }

  /** Returns the symbols that are in a set. */
  members (): Iterable<string> {
    return this.bySymbol.keys()
  }

  /**
   * Returns the sets that an instrument would enter, possibly none; undefined if its sets stay as they are.
   */
  entrance (instrument: Instrument): Entrance | undefined {
    const before = this.sets(instrument.symbol)
    const after = setsOf(instrument)
    if (before.length === after.length && after.every(set => before.includes(set))) return undefined
    return { symbol: instrument.symbol, sets: after.filter(set => !before.includes(set)) }
  }

  set (instrument: Instrument): void {
    const { symbol } = instrument
    for (const set of this.sets(symbol)) {
      const symbols = this.bySet.get(set)!
      symbols.delete(symbol)
      if (symbols.size === 0) this.bySet.delete(set)
    }
    const sets = setsOf(instrument)
    if (sets.length === 0) this.bySymbol.delete(symbol)
    else this.bySymbol.set(symbol, sets)
    for (const set of sets) {
      const symbols = this.bySet.get(set)
      if (symbols === undefined) this.bySet.set(set, new Set([symbol]))
      else symbols.add(symbol)
    }
    this.version++
  }
}

const NO_SETS: readonly string[] = []
const NO_SYMBOLS: ReadonlySet<string> = new Set()
