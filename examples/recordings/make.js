/**
 * Makes a recording of the simulated market in the form in which Coinbase's feed is recorded, to try the
 * replay with. No venue ever sent it. Run it in the project's folder, after `npm run build`:
 *
 * node examples/recordings/make.js > examples/recordings/simulated-coinbase.txt
 */
import { SimulatedMarket } from '../../dist/src/sources/simulated/market.js'

const ADDRESS = 'wss://ws-feed.pro.coinbase.com'
const PRODUCTS = ['BTC-USD', 'ETH-USD', 'SOL-USD']
/** Short, so that the recording has nearly each message at a time of its own. */
const STEP_MS = 20
const SECONDS = 60
const START = Date.UTC(2026, 0, 5, 14, 30)

const seconds = time => (time / 1000).toFixed(3)
const write = (time, frame) => { process.stdout.write(`${seconds(time)}: ${JSON.stringify(frame)}\n`) }

/** Make the frames that Coinbase would have sent for a message, by channel. */
const frames = {
  quotes: ({ symbol, bid, ask, bid_size: bidSize, ask_size: askSize, last, ...quote }) => ({
    type: 'ticker',
    product_id: symbol,
    price: last,
    open_24h: quote.open,
    volume_24h: quote.volume,
    low_24h: quote.low,
    high_24h: quote.high,
    best_bid: bid,
    best_bid_size: bidSize,
    best_ask: ask,
    best_ask_size: askSize,
    time: quote.venue_time,
  }),
  // The feed names the side of the maker, and its trades have numbers as ids.
  trades: ({ symbol, trade_id: id, price, size, side, timestamp: time }) => ({
    type: 'match',
    trade_id: Number(id.split('-').at(-1)),
    product_id: symbol,
    size,
    price,
    side: side === 'buy' ? 'sell' : 'buy',
    time,
  }),
  book: ({ symbol, bids, asks }, snapshot, time) => {
    if (snapshot) return { type: 'snapshot', product_id: symbol, bids, asks }
    const changes = [...bids.map(level => ['buy', ...level]), ...asks.map(level => ['sell', ...level])]
    return { type: 'l2update', product_id: symbol, changes, time }
  },
}

const options = { seed: 1, rate: 2.5, hours: 'always', membershipEveryMs: Infinity }
const market = new SimulatedMarket(options, START)
process.stdout.write(`${ADDRESS} <-> ${seconds(START)}\n`)
for (const channel of ['level2', 'ticker', 'matches']) {
  const subscribe = { type: 'subscribe', product_ids: PRODUCTS, channels: [channel] }
  process.stdout.write(`${ADDRESS} <- ${seconds(START)}: ${JSON.stringify(subscribe)}\n`)
}
const subscribed = ['level2', 'ticker', 'matches'].map(name => ({ name, product_ids: PRODUCTS }))
write(START, { type: 'subscriptions', channels: subscribed })
for (let time = START + STEP_MS; time <= START + SECONDS * 1000; time += STEP_MS) {
  for (const { channel, symbol, data, snapshot } of market.advance(time).messages) {
    if (symbol === undefined || !PRODUCTS.includes(symbol) || frames[channel] === undefined) continue
    write(time, frames[channel](data, snapshot === true, new Date(time).toISOString()))
  }
}
