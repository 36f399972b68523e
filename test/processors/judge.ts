import type { Log } from '../../src/log/log.js'
import type { JournalMessage } from '../../src/processors/journal.js'
import { type PlainBar, plainBars, plainPart, type PlainTrade } from '../helpers/plain-bars.js'
import { digest, markOf } from './proofs.js'

/** What is wrong with what the processors have published, by what the log has now. */

/** The data of all messages that the log has of a topic. */
export type Messages = (topic: string) => Promise<readonly unknown[]>

export const messagesOf = (log: Log): Messages => async topic => {
  const { entries } = await log.read(topic, { sequence: 0 }, 1_000_000)
  return entries.map(({ payload }) => JSON.parse(payload) as unknown)
}

/** @param complete whether nothing was lost; then no message may be missing, and none may be there twice */
export async function judgeOutputs (
  messages: Messages,
  symbols: readonly string[],
  complete: boolean
): Promise<string[]> {
  return [
    ...await judgeCounts(messages, symbols, complete),
    ...await judgeValues(messages, symbols, complete),
    ...await judgeBars(messages, symbols)
  ]
}

/** Which are not there, by their places. */
function lacking (expected: readonly unknown[], found: readonly unknown[]): string {
  const there = new Set(found)
  const places = expected.flatMap((mark, index) => there.has(mark) ? [] : [index + 1])
  return places.length === 0 ? ', in another order' : `, without ${places.slice(0, 5).join()}`
}

async function judgeCounts (all: Messages, symbols: readonly string[], complete: boolean): Promise<string[]> {
  const faults: string[] = []
  for (const symbol of symbols) {
    const trades = await all(`trades:${symbol}`)
    const outputs = await all(`counts:${symbol}`) as ReadonlyArray<{ count: number, digest: number, part?: number }>
    const last = outputs.at(-1)
    const expected = trades.reduce<number>((hash, data) => digest(hash, markOf(data)), 0)
    if ((last?.count ?? 0) !== trades.length || (last?.digest ?? 0) !== expected) faults.push(`counts:${symbol} ends with ${last?.count} of ${trades.length} trades${last?.count === trades.length ? ', and others' : ''}`)
    const isWrong = complete && outputs.some(({ count, part }, index) => (
      count !== Math.floor(index / 2) + 1 || part !== index % 2
    ))
    if (isWrong || (complete && outputs.length !== 2 * trades.length)) faults.push(`counts:${symbol} counts ${outputs.map(({ count, part }) => `${count}.${part}`).join()}`)
  }
  return faults
}

interface SaidBar extends PlainBar { readonly closed: boolean }

/** Checks that the last message about each bar says what the trades make, whoever had said what before. */
async function judgeBars (all: Messages, symbols: readonly string[]): Promise<string[]> {
  const faults: string[] = []
  for (const symbol of symbols) {
    const expected = plainBars(await all(`trades:${symbol}`) as readonly PlainTrade[], 1000)
    const said = await all(`bars.1s:${symbol}`) as readonly SaidBar[]
    const last = new Map(said.map(bar => [bar.start, bar]))
    for (const [start, bar] of last) {
      if (bar.trades === 0 && !expected.has(start)) continue
      const [is, must] = [JSON.stringify(plainPart(bar)), JSON.stringify(expected.get(start))]
      if (is !== must) faults.push(`bars.1s:${symbol} ends with ${is} where the trades make ${must}`)
      if (!bar.closed) faults.push(`bars.1s:${symbol} has left ${start} open`)
    }
    const missing = [...expected.keys()].filter(start => !last.has(start))
    if (missing.length > 0) faults.push(`bars.1s:${symbol} lacks ${missing.join()}`)
  }
  return faults
}

async function judgeValues (all: Messages, symbols: readonly string[], complete: boolean): Promise<string[]> {
  const faults: string[] = []
  type Decision = { symbol: string, trade?: string, bid?: string, quote?: string }
  const decisions = (await all('values_journal') as ReadonlyArray<JournalMessage<Decision>>).flatMap(({ decision }) => decision ?? [])
  const bids = new Map<string, string>()
  const bySymbol = new Map<string, Decision[]>()
  for (const decision of decisions) {
    if (decision.quote !== undefined) bids.set(decision.symbol, decision.quote)
    else {
      if (decision.bid !== (bids.get(decision.symbol) ?? '')) faults.push(`the journal values a trade of ${decision.symbol} at ${decision.bid}, where the bid was ${bids.get(decision.symbol)}`)
      bySymbol.set(decision.symbol, [...bySymbol.get(decision.symbol) ?? [], decision])
    }
  }
  for (const symbol of symbols) {
    const own = bySymbol.get(symbol) ?? []
    const trades = (await all(`trades:${symbol}`)).map(markOf)
    const decided = own.map(({ trade }) => trade!)
    if (new Set(decided).size !== decided.length) faults.push(`the journal has trades of ${symbol} twice: ${decided.join()}`)
    if (complete && decided.join() !== trades.join()) faults.push(`the journal has ${decided.length} of ${trades.length} trades of ${symbol}${lacking(trades, decided)}`)
    if (complete) {
      const quotes = (await all(`quotes:${symbol}`) as ReadonlyArray<{ bid: string }>).map(({ bid }) => bid)
      const read = decisions
        .filter(decision => decision.symbol === symbol && decision.quote !== undefined)
        .map(({ quote }) => quote)
      if (read.join() !== quotes.join()) faults.push(`the journal has ${read.length} of ${quotes.length} quotes of ${symbol}${lacking(quotes, read)}`)
    }
    faults.push(...judgeProjection(symbol, own, await all(`values:${symbol}`) as readonly Value[], complete))
  }
  return faults
}

interface Value {
  readonly trade?: string
  readonly bid?: string
  readonly count?: number
  readonly digest?: number
}

/** Checks that a client that follows the outputs ends where the journal does. */
function judgeProjection (
  symbol: string,
  decisions: readonly Value[],
  outputs: readonly Value[],
  complete: boolean
): string[] {
  type Sum = Required<Pick<Value, 'count' | 'digest'>>
  const step = (state: Sum, { trade, bid }: Value): Sum =>
    ({ count: state.count + 1, digest: digest(state.digest, `${trade}@${bid}`) })
  const none = { count: 0, digest: 0 }
  const truth = decisions.reduce(step, none)
  const followed = outputs.reduce<{ count: number, digest: number }>((state, output) => (
    output.count === undefined ? step(state, output) : { count: output.count, digest: output.digest! }), none)
  if (followed.count === truth.count && followed.digest === truth.digest) {
    return complete && outputs.length !== decisions.length ? [`values:${symbol} has ${outputs.length} outputs of ${decisions.length} decisions`] : []
  }
  return [`values:${symbol} ends at ${followed.count} where the journal has ${truth.count}`]
}
