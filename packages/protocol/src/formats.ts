import { FormatRegistry } from '@sinclair/typebox'
import { isSymbol, isSymbolSet } from './topic.js'

/** What schemas of this package demand of a text that no pattern can say: TypeBox knows no flags, and no pattern knows NFC. */
export const SYMBOL_FORMAT = 'tickwire-symbol'
export const SELECTOR_FORMAT = 'tickwire-selector'

/**
 * Makes these formats known to a copy of TypeBox. The one that this package loads knows them; an application that has another copy
 * hands it over before it compiles schemas of this package.
 */
export function registerFormats (registry: Pick<typeof FormatRegistry, 'Set'>): void {
  registry.Set(SYMBOL_FORMAT, isSymbol)
  registry.Set(SELECTOR_FORMAT, text => isSymbol(text) || isSymbolSet(text))
}

registerFormats(FormatRegistry)
