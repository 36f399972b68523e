import type { Selector } from './selectors.js'

interface Instruments {
  readonly symbols: ReadonlyArray<{ readonly symbol: string }>
}

/**
 * Asks who belongs to a set (`GET /v1/symbols`). The server sends each topic once, however many selectors
 * cover it, so a client with several must know which of its subscriptions a message is for.
 * @param ask asks an endpoint of the server
 */
export async function readMembers (
  { symbol = '' }: Selector, ask: (path: string) => Promise<Response>
): Promise<ReadonlySet<string> | undefined> {
  const [, kind, name = ''] = /^@(market|sector)\/(.*)$/s.exec(symbol) ?? []
  if (kind === undefined) return undefined
  try {
    const response = await ask(`v1/symbols?${kind}=${encodeURIComponent(name)}`)
    if (!response.ok) return undefined
    return new Set((await response.json() as Instruments).symbols.map(instrument => instrument.symbol))
  } catch {
    // Without an answer the set gets all that comes of its channel, rather than too little.
    return undefined
  }
}
