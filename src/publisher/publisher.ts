import { FormatRegistry } from '@sinclair/typebox'
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler'
import {
  type ChannelDefinition, type Channels, type ErrorCode, errorTable, isSymbol, registerFormats, topicKey
} from '@tickwire/protocol'
import type { AppendItem, AppendOptions, Log, Origin } from '../log/log.js'

/** A message on its way into the log. */
export interface Publication {
  readonly channel: string
  readonly symbol?: string | undefined
  /** Owner of a private channel's topic. */
  readonly user?: string | undefined
  readonly data: unknown
  /** The message replaces the topic's whole state. */
  readonly snapshot?: boolean | undefined
  /** Repeated within ten minutes for its topic and publisher, nothing is appended again. */
  readonly idempotencyKey?: string | undefined
  /** Of what a processor publishes: its limits have the lineage. */
  readonly origin?: Origin | undefined
}

export type PublishResult =
  | {
    readonly sequence: number
    /** See `AppendResult` of the log. */
    readonly repeated?: true
  }
  | { readonly code: ErrorCode, readonly message: string }

export interface PublisherOptions {
  readonly log: Log
  readonly channels: Channels
}

/** Limits on one batch of publications. */
export interface PublishLimits extends AppendOptions {
  /** Names the publisher for its idempotency keys. */
  readonly publisher: string
  /** Most bytes of one message's data. */
  readonly maxMessageBytes?: number
  /** Why a topic may not be published to beyond what its schema says: permissions, known symbols. What it can say at once is no promise. */
  readonly permit?: (channel: ChannelDefinition, publication: Publication) => ErrorCode | undefined | Promise<ErrorCode | undefined>
}

type Refusal = Extract<PublishResult, { code: ErrorCode }>

interface Channel {
  readonly definition: ChannelDefinition
  readonly check: TypeCheck<ChannelDefinition['schema']>
}

registerFormats(FormatRegistry)

/** Validates messages and appends them to the log; the log stamps and numbers them. */
export class Publisher {
  private readonly log: Log
  private readonly channels: ReadonlyMap<string, Channel>

  constructor ({ log, channels }: PublisherOptions) {
    this.log = log
    this.channels = new Map([...channels].map(([name, definition]) =>
      [name, { definition, check: TypeCompiler.Compile(definition.schema) }]))
  }

  /**
   * Judges a batch and appends its good items, in order, in one append. An item that is bad, or whose part of the log does not take it
   * (`log_unavailable`), is answered so, and the others stand; it can be published again.
   * @returns an answer for each item, in its place
   * @throws ProtocolError `log_unavailable`, where none was taken; StaleFence
   */
  async publish (batch: readonly Publication[], limits: PublishLimits): Promise<PublishResult[]> {
    const judged = this.judge(batch, limits)
    return await (judged instanceof Promise ? await judged : judged).append()
  }

  /** The first half of {@link publish}: batches that are appended in the order in which they came wait for each other between the two. */
  judge (batch: readonly Publication[], limits: PublishLimits): JudgedBatch | Promise<JudgedBatch> {
    const refusals = new Array<Refusal | undefined>(batch.length)
    const asked: Array<Promise<void>> = []
    for (const [place, publication] of batch.entries()) {
      const refusal = this.permitted(publication, limits)
      if (refusal instanceof Promise) asked.push(refusal.then(answer => { refusals[place] = answer }))
      else refusals[place] = refusal
    }
    const judged = (): JudgedBatch => {
      const items = batch.map((publication, place) => refusals[place] ?? this.prepare(publication, limits))
      return new JudgedBatch(this.log, items, { fence: limits.fence, lineage: limits.lineage, epochs: limits.epochs })
    }
    return asked.length === 0 ? judged() : Promise.all(asked).then(judged)
  }

  /** Why a message cannot be published, whatever is in it. */
  private permitted (publication: Publication, { permit }: PublishLimits): Refusal | undefined | Promise<Refusal | undefined> {
    const channel = this.channels.get(publication.channel)
    if (channel === undefined) return refuse('unknown_channel')
    const misnamed = misnaming(channel.definition, publication.symbol, publication.user)
    if (misnamed !== undefined) return misnamed
    const code = permit?.(channel.definition, publication)
    return code instanceof Promise ? code.then(refusalOf) : refusalOf(code)
  }

