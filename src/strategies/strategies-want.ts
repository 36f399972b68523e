import { barsChannel, quotes, type StrategyRecord } from '@tickwire/protocol'
import type { Wanted } from '../user-lists/list-demand.js'
import { intervalOf, type StrategyRegistry } from './registry.js'

/**
 * Returns a function that says what the strategies of a user demand. A paused one demands nothing but that
 * the running side runs, which says what becomes of it.
 */
export function strategiesWant (registry: StrategyRegistry): (data: unknown) => readonly Wanted[] {
  return data => {
    const { strategies } = (data ?? { strategies: [] }) as { readonly strategies: readonly StrategyRecord[] }
    return strategies.flatMap(record => {
      const { status } = record
      if (status !== 'running' && status !== 'paused') return []
      return [{ topics: status === 'running' ? topicsOf(record, registry) : [], end: Infinity }]
    })
  }
}

function topicsOf (
  { name, symbol, parameters }: StrategyRecord, registry: StrategyRegistry
): Wanted['topics'] {
  const registered = registry.get(name)
  if (registered === undefined) return []
  const interval = intervalOf(registered, parameters)
  const bars = interval === undefined ? [] : [{ channel: barsChannel(interval), symbol }]
  // Quotes value its position.
  return [...bars, { channel: quotes.name, symbol }]
}
