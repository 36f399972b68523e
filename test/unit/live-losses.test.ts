import { crc32 } from 'node:zlib'
import { test } from 'tap'
import { binance } from '../../src/sources/venues/binance/index.js'
import { coinbase } from '../../src/sources/venues/coinbase/index.js'
import { kraken } from '../../src/sources/venues/kraken/index.js'
import { upbit } from '../../src/sources/venues/upbit/index.js'
import type { Venue } from '../../src/sources/venues/venue.js'
import { runLive } from '../helpers/live-run.js'

const subscribed = '{"result":null,"id":1}'
const ending = '{"stream":"x","data":{"e":"serverShutdown","E":1770123456789}}'
const depthOf = (pair: string, first: number, last = first): string => JSON.stringify({
  stream: 'x', data: { e: 'depthUpdate', s: pair, U: first, u: last, b: [], a: [['10', String(last)]] }
})
const depth = (first: number, last?: number): string => depthOf('ABUSDT', first, last)

/** Runs Binance, whose snapshots have the number that the test sets. */
function runBinance (pairs: readonly string[] = ['ABUSDT']) {
  const venue = { number: 100 }
  const live = runLive(binance, pairs, {
    answer: path => path.includes('depth')
      ? { lastUpdateId: venue.number, bids: [['9', '1']], asks: [['10', String(venue.number)]] }
      : { symbols: [] }
  })
  const snapshots = (): number => live.asked.filter(path => path.includes('depth')).length
  return { ...live, venue, snapshots }
}

/** Runs it until the venue has said that it ends the connection, and the next one is being made. */
async function runHandover () {
  const live = runBinance()
  const { clock, sockets, newest } = live
  await clock.advance(0)
  newest().opened()
  newest().frame(subscribed)
  newest().frame(depth(101))
  await clock.advance(100)
  newest().frame(ending)
  await clock.advance(10)
  const [old, next] = sockets
  return { ...live, old: old!, next: next! }
}

const venues: ReadonlyArray<readonly [Venue, string, string, string]> = [
  [binance, 'ABUSDT', 'AB-USDT', depth(101)],
  [coinbase, 'A-B', 'A-B', '{"type":"snapshot","product_id":"A-B","bids":[["9","1"]],"asks":[["10","1"]]}'],
  [kraken, 'A/B', 'A-B', '{"channel":"book","type":"snapshot","data":[' +
    `{"symbol":"A/B","bids":[],"asks":[{"price":10,"qty":1}],"checksum":${crc32('101')}}]}`],
  [upbit, 'KRW-A', 'A-KRW', '{"type":"orderbook","code":"KRW-A","timestamp":1,"orderbook_units":' +
    '[{"ask_price":10,"bid_price":9,"ask_size":1,"bid_size":1}]}']
]
for (const [venue, venueSymbol, symbol, frame] of venues) {
  test(`${venue.name}: no book is good from a cut until a connection is opened`, async t => {
    const { clock, sockets, newest, books, asked, statuses, stop } = runLive(venue, [venueSymbol], {
      answer: path => path.includes('depth') ? { lastUpdateId: 101, bids: [], asks: [['10', '1']] } : []
    })
    await clock.advance(0)
    newest().opened()
    newest().frame(subscribed)
    newest().frame(frame)
    await clock.advance(100)
    t.match(books(symbol).at(-1), /^snapshot 10@/)
    const before = books(symbol).length
    const requests = asked.length
    newest().closed('cut')
    for (let n = 0; n < 10; n++) {
      const { length } = sockets
      while (sockets.length === length) await clock.advance(1000)
      newest().closed('away')
    }
    t.same(books(symbol).slice(before), ['stale'])
    t.equal(asked.length, requests, 'nothing is asked for that nobody could use')
    t.equal(statuses().at(-1), 'stale')
    const { length } = sockets
    while (sockets.length === length) await clock.advance(1000)
    newest().opened()
    newest().frame(subscribed)
    newest().frame(frame)
    await clock.advance(100)
    t.match(books(symbol).at(-1), /^snapshot 10@/)
    t.equal(statuses().at(-1), 'open')
    await stop()
  })
}

