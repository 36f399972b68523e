import type { Entry, Log } from '../../src/log/log.js'
import type { JournalMessage } from '../../src/processors/journal.js'
import { digest } from './proofs.js'

/** What is wrong with what the two processors have published, by what the log has now. */

async function all (log: Log, topic: string): Promise<readonly Entry[]> {
  return (await log.read(topic, { sequence: 0 }, 1_000_000)).entries
}

const dataOf = <Data>({ payload }: Entry): Data => JSON.parse(payload) as Data

/** @param complete whether nothing was lost: then no output may be there twice either */
export async function judgeCounts (log: Log, symbols: readonly string[], complete: boolean): Promise<string[]> {
  const faults: string[] = []
  for (const symbol of symbols) {
    const trades = await all(log, `trades:${symbol}`)
    const outputs = (await all(log, `counts:${symbol}`)).map(entry => dataOf<{ count: number, digest: number }>(entry))
    const last = outputs.at(-1)
    const expected = trades.reduce((hash, entry) => digest(hash, dataOf<{ trade_id: string }>(entry).trade_id), 0)
    if ((last?.count ?? 0) !== trades.length || (last?.digest ?? 0) !== expected) faults.push(`counts:${symbol} ends with ${last?.count} of ${trades.length} trades${last?.count === trades.length ? ', and others' : ''}`)
    if (complete && outputs.some(({ count }, index) => count !== index + 1)) faults.push(`counts:${symbol} counts ${outputs.map(({ count }) => count).join()}`)
  }
  return faults
}

/** @param complete whether nothing was lost: then the journal has every input once */
export async function judgeValues (log: Log, symbols: readonly string[], complete: boolean): Promise<string[]> {
  const faults: string[] = []
  type Decision = { symbol: string, trade?: string, bid?: string, quote?: string }
  const journal = await all(log, 'values_journal')
  const decisions = journal.map(entry => dataOf<JournalMessage<Decision>>(entry).decision)
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
    const trades = (await all(log, `trades:${symbol}`)).map(entry => dataOf<{ trade_id: string }>(entry).trade_id)
    const decided = own.map(({ trade }) => trade!)
    if (new Set(decided).size !== decided.length) faults.push(`the journal has trades of ${symbol} twice: ${decided.join()}`)
    if (complete && decided.join() !== trades.join()) faults.push(`the journal has ${decided.length} of ${trades.length} trades of ${symbol}`)
    if (complete) {
      const quotes = (await all(log, `quotes:${symbol}`)).map(entry => dataOf<{ bid: string }>(entry).bid)
      const read = decisions.filter(decision => decision.symbol === symbol && decision.quote !== undefined).map(({ quote }) => quote)
      if (read.join() !== quotes.join()) faults.push(`the journal has ${read.length} of ${quotes.length} quotes of ${symbol}`)
    }
    faults.push(...judgeProjection(symbol, own, (await all(log, `values:${symbol}`)).map(entry => dataOf(entry)), complete))
  }
  return faults
}

interface Value { readonly trade?: string, readonly bid?: string, readonly count?: number, readonly digest?: number }

/** Whoever follows the outputs must end where the journal does. */
function judgeProjection (symbol: string, decisions: readonly Value[], outputs: readonly Value[], complete: boolean): string[] {
  const step = (state: { count: number, digest: number }, { trade, bid }: Value): { count: number, digest: number } =>
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
