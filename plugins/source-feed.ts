import { isDeepStrictEqual } from 'node:util'
import { type Instrument, instruments as instrumentsChannel, ProtocolError, topicKey } from '@tickwire/protocol'
import type { FastifyBaseLogger } from 'fastify'
import type { Hub } from '../src/hub/hub.js'
import type { Fence } from '../src/log/log.js'
import { type Publication, type Publisher, type PublishResult, TOO_MANY_TOPICS } from '../src/publisher/publisher.js'
import type { OriginOptions } from '../src/sources/source.js'
import { type Refusal, SoundBooks } from '../src/sources/sound-books.js'

/** Names the sources of all servers as publishers; no token can have it as its user. */
const SOURCE_PUBLISHER = ''
/** Makes what several servers introduce at the same time one message. */
const INTRODUCED = 'introduced'

/** The way of a source's messages into the log. Each message and each instrument has its answer, in its place. */
export interface SourceFeed {
  publish (publications: readonly Publication[], fence?: Fence, origins?: OriginOptions): Promise<readonly PublishResult[]>
  /** Says what is not known as it is here. */
  declare (instruments: readonly Instrument[], fence?: Fence): Promise<readonly PublishResult[]>
  /** Says what is not known at all. */
  introduce (instruments: readonly Instrument[]): Promise<void>
  instrument (symbol: string): Instrument | undefined
}

/** Most kinds of refusals that are remembered as logged. */
const MAX_LOGGED = 1000
/** What is counted for what names no channel that there is, and for what no source but the application says. */
const NONE = '(none)'

export function sourceFeed (publisher: Publisher, { directory, channels, counters }: Hub, logger: FastifyBaseLogger): SourceFeed {
  const books = new SoundBooks(publication => publisher.refusalOf(publication))
  const logged = new Set<string>()
  const refused = ({ channel, symbol }: Publication, refusal: Refusal, isStale: boolean, source = NONE): void => {
    const { code, message: reason } = refusal
    counters.refuseOfSource(source, channels.has(channel) ? channel : NONE, code)
    if (SoundBooks.isDropped(refusal)) return
    // A venue that says one thing wrong mostly goes on to do so.
    const key = JSON.stringify([source, channel, symbol, code])
    if (logged.has(key) && !isStale) return
    if (logged.size >= MAX_LOGGED) logged.clear()
    logged.add(key)
    logger.warn({ source, channel, symbol, code, reason }, isStale
      ? 'a message of a source was refused: its book is stale until the next snapshot'
      : 'a message of a source was refused; further ones of its topic are only counted')
  }
  const append = async (publications: readonly Publication[], fence?: Fence, origins?: OriginOptions): Promise<readonly PublishResult[]> => {
    try {
      const results = await publisher.publish(publications, { publisher: SOURCE_PUBLISHER, fence, ...origins })
      const untaken = results.find(result => 'code' in result && (result.code === 'log_unavailable' || (result.code === 'overloaded' && result.message !== TOO_MANY_TOPICS)))
      if (untaken !== undefined && 'code' in untaken) throw new ProtocolError(untaken.code, untaken.message)
      return results
    } catch (error) {
      // Whether the log has any of them is not known: the source begins anew.
      for (const publication of publications) books.lost(publication)
      throw error
    }
  }
  const publish: SourceFeed['publish'] = async (publications, fence, origins) => {
    const deliveries = publications.map(publication => books.deliver(publication))
    const published = deliveries.flatMap(({ publication }) => publication ?? [])
    const results = (published.length === 0 ? [] : await append(published, fence, origins))[Symbol.iterator]()
    return deliveries.map(({ publication, refusal }, place): PublishResult => {
      const result = publication === undefined ? undefined : results.next().value
      const answer = refusal ?? result!
      if ('code' in answer) refused(publications[place]!, answer, refusal !== undefined && publication !== undefined, fence?.source)
      if (refusal === undefined && 'code' in answer) books.lost(publications[place]!)
      return answer
    })
  }
  const described = (instruments: readonly Instrument[], idempotencyKey?: string): Publication[] => instruments
    .map(instrument => ({ channel: instrumentsChannel.name, symbol: instrument.symbol, data: instrument, idempotencyKey }))
  return {
    publish,
    async declare (instruments, fence) {
      // What is known already is not said again: whoever resumes would take it for a move between sets.
      const news = instruments.filter(instrument => !isDeepStrictEqual(directory.instrument(instrument.symbol), instrument))
      const answers = await publish(described(news), fence)
      const said = new Map(news.map((instrument, index) => [instrument, answers[index]!]))
      return instruments.map(instrument => said.get(instrument) ?? { sequence: directory.last(topicKey({ channel: instrumentsChannel.name, symbol: instrument.symbol }))?.sequence ?? 0 })
    },
    introduce: async instruments => { await publish(described(instruments.filter(({ symbol }) => !directory.hasInstrument(symbol)), INTRODUCED)) },
    instrument: symbol => directory.instrument(symbol)
  }
}
