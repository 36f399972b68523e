import { FormatRegistry } from '@sinclair/typebox'
import { isSymbol, isSymbolSet } from './topic.js'

/**
 * Formats for texts that no pattern can check: TypeBox compiles patterns without flags, and no pattern can
 * check for NFC.
 */
export const SYMBOL_FORMAT = 'tickwire-symbol'
export const SELECTOR_FORMAT = 'tickwire-selector'

/**
 * Registers these formats with a copy of TypeBox. This package registers them with the copy that it loads. An
 * application with another copy calls this before it compiles schemas of this package.
 */
export function registerFormats (registry: Pick<typeof FormatRegistry, 'Set'>): void {
  registry.Set(SYMBOL_FORMAT, isSymbol)
  registry.Set(SELECTOR_FORMAT, text => isSymbol(text) || isSymbolSet(text))
}

registerFormats(FormatRegistry)
