import { FormatRegistry } from '@sinclair/typebox'
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler'
import {
  type ChannelDefinition, type Channels, type ErrorCode, errorTable, isCompacted, isSymbol, ProtocolError,
  registerFormats, topicKey
} from '@tickwire/protocol'
import type { AppendItem, AppendOptions, KeyedMessage, Log, Origin } from '../log/log.js'

/** The name under which the server itself publishes. No token can have it as its user. */
const OWN_PUBLISHER = ''

/** A message to append to the log. */
export interface Publication {
  readonly channel: string
  readonly symbol?: string | undefined
  /** The user that a private channel's topic belongs to. */
  readonly user?: string | undefined
  readonly data: unknown
  /** The message replaces the topic's whole state. */
  readonly snapshot?: boolean | undefined
  /**
   * If its topic and publisher repeat a key within the time of the channel, ten minutes unless it says
   * otherwise, nothing is appended again.
   */
  readonly idempotencyKey?: string | undefined
  /** Set by a processor; {@link PublishLimits} then has the lineage. */
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

type Verdict = ErrorCode | undefined

/** Who publishes a batch, and within which limits. */
export interface PublishLimits extends AppendOptions {
  /** The publisher's name, which keeps its idempotency keys apart from those of others. */
  readonly publisher: string
  /** Most bytes of one message's data. */
  readonly maxMessageBytes?: number
  /**
   * Returns why a message may not be published, beyond what its schema says: permissions, known symbols.
   * Undefined if it may. A promise only if it cannot answer at once.
   */
  readonly permit?: (channel: ChannelDefinition, publication: Publication) => Verdict | Promise<Verdict>
  /** If an item is bad, nothing of the batch is appended, and the item's refusal is the answer of each. */
  readonly whole?: boolean | undefined
}

type Refusal = Extract<PublishResult, { code: ErrorCode }>

interface Channel {
  readonly definition: ChannelDefinition
  readonly check: TypeCheck<ChannelDefinition['schema']>
}

registerFormats(FormatRegistry)

/** Validates messages and appends them to the log, which numbers them and sets their time. */
export class Publisher {
  private readonly log: Log
  private readonly channels: ReadonlyMap<string, Channel>

  constructor ({ log, channels }: PublisherOptions) {
    this.log = log
    this.channels = new Map([...channels].map(([name, definition]) =>
      [name, { definition, check: TypeCompiler.Compile(definition.schema) }]))
  }

  /**
   * Judges a batch and appends its good items, in order, in one append. An item that is bad, or that its
   * shard does not take (`log_unavailable`), gets an error as its answer; the others stay appended. It may be
   * published again.
   * @returns an answer for each item, at its index
   * @throws ProtocolError `log_unavailable` if no item was taken; StaleFence
   */
  async publish (batch: readonly Publication[], limits: PublishLimits): Promise<PublishResult[]> {
    const judged = this.judge(batch, limits)
    return await (judged instanceof Promise ? await judged : judged).append()
  }

  /**
   * Publishes what the server itself says: what comes from its sources, its operators, its store and the
   * application. Otherwise like {@link publish}.
   */
  async publishOwn (
    batch: readonly Publication[], limits?: Omit<PublishLimits, 'publisher'>
  ): Promise<PublishResult[]> {
    return await this.publish(batch, { ...limits, publisher: OWN_PUBLISHER })
  }

  /** Publishes one message as {@link publishOwn} does. @throws ProtocolError the message's refusal, too */
  async publishOne (
    publication: Publication, limits?: Omit<PublishLimits, 'publisher'>
  ): Promise<Exclude<PublishResult, Refusal>> {
    const [result] = await this.publishOwn([publication], limits)
    if (result === undefined || 'code' in result) {
      throw new ProtocolError(result?.code ?? 'internal', result?.message)
    }
    return result
  }

  /**
   * Finds the message that {@link publishOwn} appended to a topic under an idempotency key; undefined if
   * there is none, or if the log has forgotten the key.
   * @throws ProtocolError `log_unavailable`
   */
  async findOwn (topic: string, idempotencyKey: string): Promise<KeyedMessage | undefined> {
    return await this.log.find(topic, keyOf(OWN_PUBLISHER, idempotencyKey))
  }

  /**
   * Does the first half of {@link publish}, everything before the append. A caller that must keep the order
   * of batches waits for the batch before between the two halves.
   */
  judge (batch: readonly Publication[], limits: PublishLimits): JudgedBatch | Promise<JudgedBatch> {
    const refusals = new Array<Refusal | undefined>(batch.length)
    const asked: Array<Promise<void>> = []
    for (const [index, publication] of batch.entries()) {
      const refusal = this.permitted(publication, limits)
      if (refusal instanceof Promise) asked.push(refusal.then(answer => { refusals[index] = answer }))
      else refusals[index] = refusal
    }
    const judged = (): JudgedBatch => {
      const { fence, lineage, epochs } = limits
      const items = batch.map((publication, index) => refusals[index] ?? this.prepare(publication, limits))
      const refusal = limits.whole === true ? items.find(isRefusal) : undefined
      const settled = refusal === undefined ? items : items.map(() => refusal)
      return new JudgedBatch(this.log, settled, { fence, lineage, epochs })
    }
    return asked.length === 0 ? judged() : Promise.all(asked).then(judged)
  }

