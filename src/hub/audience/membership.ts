import type { Instrument } from '@tickwire/protocol'

/** The sets that an instrument belongs to, as selectors name them. */
function setsOf ({ market, sector }: Instrument): string[] {
  return [...(market === undefined ? [] : [`@market/${market}`]), ...(sector === undefined ? [] : [`@sector/${sector}`])]
}

/** A symbol that comes into some sets. */
export interface Entrance {
  readonly symbol: string
  readonly sets: readonly string[]
}

/** Which symbols belong to which sets, as far as the hub has passed it on: everybody is sent a set by the same list. */
export class Membership {
  private readonly bySymbol = new Map<string, readonly string[]>()
  private readonly bySet = new Map<string, Set<string>>()
  /** Grows with each change. */
  version = 0

  sets (symbol: string): readonly string[] {
    return this.bySymbol.get(symbol) ?? NONE
  }

  symbols (set: string): ReadonlySet<string> {
    return this.bySet.get(set) ?? NOBODY
  }

  /** The symbols that are in a set. */
  members (): Iterable<string> {
    return this.bySymbol.keys()
  }

  /** What an instrument would enter; undefined where its sets stay as they are. */
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

const NONE: readonly string[] = []
const NOBODY: ReadonlySet<string> = new Set()
