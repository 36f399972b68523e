/**
 * Bars worked out once, from all trades at hand, in the plainest way (PROTOCOL.md, Bars). It shares nothing
 * with the server.
 */

export interface PlainTrade {
  readonly price: string
  readonly size: string
  readonly timestamp: string
  readonly trade_id?: string
  readonly corrects?: string
}

export interface PlainBar {
  readonly start: string
  readonly open: string
  readonly high: string
  readonly low: string
  readonly close: string
  readonly volume: string
  readonly vwap: string
  readonly trades: number
}

/** Returns of a bar what {@link plainBars} works out. */
export const plainPart = ({ start, open, high, low, close, volume, vwap, trades }: PlainBar): PlainBar =>
  ({ start, open, high, low, close, volume, vwap, trades })

/** Decimals are whole numbers of 10^-20 here. */
const SCALE = 20
const ONE = 10n ** BigInt(SCALE)

function whole (decimal: string): bigint {
  const [integer = '', fraction = ''] = decimal.split('.')
  return BigInt(integer + fraction.padEnd(SCALE, '0'))
}

function text (value: bigint, scale: number): string {
  const digits = value.toString().padStart(scale + 1, '0')
  const [integer, fraction] = [digits.slice(0, -scale), digits.slice(-scale).replace(/0+$/, '')]
  return fraction === '' ? integer : `${integer}.${fraction}`
}

/** Nanoseconds since 1970. */
function instant (timestamp: string): bigint {
  const [, second = '', fraction = '', zone = ''] = /^(.{19})(?:\.(\d+))?(.*)$/.exec(timestamp)!
  return BigInt(Date.parse(second + zone)) * 1_000_000n + BigInt(fraction.padEnd(9, '0'))
}

const compare = (a: bigint, b: bigint): number => a < b ? -1 : a > b ? 1 : 0

function order (a: PlainTrade, b: PlainTrade): number {
  const [first, second] = [a.trade_id ?? '', b.trade_id ?? '']
  const areNumbers = /^\d+$/.test(first) && /^\d+$/.test(second)
  return compare(instant(a.timestamp), instant(b.timestamp)) ||
    (areNumbers ? compare(BigInt(first), BigInt(second)) : first < second ? -1 : first > second ? 1 : 0) ||
    compare(whole(a.price), whole(b.price)) || compare(whole(a.size), whole(b.size))
}

/** Returns the trades that count. */
function counted (all: readonly PlainTrade[]): PlainTrade[] {
  const ids = new Set<string>()
  const trades = all.filter(({ trade_id: id }) => {
    const isNew = id === undefined || !ids.has(id)
    if (id !== undefined) ids.add(id)
    return isNew
  })
  const corrections = new Map<string, PlainTrade[]>()
  for (const trade of trades) {
    const { corrects } = trade
    if (corrects !== undefined) corrections.set(corrects, [...corrections.get(corrects) ?? [], trade])
  }
  const endOf = (trade: PlainTrade): PlainTrade => {
    const next = corrections.get(trade.trade_id ?? '')?.sort(order).at(-1)
    return next === undefined ? trade : endOf(next)
  }
  const roots = trades.filter(({ corrects }) => corrects === undefined)
  const orphans = [...corrections]
    .filter(([id]) => !ids.has(id))
    .map(([, ofOne]) => ofOne.sort(order).at(-1)!)
  const isCancel = ({ corrects, size }: PlainTrade): boolean => corrects !== undefined && whole(size) === 0n
  return [...roots, ...orphans].map(endOf).filter(trade => !isCancel(trade))
}

/** Rounds to 8 decimals, half to even. */
function quotient (dividend: bigint, divisor: bigint): string {
  const scaled = dividend * 10n ** 8n
  const [floor, rest] = [scaled / divisor, (scaled % divisor) * 2n]
  return text(floor + (rest > divisor || (rest === divisor && floor % 2n === 1n) ? 1n : 0n), 8)
}

/** @param ms the interval. @returns the bars that have trades, by start */
export function plainBars (all: readonly PlainTrade[], ms: number): Map<string, PlainBar> {
  const bars = new Map<string, PlainTrade[]>()
  for (const trade of counted(all)) {
    const time = Number(instant(trade.timestamp) / 1_000_000n)
    const start = `${new Date(time - time % ms).toISOString().slice(0, 19)}Z`
    const trades = bars.get(start)
    if (trades === undefined) bars.set(start, [trade])
    else trades.push(trade)
  }
  return new Map([...bars].sort(([a], [b]) => a < b ? -1 : 1).map(([start, trades]) => {
    trades.sort(order)
    const prices = trades.map(({ price }) => price)
      .sort((a, b) => compare(whole(a), whole(b)) || a.length - b.length)
    const volume = trades.reduce((sum, { size }) => sum + whole(size), 0n)
    const notional = trades.reduce((sum, { price, size }) => sum + whole(price) * whole(size), 0n)
    const low = prices.findLast(price => whole(price) === whole(prices[0]!))!
    return [start, {
      start,
      open: trades[0]!.price,
      high: prices.at(-1)!,
      low,
      close: trades.at(-1)!.price,
      volume: text(volume, SCALE),
      vwap: quotient(notional, volume * ONE),
      trades: trades.length
    }]
  }))
}