  /** Returns why a message is refused without a look at its data: its channel, its names, its permission. */
  private permitted (
    publication: Publication,
    { permit }: PublishLimits
  ): Refusal | undefined | Promise<Refusal | undefined> {
    const channel = this.channels.get(publication.channel)
    if (channel === undefined) return refuse('unknown_channel')
    const misnamed = misnaming(channel.definition, publication.symbol, publication.user)
    if (misnamed !== undefined) return misnamed
    const code = permit?.(channel.definition, publication)
    return code instanceof Promise ? code.then(refusalOf) : refusalOf(code)
  }

  /**
   * Returns why a message would be refused, whoever publishes it. For callers that must know before they
   * publish.
   */
  refusalOf (publication: Publication): Refusal | undefined {
    const channel = this.channels.get(publication.channel)
    if (channel === undefined) return refuse('unknown_channel')
    const { symbol, user } = publication
    return misnaming(channel.definition, symbol, user) ?? unfitness(channel, publication)
  }

  private prepare (publication: Publication, limits: PublishLimits): AppendItem | Refusal {
    const { symbol, user, data, idempotencyKey, origin } = publication
    const channel = this.channels.get(publication.channel)!
    const { definition } = channel
    const unfit = unfitness(channel, publication)
    if (unfit !== undefined) return unfit
    const payload = JSON.stringify(data)
    const { maxMessageBytes, publisher } = limits
    if (maxMessageBytes !== undefined && Buffer.byteLength(payload) > maxMessageBytes) {
      return refuse('message_too_big')
    }
    return {
      topic: topicKey({ channel: definition.name, symbol, user }),
      payload,
      replaces: publication.snapshot === true,
      origin,
      idempotencyKey: idempotencyKey === undefined ? undefined : keyOf(publisher, idempotencyKey)
    }
  }
}

/** The message of `overloaded` for one item of a batch: the log takes items of topics that it has already. */
export const TOO_MANY_TOPICS = 'the log holds as many topics as it may'

/** A batch that has been judged: items that can be appended, and refusals of the others, in order. */
class JudgedBatch {
  constructor (
    private readonly log: Log,
    private readonly items: ReadonlyArray<AppendItem | Refusal>,
    private readonly options: AppendOptions
  ) {}

  /**
   * Appends the good items. It hands them to the log before it returns its promise, so that calls keep their
   * order. Returns and throws as {@link Publisher.publish}.
   */
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

/** Keeps the idempotency keys of different publishers apart. */
const keyOf = (publisher: string, key: string): string => `${publisher.length} ${publisher} ${key}`

const isRefusal = (item: AppendItem | Refusal): item is Refusal => 'code' in item
const refuse = (code: ErrorCode, message: string = errorTable[code].message): Refusal => ({ code, message })
const refusalOf = (code: Verdict): Refusal | undefined => code === undefined ? undefined : refuse(code)

/** Returns why the names of a message do not fit its channel. */
function misnaming (
  { name, keyed, access }: ChannelDefinition, symbol: string | undefined, user: string | undefined
): Refusal | undefined {
  if (keyed && symbol === undefined) return refuse('invalid_message', `a message of ${name} needs a symbol`)
  if (!keyed && symbol !== undefined) return refuse('invalid_message', `messages of ${name} have no symbol`)
  if (symbol !== undefined && !isSymbol(symbol)) {
    return refuse('unknown_symbol', 'the symbol is not well-formed')
  }
  if (access === 'user' && (user === undefined || user === '')) {
    return refuse('invalid_message', `a message of ${name} needs a user`)
  }
  if (access !== 'user' && access !== 'internal' && user !== undefined) {
    return refuse('invalid_message', `messages of ${name} belong to no user`)
  }
  return undefined
}

/** Returns why the data does not fit its channel and symbol. */
function unfitness ({ check, definition }: Channel, { symbol, data }: Publication): Refusal | undefined {
  if (data === null && isCompacted(definition)) return undefined
  if (!check.Check(data)) return refuse('invalid_message', describe(check, data))
  const named = (data as { symbol?: unknown }).symbol
  // The symbols of a private channel may be ids of its user's own, and its data name an instrument.
  const isInstrument = definition.access !== 'user' && symbol !== undefined
  const isOther = isInstrument && named !== undefined && named !== symbol
  return isOther ? refuse('invalid_message', 'data.symbol differs from symbol') : undefined
}

/** Says where the data does not fit. Of the client's own text it repeats plain names alone. */
function describe (check: TypeCheck<ChannelDefinition['schema']>, data: unknown): string {
  const first = check.Errors(data).First()
  if (first === undefined) return errorTable.invalid_message.message
  const path = /^[\w/]{1,100}$/.test(first.path) ? `data${first.path}` : 'data'
  const { title } = first.schema
  return `${path}: ${title === undefined ? first.message : `Expected ${title}`}`
}
