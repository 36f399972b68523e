import type { Instrument } from '../instruments.js'
import type { QuoteBoard } from './quote-board.js'

export const COLUMNS = ['symbol', 'last', 'change', 'volume'] as const
export type SortColumn = typeof COLUMNS[number]

export interface Choice {
  readonly market: string
  readonly sector: string
  /** What the symbol or its name contains. */
  readonly text: string
  readonly sortBy: SortColumn
  readonly isDescending: boolean
}

/** Everything, in the order of the server. */
export const ALL: Choice = { market: '', sector: '', text: '', sortBy: 'symbol', isDescending: false }

/** Returns the instruments that a person chose, in the order that they chose. */
export function choose (
  instruments: Iterable<Instrument>, board: QuoteBoard,
  { market, sector, text, sortBy, isDescending }: Choice
): readonly Instrument[] {
  const wanted = text.trim().toLowerCase()
  const chosen = [...instruments].filter(({ symbol, name = '', ...of }) =>
    (market === '' || of.market === market) && (sector === '' || of.sector === sector) &&
    (symbol.toLowerCase().includes(wanted) || name.toLowerCase().includes(wanted)))
  const sign = isDescending ? -1 : 1
  if (sortBy === 'symbol') return isDescending ? chosen.reverse() : chosen
  // What is unknown stands last in both directions.
  return chosen.map(instrument => ({ instrument, value: board.row(instrument.symbol)[sortBy] }))
    .sort((a, b) => {
      if (a.value === b.value) return 0
      if (a.value === -Infinity) return 1
      if (b.value === -Infinity) return -1
      return sign * (a.value - b.value)
    })
    .map(({ instrument }) => instrument)
}
