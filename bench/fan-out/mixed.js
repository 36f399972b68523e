/**
 * Messages of 450 bytes in two channels. Three topics of four have trades, which have no state; the fourth
 * has quotes, which have one.
 */

/** One topic of this many has quotes. */
const QUOTES_EACH = 4
/** Makes trades longer. It may have any length up to 128. */
const FILLED_UP = 'x'.repeat(128)
/** Makes prices longer: a decimal may well have this many digits. */
const DIGITS = '3141592653589793'

/** @param {number} number */
const isQuotes = number => number % QUOTES_EACH === QUOTES_EACH - 1

/** Returns the query that subscribes to such topics. @param {readonly string[]} topics */
export function mixedQuery (topics) {
  const [quotes, trades] = [true, false].map(wanted => {
    return topics.filter(topic => isQuotes(Number(topic.slice(1))) === wanted)
  })
  return [['trades', trades], ['quotes', quotes]]
    .filter(([, names]) => names.length > 0)
    .map(([channel, names]) => `subscribe=${channel}:${names}`)
    .join('&')
}

/**
 * Returns what is published for a trade of the feeder. The time stays in a size.
 * @param {import('./feeder.js').Trade} trade
 * @returns {{ channel: string, symbol: string, data: object }}
 */
export function mixed (trade) {
  const { symbol, price, size, timestamp } = trade
  if (!isQuotes(Number(symbol.slice(1)))) {
    const longer = { price: price + DIGITS + DIGITS, exchange: 'x'.repeat(32), trade_id: FILLED_UP }
    return { channel: 'trades', symbol, data: { ...trade, ...longer, side: 'buy' } }
  }
  return {
    channel: 'quotes',
    symbol,
    data: {
      symbol,
      ...Object.fromEntries(['bid', 'ask', 'last', 'high', 'low'].map(name => [name, price + DIGITS])),
      bid_size: size,
      ask_size: '200',
      volume: `9${size}`,
      change: `-${price}`,
      open: price,
      venue_time: timestamp
    }
  }
}
