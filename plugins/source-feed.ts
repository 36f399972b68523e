import { isDeepStrictEqual } from 'node:util'
import { type Instrument, instruments as instrumentsChannel, ProtocolError, topicKey } from '@tickwire/protocol'
import type { FastifyBaseLogger } from 'fastify'
import type { Hub } from '../src/hub/hub.js'
import type { Fence } from '../src/log/log.js'
import type { Publication, Publisher, PublishResult } from '../src/publisher/publisher.js'

/** Names the sources of all servers as publishers; no token can have it as its user. */
const SOURCE_PUBLISHER = ''
/** Makes what several servers introduce at the same time one message. */
const INTRODUCED = 'introduced'

/** The way of a source's messages into the log. Each message and each instrument has its answer, in its place. */
export interface SourceFeed {
  publish (publications: readonly Publication[], fence?: Fence): Promise<readonly PublishResult[]>
  /** Says what is not known as it is here. */
  declare (instruments: readonly Instrument[], fence?: Fence): Promise<readonly PublishResult[]>
  /** Says what is not known at all. */
  introduce (instruments: readonly Instrument[]): Promise<void>
  instrument (symbol: string): Instrument | undefined
}

export function sourceFeed (publisher: Publisher, { directory }: Hub, logger: FastifyBaseLogger): SourceFeed {
  const publish: SourceFeed['publish'] = async (publications, fence) => {
    if (publications.length === 0) return []
    const results = await publisher.publish(publications, { publisher: SOURCE_PUBLISHER, fence })
    for (const [index, result] of results.entries()) {
      if (!('code' in result)) continue
      const { channel, symbol } = publications[index]!
      // As where the log takes nothing: the source begins anew.
      if (result.code === 'log_unavailable') throw new ProtocolError('log_unavailable', result.message)
      logger.warn({ channel, symbol, code: result.code, reason: result.message }, 'a message of a source was refused')
    }
    return results
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
