import type { KeyedChannels } from '../channels.js'
import type { Client } from '../client.js'
import { type Opened, useStore } from './store.js'

type Trade = KeyedChannels['trades']

const NO_TRADES: readonly Trade[] = []
const TRADES = 50

/** Returns the newest trades that the server retains, oldest first. */
async function readTrades (client: Client, symbol: string, limit: number): Promise<readonly Trade[]> {
  const response = await client.fetch(`v1/history?topic=trades:${encodeURIComponent(symbol)}&limit=${limit}`)
  return response.ok ? (await response.json() as { messages: Trade[] }).messages : NO_TRADES
}

function openTrades (
  client: Client, changed: () => void, symbol: string, limit: number
): Opened<readonly Trade[]> {
  /** Newest first. */
  let trades = NO_TRADES
  /** What came since, oldest first. */
  let arrived: Trade[] = []
  let resets = 0
  const subscription = client.subscribe('trades', [symbol], { last: limit })
  // The server sends `last` with the first subscription of a topic only.
  const isRead = subscription.latest(symbol) !== undefined
  const gather = (): readonly Trade[] => {
    const newest = trades[0]?.sequence ?? 0
    const newer = arrived.filter(({ sequence }) => sequence > newest).reverse()
    if (newer.length > 0) trades = [...newer, ...trades].slice(0, limit)
    arrived = []
    return trades
  }
  subscription.listen(event => {
    if (event.type !== 'reset') arrived.push(event)
    else {
      resets++
      // Up to the sequence of the reset, nothing is lost.
      const { sequence: valid = 0 } = event
      trades = gather().filter(({ sequence }) => sequence <= valid)
    }
    if (arrived.length > 2 * limit) arrived.splice(0, arrived.length - limit)
    changed()
  })
  const begin = async (): Promise<void> => {
    const before = resets
    const past = await readTrades(client, symbol, limit)
    if (before !== resets) return
    const oldest = gather().at(-1)?.sequence ?? Infinity
    const older = past.filter(({ sequence }) => sequence < oldest).reverse()
    trades = [...trades, ...older].slice(0, limit)
    changed()
  }
  if (isRead) void begin().catch(() => {})
  return { read: gather, close: subscription.close }
}

/**
 * Returns the newest trades of a symbol, newest first. After a reset the list begins anew.
 * @param limit how many to begin with and to keep: 1–10000
 */
export const useTrades = (symbol: string, { limit = TRADES }: { limit?: number } = {}): readonly Trade[] =>
  useStore(`trades ${limit} ${symbol}`, (...given) => openTrades(...given, symbol, limit), NO_TRADES)
