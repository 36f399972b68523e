import { test } from 'tap'
import type { Given, ResetTold } from './events.js'
import { TopicJudge } from './topic-judge.js'
import { channelOf, hasState, numberOf, symbolOf } from './topics.js'
import { Truth } from './truth.js'

const TRADES = 'trades:AAPL'
const BOOK = 'book:BTC-USDT'
const ANY_TIME = Number.MAX_SAFE_INTEGER

/** Message number `number` of a topic; the third one of a book removes a level. */
function dataOf (topic: string, number: number): object {
  return topic === TRADES
    ? { symbol: 'AAPL', price: '1', size: '1', timestamp: '2026-01-05T03:00:00Z', trade_id: String(number) }
    : { symbol: 'BTC-USDT', bids: [[String(number), '1']], asks: [], venue_sequence: number }
}

/** A log with messages 1 to 5; then those above 3 are lost, and 6, 7 and 8 have the sequences 4 to 6. */
function makeTruth (topic: string): Truth {
  const truth = new Truth(numberOf, hasState)
  for (const number of [1, 2, 3, 4, 5]) truth.note(topic, number, dataOf(topic, number), number === 1)
  truth.lose(new Map([[topic, 3]]))
  for (const number of [6, 7, 8]) truth.note(topic, number - 2, dataOf(topic, number), false)
  return truth
}

type Step = Given | ResetTold

function named (topic: string): { channel: string, symbol: string } {
  return { channel: channelOf(topic), symbol: symbolOf(topic)! }
}

const sequenceOf = (number: number): number => number > 5 ? number - 2 : number
const given = (topic: string, number: number, rest: object = {}): Given =>
  ({ event: 'message', ...named(topic), sequence: sequenceOf(number), data: dataOf(topic, number), ...rest })
const reset = (topic: string, sequence?: number): ResetTold =>
  ({ event: 'reset', ...named(topic), reason: 'epoch_changed', ...sequence === undefined ? {} : { sequence } })

/** @returns what the judge finds, without the topic */
function found (topic: string, steps: readonly Step[], at = ANY_TIME): string[] {
  const failures: string[] = []
  const judge = new TopicJudge(topic, makeTruth(topic), failure => {
    failures.push(failure.slice(`${topic}: `.length))
  })
  for (const step of steps) {
    if (step.event === 'message') judge.take(step)
    else judge.reset(step, at)
  }
  judge.end()
  return failures
}

const trades = (...numbers: number[]): Given[] => numbers.map(number => given(TRADES, number))

test('holds good what a client may give of a history', async t => {
  t.same(found(TRADES, trades(1, 2, 3, 6, 7, 8)), [], 'it had nothing of what was lost')
  t.same(found(TRADES, trades(3, 6, 7, 8)), [], 'it came late')
  t.same(found(TRADES, [...trades(2, 3, 4, 5), reset(TRADES, 3), ...trades(6, 7, 8)]), [], 'it goes back')
  t.same(found(TRADES, [...trades(2, 3, 4), reset(TRADES, 2), ...trades(3, 6, 7, 8)]), [], 'it goes back further')
  t.same(found(TRADES, [...trades(2, 3, 4), reset(TRADES), ...trades(1, 2, 3, 6, 7, 8)]), [], 'it begins anew')
  t.same(found(TRADES, [reset(TRADES), reset(TRADES, 3), ...trades(6, 7, 8)]), [], 'it had nothing, and is told so twice')
})

