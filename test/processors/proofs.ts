import { Type } from '@sinclair/typebox'
import { type ChannelDefinition, defineChannel, standardChannels, type Topic, type Trade } from '@tickwire/protocol'
import { journalChannel } from '../../src/processors/journal.js'
import type { JournalProcessor, TopicProcessor } from '../../src/processors/processor.js'

/** Two small processors whose outputs tell of any message that they counted twice, or not at all. */

const closed = { additionalProperties: false } as const

/** The messages of a symbol's trades: how many there are, and a digest that says which, in their order. */
const counts = defineChannel({
  name: 'counts',
  type: 'count',
  description: 'how many trades a symbol has had',
  keyed: true,
  access: 'public',
  schema: Type.Object({
    symbol: Type.String(),
    count: Type.Integer({ minimum: 0 }),
    digest: Type.Integer(),
    part: Type.Optional(Type.Integer())
  }, closed),
  reduce: 'last',
  merge: 'last'
})

interface Count { readonly count: number, readonly digest: number }

/** Depends on each text and on its place. */
export const digest = (before: number, text: string): number => {
  let hash = before
  for (const character of text) hash = (Math.imul(hash, 31) + character.codePointAt(0)!) | 0
  return hash
}

/** What tells a trade from all others of its symbol. */
export const markOf = (data: unknown): string => {
  const { trade_id: id, price } = data as { trade_id?: string, price: string }
  return id ?? price
}

/** A trade of its own. Some correct or cancel another, and their times are of several seconds. */
export function tradeOf (symbol: string, number: number): Trade {
  const isCorrection = number % 5 === 0
  const second = String(number % 4).padStart(2, '0')
  return {
    symbol,
    price: String(1 + number % 7),
    size: String(number % 3 + (isCorrection ? 0 : 1)),
    timestamp: `2026-01-01T00:00:${second}.${String(number % 1000).padStart(3, '0')}Z`,
    trade_id: `t${number}`,
    ...isCorrection ? { corrects: `t${number - 3}` } : {}
  }
}

export const counting: TopicProcessor<Count & { readonly symbol: string }> = {
  name: 'counting',
  inputs: ['trades'],
  outputs: ['counts'],
  outputOf: ({ symbol }) => ({ channel: 'counts', symbol }),
  restore: (data, { symbol }) => {
    if (data === undefined) return { symbol: symbol!, count: 0, digest: 0 }
    const { count, digest } = data as Count
    return { symbol: symbol!, count, digest }
  },
  apply (before, { data, topic }) {
    const state = {
      symbol: topic.symbol!,
      count: before.count + 1,
      digest: digest(before.digest, markOf(data))
    }
    // Two outputs of each input: the log may take one and not the other.
    return { state, outputs: [{ ...state, part: 0 }, { ...state, part: 1 }] }
  },
  correct: state => state
}

/** A decision about a trade: at which quote it was made. */
interface Valued { readonly symbol: string, readonly trade: string, readonly bid: string }
interface Quoted { readonly symbol: string, readonly quote: string }
type Decision = Valued | Quoted

interface Book {
  /** By symbol, the last bid. */
  readonly bids: Readonly<Record<string, string>>
  /** By symbol, how many trades were valued, and a digest of them and their bids. */
  readonly values: Readonly<Record<string, Count>>
}

const Decision = Type.Union([
  Type.Object({ symbol: Type.String(), trade: Type.String(), bid: Type.String() }, closed),
  Type.Object({ symbol: Type.String(), quote: Type.String() }, closed)
])

const NONE: Count = { count: 0, digest: 0 }

function apply (book: Book, decision: Decision): Book {
  const { symbol } = decision
  if ('quote' in decision) return { ...book, bids: { ...book.bids, [symbol]: decision.quote } }
  const before = book.values[symbol] ?? NONE
  return { ...book, values: { ...book.values, [symbol]: { count: before.count + 1, digest: digest(before.digest, `${decision.trade}@${decision.bid}`) } } }
}

const initial = (): Book => ({ bids: {}, values: {} })

const valuesJournal = journalChannel<Book>({
  name: 'values_journal', description: 'decisions about trades', decision: Decision, retention: { messages: 1_000_000 }, initial, apply
})

/** What was decided about a symbol's trades. */
const values = defineChannel({
  name: 'values',
  type: 'value',
  description: 'each trade with the bid that it met',
  keyed: true,
  access: 'public',
  schema: Type.Object({
    symbol: Type.String(),
    trade: Type.Optional(Type.String()),
    bid: Type.Optional(Type.String()),
    count: Type.Optional(Type.Integer()),
    digest: Type.Optional(Type.Integer())
  }, closed)
})

/** Trades and quotes: which quote a trade meets depends on the order in which the two inputs are read. */
export const valuing: JournalProcessor<Book, Decision> = {
  name: 'valuing',
  inputs: ['trades', 'quotes'],
  outputs: ['values'],
  journal: valuesJournal.name,
  initial,
  decide (book, { topic, data }) {
    const symbol = topic.symbol!
    if (topic.channel === 'quotes') return { symbol, quote: (data as { bid?: string }).bid ?? '' }
    return { symbol, trade: markOf(data), bid: book.bids[symbol] ?? '' }
  },
  apply,
  project: decision => 'quote' in decision ? [] : [{ channel: 'values', symbol: decision.symbol, data: decision }],
  correct: (book, { symbol }: Topic) => ({ symbol, ...book.values[symbol!] ?? NONE })
}

export const ownChannels: readonly ChannelDefinition[] = [counts, valuesJournal, values]
export const proofChannels = new Map([
  ...standardChannels,
  ...ownChannels.map(channel => [channel.name, channel] as const)
])
