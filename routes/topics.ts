import {
  BAR_INTERVALS, type BarInterval, barsChannel, type ChannelDefinition, decodeEpoch, errorTable, isServed,
  isSymbol, parseInteger, parseParameters, parseTopicName, ProtocolError, searchOf, topicKey
} from '@tickwire/protocol'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Identity } from '../src/auth/identity.js'
import { type OriginPolicy, refuseForeignPage } from '../src/auth/origin.js'
import { refuseRead } from '../src/auth/permissions.js'
import { callerOf } from '../src/transports/caller.js'
import { answerBody } from '../src/transports/gzip-answer.js'
import { HISTORY_PARAMETERS, HistoryAnswers, parseHistoryQuery } from './history.js'
import { parseInstant } from './instants.js'
import { barsSchema, historySchema, MAX_BARS, snapshotSchema, symbolsSchema } from './schemas.js'

const MAX_HISTORY = 10_000
const DEFAULT_HISTORY = 1000
const DEFAULT_BARS = 1000

const isInterval = (text: string | undefined): text is BarInterval =>
  text !== undefined && Object.hasOwn(BAR_INTERVALS, text)

function one (parameters: Map<string, string[]>, name: string): string | undefined {
  return parameters.get(name)?.[0]
}

/** Endpoints for single topics: their history, their state, and the known instruments. */
export async function topicRoutes (
  app: FastifyInstance, { originAllowed }: { originAllowed: OriginPolicy }
): Promise<void> {
  const { log, channels, hub, stream } = app.streaming
  const histories = new HistoryAnswers(app)

  app.addHook('onRequest', async request => { refuseForeignPage(originAllowed, request) })

  /** @throws ProtocolError if the user of a request may not read a topic */
  async function demandRead (
    request: FastifyRequest, channel: ChannelDefinition, symbol: string | undefined
  ): Promise<Identity> {
    const identity = await app.authenticator.identify(request)
    const { authenticationRequired } = app.streaming.stream
    if (authenticationRequired && identity.user === undefined) throw new ProtocolError('unauthorized')
    const refusal = refuseRead(identity, channel, symbol)
    if (refusal !== undefined) throw new ProtocolError(refusal, errorTable[refusal].message)
    return identity
  }

  /** Returns the topic that a request names, if its user may read it. @throws ProtocolError */
  async function readableTopic (
    request: FastifyRequest, name: string | undefined
  ): Promise<{ key: string, channel: ChannelDefinition, identity: Identity }> {
    if (name === undefined) throw new ProtocolError('bad_request', "'topic' is needed: topic=trades:AAPL")
    const named = parseTopicName(name)
    if (named === undefined) {
      throw new ProtocolError('bad_request', "'topic' must be a channel and a symbol: trades:AAPL")
    }
    const channel = channels.get(named.channel)
    if (channel === undefined || !isServed(channel)) throw new ProtocolError('unknown_channel')
    if (channel.keyed !== (named.symbol !== undefined)) {
      const message = channel.keyed ? `${channel.name} needs a symbol` : `${channel.name} has no symbols`
      throw new ProtocolError('bad_request', message)
    }
    const symbol = app.streaming.spelledSymbol(channel, named.symbol)
    const topic = { channel: channel.name, ...(symbol === undefined ? {} : { symbol }) }
    const identity = await demandRead(request, channel, topic.symbol)
    const owner = channel.access === 'user' && identity.user !== undefined ? { user: identity.user } : {}
    return { key: topicKey({ ...topic, ...owner }), channel, identity }
  }

  const VARY = 'Accept, Accept-Encoding, Origin, Authorization'
  const sendJson = async (
    request: FastifyRequest, reply: FastifyReply, text: string
  ): Promise<FastifyReply> => {
    const { bytes, headers } = await answerBody(request, text, app.streaming.stream.compression)
    reply.header('Cache-Control', 'no-store').header('Vary', VARY).headers(headers)
    return await reply.type('application/json; charset=utf-8').send(bytes)
  }

  /** Answers with what is recorded, and what is retained. */
  async function sendHistory (
    request: FastifyRequest, reply: FastifyReply, parameters: Map<string, string[]>
  ): Promise<FastifyReply> {
    if (parameters.has('epoch')) throw new ProtocolError('bad_request', "'epoch' goes with 'topic'")
    const channelName = one(parameters, 'channel')
    if (channelName === undefined) {
      throw new ProtocolError('bad_request',
        "'topic' is needed, or 'channel' and 'symbol': topic=trades:AAPL, channel=trades&symbol=AAPL")
    }
    const symbol = one(parameters, 'symbol')
    const named = symbol === undefined ? channelName : `${channelName}:${symbol}`
    const { key: topic, channel, identity } = await readableTopic(request, named)
    const query = parseHistoryQuery(parameters, request.headers.accept)
    const answer = { topic, channel, query, caller: callerOf(identity, request.ip) }
    if (query.format === 'json') return await sendJson(request, reply, await histories.json(answer))
    reply.header('Cache-Control', 'no-store').header('Vary', VARY)
    return await histories.stream(reply, answer)
  }

  app.get('/v1/history', { schema: historySchema }, async (request, reply) => {
    const names = ['topic', 'epoch', ...HISTORY_PARAMETERS]
    const parameters = parseParameters(searchOf(request.url), names)
    if (!parameters.has('topic')) return await sendHistory(request, reply, parameters)
    const odd = [...parameters.keys()].find(name => !['topic', 'after', 'epoch', 'limit'].includes(name))
    if (odd !== undefined) {
      throw new ProtocolError('bad_request', `'${odd}' goes with 'channel' and 'symbol' in place of 'topic'`)
    }
    const { key } = await readableTopic(request, one(parameters, 'topic'))
    const limit = parseInteger('limit', one(parameters, 'limit') ?? String(DEFAULT_HISTORY), 1, MAX_HISTORY)
    const afterText = one(parameters, 'after')
    const epochText = one(parameters, 'epoch')
    if (epochText !== undefined && afterText === undefined) {
      throw new ProtocolError('bad_request', "'epoch' goes with 'after'")
    }
    const epochs = epochText === undefined ? undefined : decodeEpoch(epochText)
    if (epochText !== undefined && epochs === undefined) {
      throw new ProtocolError('bad_request', "'epoch' is not one that this server gave")
    }
    const after = afterText === undefined
      ? undefined
      : parseInteger('after', afterText, 0, Number.MAX_SAFE_INTEGER)
    const history = await app.streaming.history(key, {
      limit,
      ...(after === undefined ? {} : { after }),
      ...(epochs === undefined ? {} : { epochs })
    })
    if (history === undefined) throw new ProtocolError('not_found', 'the log has no such topic')
    const { epoch, messages, first, last, more } = history
    const range = `"first_sequence":${first},"last_sequence":${last},"more":${more}`
    return await sendJson(request, reply, `{"epoch":"${epoch}","messages":[${messages.join(',')}],${range}}`)
  })

  app.get('/v1/snapshot', { schema: snapshotSchema }, async (request, reply) => {
    const parameters = parseParameters(searchOf(request.url), ['topic'])
    const { key } = await readableTopic(request, one(parameters, 'topic'))
    const snapshot = await log.snapshot(key)
    if (snapshot === undefined) throw new ProtocolError('not_found', 'the topic has no state')
    const state = stream.dialects.native().writer.data({ ...snapshot, replaces: true })
    return await sendJson(request, reply, state)
  })

  app.get('/v1/bars', { schema: barsSchema }, async (request, reply) => {
    const parameters = parseParameters(searchOf(request.url), ['symbol', 'interval', 'from', 'to', 'limit'])
    const interval = one(parameters, 'interval')
    if (!isInterval(interval)) {
      const intervals = Object.keys(BAR_INTERVALS).join(', ')
      throw new ProtocolError('bad_request', `'interval' is needed, and is one of: ${intervals}`)
    }
    const symbol = one(parameters, 'symbol')
    if (symbol === undefined || !isSymbol(symbol)) {
      throw new ProtocolError('bad_request', "'symbol' is needed, and is one symbol: symbol=AAPL")
    }
    const [from, to] = ['from', 'to'].map(name => parseInstant(name, one(parameters, name)))
    if (from !== undefined && to !== undefined && from >= to) {
      throw new ProtocolError('bad_request', "'from' must be before 'to'")
    }
    const limit = parseInteger('limit', one(parameters, 'limit') ?? String(DEFAULT_BARS), 1, MAX_BARS)
    await demandRead(request, channels.get(barsChannel(interval))!, symbol)
    const found = await app.streaming.bars({ symbol, interval, from, to, limit })
    const { epoch, sequence, bars } = found
    const body = `{"epoch":"${epoch}","sequence":${sequence},"bars":[${bars.join(',')}]}`
    return await sendJson(request, reply, body)
  })

  app.get('/v1/symbols', { schema: symbolsSchema }, async (request, reply) => {
    const parameters = parseParameters(searchOf(request.url), ['market', 'sector'])
    await app.authenticator.demand(request, ({ user }) =>
      app.streaming.stream.authenticationRequired && user === undefined ? 'unauthorized' : undefined)
    const market = one(parameters, 'market')
    const sector = one(parameters, 'sector')
    const matches = (given: string | undefined, wanted: string | undefined): boolean =>
      wanted === undefined || given === wanted
    const symbols = [...hub.directory.instruments()].filter(instrument =>
      matches(instrument.market, market) && matches(instrument.sector, sector))
    return await sendJson(request, reply, JSON.stringify({ symbols }))
  })
}
