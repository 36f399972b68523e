import { Type } from '@sinclair/typebox'
import { isSymbol, ProtocolError, quotes } from '@tickwire/protocol'
import { refuseAnonymous } from '../../auth/permissions.js'
import { beginSubscriptions } from '../../connection/actions/subscribe.js'
import type { Connection } from '../../connection/connection.js'
import { requireSelectors, type SubscribeOptions } from '../../connection/selectors.js'
import { presentPrice } from '../../dialects/hts/data.js'
import { type HtsTopic, parseTopic, TOPIC_FORMS } from '../../dialects/hts/topics.js'
import { subscribed, unsubscribed } from '../../dialects/hts/writer.js'
import { type Selector, shardsOf } from '../../hub/audience/selector.js'
import type { StartPosition } from '../../hub/catch-up/start.js'
import { readState } from '../../hub/shards/live-states.js'
import { type OlderAction, olderAction } from '../older-action.js'
import { accountAnswer, requireAccountRight } from './account.js'
import type { HtsClient } from './client.js'

/** A client gets the best levels of a book, and at most so often, in milliseconds. */
const BOOK = { depth: 10, throttleMs: 250 }
const PRICE_MS = 1000
/** The longest text that `pong` repeats. */
const MAX_TIMESTAMP_LENGTH = 128

const OPTIONS: Readonly<Record<HtsTopic['kind'], SubscribeOptions>> = {
  price: { throttleMs: PRICE_MS, eitherSpelling: true },
  orderbook: { ...BOOK, eitherSpelling: true },
  order: {},
  strategy: {},
  alert: {}
}

/** @throws ProtocolError `bad_request` */
function requireTopic (name: string): HtsTopic {
  const topic = parseTopic(name)
  if (topic !== undefined) return topic
  throw new ProtocolError('bad_request', `There is no such topic; the topics are: ${TOPIC_FORMS}`)
}

const Topic = Type.Object({ topic: Type.String({ minLength: 1 }) })
const TOPIC_REQUIRED = 'Topic is required'

const subscribe = olderAction({
  schema: Topic,
  otherwise: TOPIC_REQUIRED,
  async perform (client: HtsClient, { topic: name }) {
    const { connection, asked, pace } = client
    const { context, identity } = connection
    const topic = requireTopic(name)
    if (!asked.has(name) && asked.size >= context.maxSubscriptions) {
      const message = `a connection has at most ${context.maxSubscriptions} subscriptions`
      throw new ProtocolError('too_many_subscriptions', message)
    }
    const symbols = topic.symbol === undefined ? undefined : [topic.symbol]
    const options = { ...OPTIONS[topic.kind], overWebSocket: true }
    const selectors = await requireSelectors(context, identity, topic.channel, symbols, options)
    const [selector] = selectors
    if (selector === undefined || !connection.isOpen) return
    // Two spellings of a symbol, or two orders: the messages come already.
    const isComing = asked.needs(selector.key)
    // From now on the writer knows what to call its messages.
    asked.add(topic, selector.key)
    if (isComing) {
      connection.sendAnswers([subscribed(name)])
      return
    }
    if (topic.kind === 'price' && selector.kind === 'topic') pace.begin(selector.key)
    try {
      await begin(connection, topic, selector)
    } catch (error) {
      asked.remove(name)
      throw error
    }
  }
})

async function begin (connection: Connection, topic: HtsTopic, selector: Selector): Promise<void> {
  const { hub } = connection
  const { throttleMs } = OPTIONS[topic.kind]
  const { channel } = topic
  const subscription = { id: topic.name, channel, granted: [selector], rejected: [], throttleMs }
  const shards = shardsOf([selector], hub.log)
  // Now the server knows the last message of the topic, wherever it was appended.
  await hub.interest.follow(shards)
  try {
    const start = selector.channel.acknowledged === true ? presentOf(connection, selector) : NOW
    await beginSubscriptions(connection, [subscription], start, selector.channel.reduce !== undefined)
  } finally {
    hub.interest.release(shards)
  }
}

const NOW: StartPosition = { from: 'now' }

/** Returns the position behind everything that an acknowledged topic has now. */
function presentOf ({ hub }: Connection, { key }: Selector): StartPosition {
  const last = hub.directory.last(key)
  const sequences = new Map(last === undefined ? [] : [[key, last.sequence]])
  return { from: 'sequences', sequences, epochs: hub.shards.map((_, shard) => hub.epoch(shard)) }
}

const unsubscribe = olderAction({
  schema: Topic,
  otherwise: TOPIC_REQUIRED,
  // A client that cannot keep up must be able to ask for less.
  whileLagging: true,
  perform (client: HtsClient, { topic: name }) {
    requireTopic(name)
    client.leave(name)
    client.connection.sendAnswers([unsubscribed(name)])
  }
})

const getPrice = olderAction({
  schema: Type.Object({ symbol: Type.String({ minLength: 1 }) }),
  otherwise: 'Symbol is required',
  whileLagging: true,
  async perform ({ connection }: HtsClient, { symbol }) {
    const { context, identity, hub } = connection
    if (!isSymbol(symbol)) throw new ProtocolError('invalid_message', 'Symbol is not well-formed')
    connection.markUsed()
    const options = { overWebSocket: true, eitherSpelling: true }
    const [selector] = await requireSelectors(context, identity, quotes.name, [symbol], options)
      .catch((error: unknown) => {
        if (error instanceof ProtocolError && error.code === 'unknown_symbol') return []
        throw error
      })
    const state = selector === undefined ? undefined : await readState(hub, selector.key)
    const data = state === undefined ? undefined : presentPrice(state.payload, state.timestamp)
    if (data === undefined) throw new ProtocolError('not_found', `No data found for ${symbol}`)
    connection.sendAnswers([`{"type":"price","symbol":${JSON.stringify(symbol)},"data":${data}}`])
  }
})

const getAccount = olderAction({
  schema: Type.Object({}),
  otherwise: 'The message must be an object',
  whileLagging: true,
  refuse: refuseAnonymous,
  async perform (client: HtsClient) {
    const { connection } = client
    const user = requireAccountRight(connection.identity)
    connection.markUsed()
    connection.sendAnswers([accountAnswer(user, await client.account(user))])
  }
})

const ping = olderAction({
  schema: Type.Object({
    timestamp: Type.Optional(Type.Union([
      Type.String({ maxLength: MAX_TIMESTAMP_LENGTH }), Type.Number(), Type.Null()
    ]))
  }),
  otherwise: `timestamp must be a number, or a text of at most ${MAX_TIMESTAMP_LENGTH} characters`,
  atOnce: true,
  perform ({ connection }: HtsClient, { timestamp = null }) {
    connection.sendAnswers([JSON.stringify({ type: 'pong', timestamp })])
  }
})

/** By the `type` of the message that asks for it. */
export const htsActions: ReadonlyMap<string, OlderAction<HtsClient>> = new Map([
  ['subscribe', subscribe],
  ['unsubscribe', unsubscribe],
  ['get_price', getPrice],
  ['get_account', getAccount],
  ['ping', ping]
])
