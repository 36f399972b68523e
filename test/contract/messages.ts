import type { AppendItem, AppendResult, Entry, Log } from '../../src/log/log.js'

/** Messages that the suites of the log append, and what they read of them. */

const SYMBOLS = ['AAPL', 'MSFT', 'BTC-USD', 'ETH-USD', 'NVDA', 'TSLA', 'IBM', 'SAP']
/** Topics of every shard, the common one included. */
export const TOPICS = SYMBOLS.flatMap(symbol => [`quotes:${symbol}`, `trades:${symbol}`])

/** Makes a message whose payload is its number. */
export const item = (topic: string, n: number, more: Partial<AppendItem> = {}): AppendItem => ({
  topic,
  payload: `{"n":${n}}`,
  ...more
})
/** Makes the payload of a book. */
export const level = (bids: string[][], asks: string[][] = []): string => JSON.stringify({ symbol: 'X', bids, asks })

/** Returns the result of an append that was taken. @throws Error if it was refused */
export function appended (result: AppendResult | undefined): Exclude<AppendResult, { error: string }> {
  if (result === undefined || 'error' in result) throw new Error(`not appended: ${JSON.stringify(result)}`)
  return result
}

/** Returns the sequences that an append gave out, and for each refused item the code of its error. */
export const sequencesOf = (results: readonly AppendResult[]): unknown[] =>
  results.map(result => 'error' in result ? result.error : result.sequence)

/** Appends rounds over all topics, in batches of different sizes. Returns the answers, in order. */
export async function fill (
  log: Log,
  rounds: number
): Promise<Array<{ topic: string, sequence: number, offset: number, shard: number }>> {
  const all = Array.from({ length: rounds }, (_, round) => TOPICS.map(topic => item(topic, round + 1))).flat()
  const results = []
  for (let at = 0, size = 1; at < all.length; at += size, size = (size % 7) + 1) {
    const batch = all.slice(at, at + size)
    const answers = await log.append(batch)
    results.push(...answers.map((answer, i) => ({ topic: batch[i]!.topic, ...appended(answer) })))
  }
  return results
}

export const sequences = (entries: readonly Entry[]): number[] => entries.map(({ sequence }) => sequence)
/** Returns the whole numbers from one to another, both included. */
export const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i)
/** Reads the state of a topic. */
export const state = async (log: Log, topic: string): Promise<unknown> => {
  const snapshot = await log.snapshot(topic)
  return snapshot && JSON.parse(snapshot.payload)
}
/** Reads the last offset of each shard. */
export const offsets = async (log: Log): Promise<number[]> => (await log.head()).map(({ offset }) => offset)
