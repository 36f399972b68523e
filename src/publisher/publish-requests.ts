import { TypeCompiler } from '@sinclair/typebox/compiler'
import { type Channels, type JsonItem, type PublishAnswer, PublishItem } from '@tickwire/protocol'
import type { Publication, Publisher, PublishLimits, PublishResult } from './publisher.js'

const itemCheck = TypeCompiler.Compile(PublishItem)

/** How many messages of a channel a request had, by whether the log took them. */
export interface PublishCounts {
  accepted: number
  rejected: number
}

export interface PublishOutcome {
  readonly answer: PublishAnswer
  /** By channel that exists; messages of unknown channels are counted together. */
  readonly counts: ReadonlyMap<string, PublishCounts>
  /** Whether the token permits none of the messages: then the whole request is refused. */
  readonly isForbidden: boolean
}

/** A request whose messages have been judged, and can be appended. */
export interface JudgedRequest {
  /**
   * Appends the good messages. It hands them to the log before it returns its promise, so that calls keep
   * their order.
   * @throws ProtocolError `log_unavailable` if none was taken
   */
  append (): Promise<PublishOutcome>
}

/** The key of counts for messages of unknown channels. */
const NO_CHANNEL = '(none)'

const FORM = 'a message has channel, symbol, data, and optionally snapshot, idempotency_key, user'

/**
 * Requests of clients to publish, over HTTP or WebSocket. Each message has its own answer (PROTOCOL.md,
 * Publishing).
 */
export class PublishRequests {
  constructor (
    private readonly publisher: Publisher,
    private readonly channels: Channels,
    private readonly maxMessageBytes: number
  ) {}

  /**
   * Judges the messages of a request.
   * @param user the publisher, whose idempotency keys are its own
   * @param permit whether the publisher's token permits a message
   */
  async judge (
    items: readonly JsonItem[],
    user: string,
    permit: NonNullable<PublishLimits['permit']>
  ): Promise<JudgedRequest> {
    const good: Publication[] = []
    const refusals = items.map(({ value, error }): PublishResult | undefined => {
      if (error !== undefined) return { code: error.code, message: error.message }
      if (!itemCheck.Check(value)) return { code: 'invalid_message', message: FORM }
      good.push(publicationOf(value))
      return undefined
    })
    const { maxMessageBytes } = this
    const batch = await this.publisher.judge(good, { publisher: user, maxMessageBytes, permit })
    return {
      append: async () => {
        const published = await batch.append()
        let next = 0
        return this.outcome(items, refusals.map(refusal => refusal ?? published[next++]!))
      }
    }
  }

  private outcome (items: readonly JsonItem[], results: readonly PublishResult[]): PublishOutcome {
    const rejected = results.flatMap((result, index) => 'code' in result ? [{ index, ...result }] : [])
    return {
      answer: {
        accepted: results.length - rejected.length,
        rejected,
        sequences: results.map(result => 'sequence' in result ? result.sequence : null)
      },
      counts: this.countsOf(items, results),
      isForbidden: results.length > 0 && results.every(isForbidden)
    }
  }

  private countsOf (
    items: readonly JsonItem[],
    results: readonly PublishResult[]
  ): Map<string, PublishCounts> {
    const byChannel = new Map<string, PublishCounts>()
    for (const [index, { value }] of items.entries()) {
      const named = (value as { channel?: unknown } | null)?.channel
      const channel = typeof named === 'string' && this.channels.has(named) ? named : NO_CHANNEL
      let counts = byChannel.get(channel)
      if (counts === undefined) byChannel.set(channel, counts = { accepted: 0, rejected: 0 })
      counts['sequence' in results[index]! ? 'accepted' : 'rejected']++
    }
    return byChannel
  }
}

/** All publications have the same fields in the same order: what reads them then stays fast. */
const publicationOf = (item: PublishItem): Publication => ({
  channel: item.channel,
  symbol: item.symbol,
  user: item.user,
  data: item.data,
  snapshot: item.snapshot,
  idempotencyKey: item.idempotency_key,
  origin: undefined
})

const isForbidden = (result: PublishResult): boolean => 'code' in result && result.code === 'forbidden'
