import type { Trade } from '@tickwire/protocol'
import { Choices } from './random.js'

export interface MadeTrade {
  readonly data: Trade
  /** Its event time, in milliseconds since 1970. */
  readonly ms: number
}

const START = Date.parse('2026-02-07T14:30:00Z')

/**
 * Makes trades in the order of their event times, and corrections of them now and then: chains, cancels,
 * several of one trade, and of trades that do not exist.
 * @param perSecond how many in a second of event time
 */
export function makeTrades (symbol: string, count: number, perSecond: number, seed: number): MadeTrade[] {
  const random = new Choices(seed)
  const made: MadeTrade[] = []
  let price = 10_000
  for (let index = 0; index < count; index++) {
    const ms = START + Math.floor(index * 1000 / perSecond)
    price = Math.max(100, price + random.integer(-5, 5))
    const isCorrection = random.next() < 0.05 && index > 0
    const earlier = isCorrection ? made[random.integer(Math.max(0, index - 500), index - 1)]! : undefined
    const corrects = earlier?.data.trade_id ?? (random.next() < 0.0005 ? `lost-${index}` : undefined)
    const at = earlier?.ms ?? ms
    const micros = String(random.integer(0, 999)).padStart(3, '0')
    const id = random.next() < 0.02 ? `T${index}` : String(index)
    const hasId = random.next() < 0.98
    const size = corrects !== undefined && random.next() < 0.4 ? '0' : `${random.integer(0, 40)}.${random.integer(1, 9)}`
    made.push({
      ms,
      data: {
        symbol,
        price: random.next() < 0.5 ? (price / 100).toFixed(2) : String(Number((price / 100).toFixed(2))),
        size,
        timestamp: `${new Date(at).toISOString().slice(0, -1)}${micros}Z`,
        ...(hasId ? { trade_id: id } : {}),
        ...(corrects === undefined ? {} : { corrects })
      }
    })
  }
  return made
}

/**
 * Puts trades into an order in which they come up to `lateMs` behind their event time.
 * @returns them, and when each comes
 */
export function shuffled (
  trades: readonly MadeTrade[], lateMs: number, seed: number
): Array<MadeTrade & { readonly at: number }> {
  const random = new Choices(seed)
  return trades
    .map(trade => ({ ...trade, at: trade.ms + Math.floor(random.next() * lateMs) }))
    .sort((a, b) => a.at - b.at)
}
