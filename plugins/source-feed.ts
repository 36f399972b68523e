import { isDeepStrictEqual } from 'node:util'
import {
  type Instrument, instruments as instrumentsChannel, ProtocolError, topicKey
} from '@tickwire/protocol'
import type { FastifyBaseLogger } from 'fastify'
import type { Hub } from '../src/hub/hub.js'
import type { Fence } from '../src/log/log.js'
import {
  type Publication, type Publisher, type PublishResult, TOO_MANY_TOPICS
} from '../src/publisher/publisher.js'
import type { OriginOptions, SourceMessage } from '../src/sources/source.js'
import { type Refusal, SoundBooks } from '../src/sources/sound-books.js'

/**
 * The idempotency key of introductions: if several servers introduce an instrument, the log appends it once.
 */
const INTRODUCED = 'introduced'

/**
 * The way of a source's messages into the log. Each message and each instrument has a result, in the same
 * order.
 */
export interface SourceFeed {
  publish (
    publications: ReadonlyArray<Publication & Pick<SourceMessage, 'fault'>>, fence?: Fence,
    origins?: OriginOptions
  ): Promise<readonly PublishResult[]>
  /** Publishes the instruments that nobody has declared, or that were declared differently. */
  declare (instruments: readonly Instrument[], fence?: Fence): Promise<readonly PublishResult[]>
  /** Publishes the instruments that nobody has declared yet. */
  introduce (instruments: readonly Instrument[]): Promise<void>
  /** Takes back what was declared. @returns a result for each symbol; undefined if nobody declares it */
  undeclare (symbols: readonly string[]): Promise<ReadonlyArray<PublishResult | undefined>>
  instrument (symbol: string): Instrument | undefined
}

/** How many kinds of refusals the feed remembers as logged. */
const MAX_LOGGED = 1000
/**
 * The label for a channel that does not exist, and for messages of the application, which is not a source.
 */
const NONE = '(none)'

/**
 * Makes the feed of a server's sources. It counts and logs refusals, and keeps books sound.
 * @param fixed instruments that stay as they are here, whatever sources declare
 */
export function sourceFeed (
  publisher: Publisher,
  { directory, channels, counters }: Hub,
  logger: FastifyBaseLogger,
  fixed: readonly Instrument[] = []
): SourceFeed {
  const fixedBySymbol = new Map(fixed.map(instrument => [instrument.symbol, instrument]))
  const books = new SoundBooks(publication => publisher.refusalOf(publication))
  const logged = new Set<string>()
  const noteRefusal = (
    { channel, symbol }: Publication, refusal: Refusal, isStale: boolean, source = NONE
  ): void => {
    const { code, message: reason } = refusal
    counters.refuseOfSource(source, channels.has(channel) ? channel : NONE, code)
    if (SoundBooks.isDropped(refusal)) return
    // A venue that sends one wrong message mostly goes on to send more.
    const key = JSON.stringify([source, channel, symbol, code])
    if (logged.has(key) && !isStale) return
    if (logged.size >= MAX_LOGGED) logged.clear()
    logged.add(key)
    logger.warn({ source, channel, symbol, code, reason }, isStale
      ? 'the server refused a message of a source: its book is stale until the next snapshot'
      : 'the server refused a message of a source; it only counts further ones of that topic')
  }
  const noteFault = ({ symbol, fault }: Pick<SourceMessage, 'symbol' | 'fault'>, source = NONE): void => {
    if (fault === undefined) return
    counters.noteStaleBook(source, fault.reason)
    // The source has logged that its connection is lost, once for all books.
    if (fault.reason === 'cut') return
    logger.warn({ source, symbol, ...fault }, 'a book is stale until the next snapshot of its venue')
  }
  const append: SourceFeed['publish'] = async (publications, fence, origins) => {
    try {
      const results = await publisher.publishOwn(publications, { fence, ...origins })
      const untaken = results.find(isUntaken)
      if (untaken !== undefined) throw new ProtocolError(untaken.code, untaken.message)
      return results
    } catch (error) {
      // Nobody knows whether the log has any of the messages, so the source starts anew.
      for (const publication of publications) books.lost(publication)
      throw error
    }
  }
  const publish: SourceFeed['publish'] = async (publications, fence, origins) => {
    const deliveries = publications.map(publication => books.deliver(publication))
    const published = deliveries.flatMap(({ publication }) => publication ?? [])
    const results = (published.length === 0 ? [] : await append(published, fence, origins))[Symbol.iterator]()
    for (const publication of publications) noteFault(publication, fence?.source)
    return deliveries.map(({ publication, refusal }, index): PublishResult => {
      const appended = publication === undefined ? undefined : results.next().value
      const result = refusal ?? appended!
      const isStale = refusal !== undefined && publication !== undefined
      if ('code' in result) noteRefusal(publications[index]!, result, isStale, fence?.source)
      if (refusal === undefined && 'code' in result) books.lost(publications[index]!)
      return result
    })
  }
  const described = (instruments: readonly Instrument[], idempotencyKey?: string): Publication[] =>
    instruments.map(instrument => (
      { channel: instrumentsChannel.name, symbol: instrument.symbol, data: instrument, idempotencyKey }))
  const lastSequence = ({ symbol }: Instrument): number =>
    directory.last(topicKey({ channel: instrumentsChannel.name, symbol }))?.sequence ?? 0
  return {
    publish,
    async declare (instruments, fence) {
      // A known instrument is not published again: a client that resumes would take it for a move between
      // sets.
      const settled = instruments.map(instrument => fixedBySymbol.get(instrument.symbol) ?? instrument)
      const news = settled.filter(instrument =>
        !isDeepStrictEqual(directory.known.declaredAs(instrument.symbol), instrument))
      const results = await publish(described(news), fence)
      const resultOf = new Map(news.map((instrument, index) => [instrument, results[index]!]))
      return settled.map(instrument => resultOf.get(instrument) ?? { sequence: lastSequence(instrument) })
    },
    async introduce (instruments) {
      const unknown = instruments.filter(({ symbol }) => directory.known.declaredAs(symbol) === undefined)
      await publish(described(unknown, INTRODUCED))
    },
    async undeclare (symbols) {
      const { known } = directory
      const declared = [...new Set(symbols)].filter(symbol => known.declaredAs(symbol) !== undefined)
      const results = await publish(declared.map(symbol => (
        { channel: instrumentsChannel.name, symbol, data: null })))
      const resultOf = new Map(declared.map((symbol, index) => [symbol, results[index]!]))
      return symbols.map(symbol => resultOf.get(symbol))
    },
    instrument: symbol => directory.instrument(symbol)
  }
}

/** Tells whether the log could not take a message for now, so that the source must try again. */
function isUntaken (result: PublishResult): result is Refusal {
  if (!('code' in result)) return false
  const { code, message } = result
  return code === 'log_unavailable' || (code === 'overloaded' && message !== TOO_MANY_TOPICS)
}