test('Binance: losses spend none of the requests that the books need when the venue is back', async t => {
  const pairs = Array.from({ length: 100 }, (_, at) => `P${at}USDT`)
  const { clock, venue, sockets, newest, books, snapshots, stop } = runBinance(pairs)
  await clock.advance(0)
  newest().opened()
  newest().frame(subscribed)
  // Some books are asked for, and others wait for their turn.
  await clock.advance(100)
  const before = snapshots()
  t.ok(before > 5 && before < 90, `${before} requests`)
  newest().closed('cut')
  for (let n = 0; n < 5; n++) {
    const { length } = sockets
    while (sockets.length === length) await clock.advance(1000)
    newest().closed('away')
  }
  t.ok(snapshots() <= before + 1, 'requests from before the loss are dropped')
  const { length } = sockets
  while (sockets.length === length) await clock.advance(1000)
  newest().opened()
  newest().frame(subscribed)
  const good = (): number =>
    pairs.filter(pair => books(pair.replace('USDT', '-USDT')).at(-1)?.startsWith('stale') === false).length
  for (let n = 0; n < 180 && good() < pairs.length; n++) {
    venue.number++
    for (const pair of pairs) newest().frame(depthOf(pair, venue.number))
    await clock.advance(1000)
  }
  t.equal(good(), pairs.length, 'within the time in which the venue answers so many requests')
  t.ok(snapshots() <= before + 1 + pairs.length, 'each book is asked for once')
  await stop()
})

test('Binance: books recover after a loss that was read when the next connection already had taken over', async t => {
  const { clock, venue, old, next, books, statuses, stop } = await runHandover()
  next.opened()
  await clock.advance(10)
  // All are read after the last of them has happened.
  next.frame(subscribed)
  next.frame(depth(102))
  old.closed('cut')
  await clock.advance(5000)
  t.same(books('AB-USDT').slice(1), ['snapshot 10@101', 'update 10@102'])
  venue.number = 110
  next.frame(depth(110))
  await clock.advance(1000)
  t.same(books('AB-USDT').slice(3), ['stale', 'snapshot 10@110'])
  t.same(statuses(), ['stale', 'open'])
  await stop()
})

test('Binance: a connection that takes over after the loss of the other begins the books anew', async t => {
  const { clock, venue, sockets, old, next, books, statuses, stop } = await runHandover()
  old.closed('cut')
  await clock.advance(10)
  t.equal(books('AB-USDT').at(-1), 'stale')
  next.opened()
  next.frame(subscribed)
  await clock.advance(490)
  t.equal(books('AB-USDT').at(-1), 'stale', 'until it takes over')
  // The lost connection is tried again, too, and does not come about.
  const { length } = sockets
  while (books('AB-USDT').at(-1) === 'stale' && clock.now() < 60_000) {
    for (const socket of sockets.slice(2)) if (!socket.isClosed) socket.closed('away')
    venue.number++
    next.frame(depth(venue.number))
    await clock.advance(100)
  }
  t.match(books('AB-USDT').at(-1), /^(snapshot|update) /)
  t.equal(statuses().at(-1), 'open')
  t.ok(sockets.length >= length)
  await stop()
})

test('Binance: snapshots that are older than the stream count as answers, to refreshes and after gaps', async t => {
  const { clock, venue, newest, books, snapshots, stop } = runBinance()
  await clock.advance(0)
  newest().opened()
  newest().frame(subscribed)
  await clock.advance(100)
  let number = 100
  const follow = async (seconds: number): Promise<void> => {
    for (let n = 0; n < seconds; n++) {
      newest().frame(depth(++number))
      venue.number = number - 1
      await clock.advance(1000)
    }
  }
  await follow(3600)
  t.ok(snapshots() >= 10, `${snapshots()} snapshots in an hour`)
  t.notOk(books('AB-USDT').slice(1).includes('stale'), 'the book has been followed without a gap')
  for (let gap = 0; gap < 6; gap++) {
    venue.number = number += 5
    newest().frame(depth(number))
    await clock.advance(1000)
    t.same(books('AB-USDT').slice(-2), ['stale', `snapshot 10@${number}`], `gap ${gap}`)
    await follow(400)
  }
  await stop()
})

test('Coinbase: a product that it refuses is not asked for again, on this connection and on the next', async t => {
  const { clock, newest, stop } = runLive(coinbase, ['A-B', 'NO-B'], {
    sent (socket, text) {
      if (!text.includes('"NO-B"') || !text.includes('"subscribe"')) return
      socket.frame('{"type":"error","message":"Failed to subscribe","reason":"NO-B is not a valid product"}')
    }
  })
  await clock.advance(0)
  const asked: number[] = []
  for (let n = 0; n < 2; n++) {
    const socket = newest()
    socket.opened()
    socket.frame('{"type":"snapshot","product_id":"A-B","bids":[["9","1"]],"asks":[["10","1"]]}')
    for (let at = 0; at < 200; at++) {
      await clock.advance(5000)
      socket.frame('{"type":"heartbeat","product_id":"A-B"}')
    }
    asked.push(socket.sent.filter(text => text.includes('"NO-B"')).length)
    socket.closed('cut')
    await clock.advance(1000)
  }
  t.same(asked, [1, 0])
  await stop()
})
