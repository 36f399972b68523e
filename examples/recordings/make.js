/**
 * Makes a recording out of the simulated market, in the form in which Coinbase's feed is recorded, so that a replay can be tried. No venue
 * ever sent it. From the project's folder, after `npm run build`:
 *
 *   node examples/recordings/make.js > examples/recordings/simulated-coinbase.txt
 */
import { SimulatedMarket } from '../../dist/src/sources/simulated/market.js'

const ADDRESS = 'wss://ws-feed.pro.coinbase.com'
const PRODUCTS = ['BTC-USD', 'ETH-USD', 'SOL-USD']
/** As fast as the replay can show each message. */
const STEP_MS = 20
const SECONDS = 60
const START = Date.UTC(2026, 0, 5, 14, 30)

const seconds = time => (time / 1000).toFixed(3)
const write = (time, frame) => { process.stdout.write(`${seconds(time)}: ${JSON.stringify(frame)}\n`) }

/** The frames that Coinbase would have sent for a message. */
const frames = {
  quotes: ({ symbol, bid, ask, bid_size: bidSize, ask_size: askSize, last, open, high, low, volume, venue_time: time }) => ({
    type: 'ticker',
    product_id: symbol,
    price: last,
    open_24h: open,
    volume_24h: volume,
    low_24h: low,
    high_24h: high,
    best_bid: bid,
    best_bid_size: bidSize,
    best_ask: ask,
    best_ask_size: askSize,
    time,
  }),
  // The feed names the maker's side, and numbers trades.
  trades: ({ symbol, trade_id: id, price, size, side, timestamp: time }) =>
    ({ type: 'match', trade_id: Number(id.split('-').at(-1)), product_id: symbol, size, price, side: side === 'buy' ? 'sell' : 'buy', time }),
  book: ({ symbol, bids, asks }, snapshot, time) => snapshot
    ? { type: 'snapshot', product_id: symbol, bids, asks }
    : { type: 'l2update', product_id: symbol, changes: [...bids.map(level => ['buy', ...level]), ...asks.map(level => ['sell', ...level])], time },
}

const market = new SimulatedMarket({ seed: 1, rate: 2.5, hours: 'always', membershipEveryMs: Infinity }, START)
process.stdout.write(`${ADDRESS} <-> ${seconds(START)}\n`)
for (const channel of ['level2', 'ticker', 'matches']) {
  process.stdout.write(`${ADDRESS} <- ${seconds(START)}: ${JSON.stringify({ type: 'subscribe', product_ids: PRODUCTS, channels: [channel] })}\n`)
}
write(START, { type: 'subscriptions', channels: ['level2', 'ticker', 'matches'].map(name => ({ name, product_ids: PRODUCTS })) })
for (let time = START + STEP_MS; time <= START + SECONDS * 1000; time += STEP_MS) {
  for (const { channel, symbol, data, snapshot } of market.advance(time).messages) {
    if (symbol === undefined || !PRODUCTS.includes(symbol) || frames[channel] === undefined) continue
    write(time, frames[channel](data, snapshot === true, new Date(time).toISOString()))
  }
}