  /** Why a message would be refused by what it is, whoever publishes it; for those who have to know before it is appended. */
  refusalOf (publication: Publication): Refusal | undefined {
    const channel = this.channels.get(publication.channel)
    if (channel === undefined) return refuse('unknown_channel')
    return misnaming(channel.definition, publication.symbol, publication.user) ?? unfitness(channel, publication)
  }

  private prepare (publication: Publication, limits: PublishLimits): AppendItem | Refusal {
    const { symbol, user, data, idempotencyKey, origin } = publication
    const channel = this.channels.get(publication.channel)!
    const { definition } = channel
    const unfit = unfitness(channel, publication)
    if (unfit !== undefined) return unfit
    const payload = JSON.stringify(data)
    if (limits.maxMessageBytes !== undefined && Buffer.byteLength(payload) > limits.maxMessageBytes) return refuse('message_too_big')
    return {
      topic: topicKey({ channel: definition.name, symbol, user }),
      payload,
      replaces: publication.snapshot === true,
      origin,
      idempotencyKey: idempotencyKey === undefined ? undefined : `${limits.publisher.length} ${limits.publisher} ${idempotencyKey}`
    }
  }
}

/** Why a single topic is refused with `overloaded`: others are taken. */
export const TOO_MANY_TOPICS = 'the log holds as many topics as it may'

/** A batch that has been judged: what of it can be appended, and why the rest cannot. */
class JudgedBatch {
  constructor (private readonly log: Log, private readonly items: ReadonlyArray<AppendItem | Refusal>, private readonly options: AppendOptions) {}

  /** Gives the log its items before it returns. @returns and throws as {@link Publisher.publish} */
  async append (): Promise<PublishResult[]> {
    const good = this.items.filter((item): item is AppendItem => !('code' in item))
    const appended = good.length === 0 ? [] : await this.log.append(good, this.options)
    let next = 0
    return this.items.map(item => {
      if ('code' in item) return item
      const result = appended[next++]!
      return 'error' in result
        ? { code: result.error, message: result.message ?? TOO_MANY_TOPICS }
        : { sequence: result.sequence, ...(result.repeated === true ? { repeated: true } : {}) }
    })
  }
}

const refuse = (code: ErrorCode, message: string = errorTable[code].message): Refusal => ({ code, message })
const refusalOf = (code: ErrorCode | undefined): Refusal | undefined => code === undefined ? undefined : refuse(code)

function misnaming (
  { name, keyed, access }: ChannelDefinition, symbol: string | undefined, user: string | undefined
): Refusal | undefined {
  if (keyed && symbol === undefined) return refuse('invalid_message', `a message of ${name} needs a symbol`)
  if (!keyed && symbol !== undefined) return refuse('invalid_message', `messages of ${name} have no symbol`)
  if (symbol !== undefined && !isSymbol(symbol)) return refuse('unknown_symbol', 'the symbol is not well-formed')
  if (access === 'user' && (user === undefined || user === '')) return refuse('invalid_message', `a message of ${name} needs a user`)
  if (access !== 'user' && user !== undefined) return refuse('invalid_message', `messages of ${name} belong to no user`)
  return undefined
}

/** Why the data is not that of its channel and symbol. */
function unfitness ({ check }: Channel, { symbol, data }: Publication): Refusal | undefined {
  if (!check.Check(data)) return refuse('invalid_message', describe(check, data))
  const named = (data as { symbol?: unknown }).symbol
  return symbol !== undefined && named !== undefined && named !== symbol ? refuse('invalid_message', 'data.symbol differs from symbol') : undefined
}

/** Where the data does not fit, in words that repeat nothing of the client's own text but plain names. */
function describe (check: TypeCheck<ChannelDefinition['schema']>, data: unknown): string {
  const first = check.Errors(data).First()
  if (first === undefined) return errorTable.invalid_message.message
  const path = /^[\w/]{1,100}$/.test(first.path) ? `data${first.path}` : 'data'
  const { title } = first.schema
  return `${path}: ${title === undefined ? first.message : `Expected ${title}`}`
}