test('finds what a client may not give of a history', async t => {
  const cases: ReadonlyArray<readonly [what: string, steps: readonly Step[], first: RegExp]> = [
    ['a message is missing', trades(1, 3, 6, 7, 8), /^3 comes after 1: messages are missing/],
    ['a message comes twice', trades(1, 2, 2, 3, 6, 7, 8), /^2 comes after 2: twice/],
    ['messages change places', trades(1, 3, 2, 6, 7, 8), /^3 comes after 1: messages are missing/],
    ['the last one is missing', trades(1, 2, 3, 6, 7), /^the application ends with 5, the server with 6/],
    ['it does not go back', trades(3, 4, 7, 8), /^5 comes after 4, which was lost, and no reset says so/],
    ['it stays with what was lost', trades(3, 4, 5), /^the application ends with 5, which was lost, the server with 6/],
    ['it does not go back far enough', [...trades(3, 4, 5), reset(TRADES, 4), ...trades(7, 8)], /^5 comes after 4, which was lost/],
    ['it gives what was lost already', [...trades(3, 6), given(TRADES, 5)], /^5 was lost when 4 came/],
    ['it does not give again what a reset took', [...trades(1, 2, 3), reset(TRADES), ...trades(6, 7, 8)], /^after a reset it goes on with 4, though the server has 1/],
    ['it leaves something out behind a reset', [reset(TRADES, 3), ...trades(7, 8)], /^after a reset it goes on with 5, though the server has 4/],
    ['its sequence is another one', [...trades(1, 2), given(TRADES, 3, { sequence: 7 })], /^message 3 came as number 7/],
    ['nobody published it', [given(TRADES, 9)], /^message 7 was never published/],
    ['a field is another one', [...trades(1, 2, 3, 6, 7), given(TRADES, 8, { data: { ...dataOf(TRADES, 8), price: '2' } })], /^message 6 is .* and was published as/]
  ]
  for (const [what, steps, first] of cases) t.match(found(TRADES, steps)[0], first, what)
  t.match(found(TRADES, [reset(TRADES), ...trades(1, 2, 3, 6, 7, 8)], 0), [/though nothing was lost/], 'a reset before there was a loss')
})

const snapshot = (number: number, ...prices: number[]): Given => given(BOOK, number, {
  snapshot: true, data: { ...dataOf(BOOK, number), bids: prices.map(price => [String(price), '1']) }
})
const books = (...numbers: number[]): Given[] => numbers.map(number => given(BOOK, number))

test('holds good what a client may give of a state', async t => {
  t.same(found(BOOK, [snapshot(2, 2, 1), ...books(3, 6, 7, 8)]), [])
  t.same(found(BOOK, [snapshot(2, 2, 1), snapshot(7, 7, 6, 3, 2, 1), ...books(8)]), [], 'a snapshot leaves some out')
  t.same(found(BOOK, [snapshot(2, 2, 1), ...books(3, 4), reset(BOOK), snapshot(8, 8, 7, 6, 3, 2, 1)]), [], 'it begins anew')
  const joined = given(BOOK, 7, { prev: 3, data: { ...dataOf(BOOK, 7), bids: [['7', '1'], ['6', '1']] } })
  t.same(found(BOOK, [snapshot(3, 3, 2, 1), joined, ...books(8)]), [], 'two are conflated')
})

test('finds what a client may not give of a state', async t => {
  const cases: ReadonlyArray<readonly [what: string, steps: readonly Step[], first: RegExp]> = [
    ['a snapshot is another one', [snapshot(2, 2)], /^the state after 2 is .*, the server had/],
    ['it begins without a snapshot', books(2, 3, 6, 7, 8), /^the state after 2 is/],
    ['a snapshot is older', [snapshot(3, 3, 2, 1), snapshot(2, 2, 1)], /^the snapshot 2 comes after 3/],
    ['a message is missing', [snapshot(1, 1), ...books(3, 6, 7, 8)], /^3 comes after 1: messages are missing/],
    ['it conflates without saying so', [snapshot(3, 3, 2, 1), ...books(7, 8)], /^5 comes after 3: messages are missing/],
    ['it goes on with what was lost', [snapshot(3, 3, 2, 1), ...books(4, 7, 8)], /^5 comes after 4, which was lost/],
    ['a snapshot replaces what was lost, and no reset comes', [snapshot(3, 3, 2, 1), ...books(4, 5), snapshot(8, 8, 7, 6, 3, 2, 1)], /^6 comes after 5, which was lost/],
    ['it goes on from a reset without a snapshot', [snapshot(3, 3, 2, 1), reset(BOOK), ...books(6, 7, 8)], /^the state after 4 is/]
  ]
  for (const [what, steps, first] of cases) t.match(found(BOOK, steps)[0], first, what)
})
