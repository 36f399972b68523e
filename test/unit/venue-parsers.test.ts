import { test } from 'tap'
import { binance } from '../../src/sources/venues/binance/index.js'
import { coinbase } from '../../src/sources/venues/coinbase/index.js'
import { upbit } from '../../src/sources/venues/upbit/index.js'
import type { Venue } from '../../src/sources/venues/venue.js'

/** Parses frames one after another, and returns the data of the messages of a channel. */
function dataOf (venue: Venue, channel: string, frames: readonly object[]): Array<Record<string, unknown>> {
  const parser = venue.createParser()
  return frames.flatMap(frame => [...parser.parse(JSON.stringify(frame))])
    .filter(message => message.channel === channel)
    .map(({ data }) => data as Record<string, unknown>)
}

test('a side that is none is passed on for the publisher to refuse, and is not guessed', async t => {
  const match = { type: 'match', product_id: 'BTC-USD', price: '1', size: '1', time: '2026-01-01T00:00:00.000001Z' }
  t.same(
    dataOf(coinbase, 'trades', [
      { ...match, trade_id: 1, side: 'sell' }, { ...match, trade_id: 2, side: 'buy' },
      { ...match, trade_id: 3, side: null }, { ...match, trade_id: 4, side: { sell: true } }
    ]).map(({ side }) => side),
    ['buy', 'sell', null, { sell: true }]
  )
  const trade = { e: 'trade', s: 'BTCUSDT', p: '1', q: '1', T: 1_767_225_600_000 }
  t.same(
    dataOf(binance, 'trades', [{ ...trade, t: 1, m: true }, { ...trade, t: 2, m: false }, { ...trade, t: 3, m: 'no' }])
      .map(({ side }) => side),
    ['sell', 'buy', 'no']
  )
})

test('a trade of Upbit comes once, in whatever order its ids are', async t => {
  const trade = (id: number): object => ({
    type: 'trade', code: 'KRW-BTC', trade_price: 1, trade_volume: 1, ask_bid: 'BID', trade_timestamp: 1_767_225_600_000, sequential_id: id
  })
  t.same(dataOf(upbit, 'trades', [3, 3, 5, 4, 5, 4].map(trade)).map(({ trade_id: id }) => id), ['3', '5', '4'])
})

test('a book of Upbit does not go back in time', async t => {
  const book = (timestamp: number, size: number): object => ({
    type: 'orderbook', code: 'KRW-BTC', timestamp, orderbook_units: [{ bid_price: 1, bid_size: size, ask_price: 2, ask_size: size }]
  })
  const frames = [book(10, 1), book(12, 2), book(11, 3), book(12, 4), book(13, 5)]
  t.same(dataOf(upbit, 'book', frames).map(({ bids }) => bids), ['1', '2', '4', '5'].map(size => [['1', size]]))
})

test('a list of markets that is none refuses no symbol of Upbit', async t => {
  const listed: Array<readonly string[]> = []
  const listener = {
    bookFailed: () => {},
    described: () => {},
    missedTrades: () => {},
    listed: (symbols: readonly string[]) => { listed.push(symbols) },
    refused: () => {},
    subscribed: () => {},
    ending: () => {}
  }
  const parser = upbit.createParser({ listener })
  const url = new URL('https://api.upbit.com/v1/market/all')
  for (const body of ['[[]]', '[]', '{}', 'null', '[{"market":1}]']) parser.answer!(url, body, 200)
  t.same(listed, [])
  parser.answer!(url, '[{"market":"KRW-BTC","korean_name":"비트코인"}]', 200)
  t.same(listed, [['KRW-BTC']])
})
