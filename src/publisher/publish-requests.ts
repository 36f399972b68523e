import { TypeCompiler } from '@sinclair/typebox/compiler'
import { type Channels, type JsonItem, type PublishAnswer, PublishItem } from '@tickwire/protocol'
import type { Publication, Publisher, PublishLimits, PublishResult } from './publisher.js'

const itemCheck = TypeCompiler.Compile(PublishItem)

/** How many messages of a channel a request brought, and how many of them were taken. */
export interface PublishCounts {
  accepted: number
  rejected: number
}

export interface PublishOutcome {
  readonly answer: PublishAnswer
  /** By channel that exists; those of no such channel are counted together. */
  readonly counts: ReadonlyMap<string, PublishCounts>
  /** Whether the token permits none of the messages: then the request as a whole is refused. */
  readonly isForbidden: boolean
}

/** A request that has been judged and waits to be appended. */
export interface JudgedRequest {
  /** Gives the log the good messages before it returns. @throws ProtocolError `log_unavailable`: none was taken */
  append (): Promise<PublishOutcome>
}

/** What is counted for messages that name no channel that exists. */
const NO_CHANNEL = '(none)'

/** Requests of clients to publish (PROTOCOL.md, Publishing), whichever way they came: each message has its own answer. */
export class PublishRequests {
  constructor (private readonly publisher: Publisher, private readonly channels: Channels, private readonly maxMessageBytes: number) {}

  /** @param user the publisher: its idempotency keys are its own */
  async judge (items: readonly JsonItem[], user: string, permit: NonNullable<PublishLimits['permit']>): Promise<JudgedRequest> {
    const good: Publication[] = []
    const refusals = items.map(({ value, error }): PublishResult | undefined => {
      if (error !== undefined) return { code: error.code, message: error.message }
      if (!itemCheck.Check(value)) return { code: 'invalid_message', message: 'a message has channel, symbol, data, and optionally snapshot, idempotency_key, user' }
      good.push({ ...value, idempotencyKey: value.idempotency_key })
      return undefined
    })
    const batch = await this.publisher.judge(good, { publisher: user, maxMessageBytes: this.maxMessageBytes, permit })
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
      isForbidden: results.length > 0 && results.every(result => 'code' in result && result.code === 'forbidden')
    }
  }

  private countsOf (items: readonly JsonItem[], results: readonly PublishResult[]): Map<string, PublishCounts> {
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
