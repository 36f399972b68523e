import {
  type ChannelDefinition, errorTable, isSymbol, orders as ordersChannel, parseInteger, parseParameters,
  portfolio as portfolioChannel, ProtocolError, searchOf
} from '@tickwire/protocol'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type OriginPolicy, refuseForeignPage } from '../src/auth/origin.js'
import { refuseRead } from '../src/auth/permissions.js'
import { csvLine } from '../src/history/csv.js'
import { FillView } from '../src/trading-records/views.js'
import { callerOf } from '../src/transports/caller.js'
import { answerBody } from '../src/transports/gzip-answer.js'
import { preferencesOf } from '../src/transports/preferences.js'
import { parseInstant } from './instants.js'
import { StreamedAnswers } from './streamed-answers.js'
import { accountSchema, fillsSchema, MAX_ROWS, orderSchema, ordersSchema } from './trading-read-schemas.js'

const DEFAULT_ROWS = 100
/** Most rows of a table: all that there are. */
const ALL_ROWS = 1_000_000_000
const STATUSES = ['open', 'closed', 'all'] as const
const FILL_FIELDS = Object.keys(FillView.properties) as Array<keyof FillView>
const CSV = 'text/csv'

/** What part of a list a request asks for. */
interface Part {
  readonly symbol: string | undefined
  readonly after: string | undefined
  readonly limit: number
}

interface FillsQuery extends Part {
  readonly from: number | undefined
  readonly to: number | undefined
}

type Parameters = ReadonlyMap<string, readonly string[]>

function one (parameters: Parameters, name: string): string | undefined {
  return parameters.get(name)?.[0]
}

function oneOf<Choice extends string> (
  name: string, text: string | undefined, choices: readonly Choice[], fallback: Choice
): Choice {
  const choice = text === undefined ? fallback : choices.find(other => other === text)
  if (choice !== undefined) return choice
  throw new ProtocolError('bad_request', `'${name}' is one of ${choices.join(', ')}`)
}

/** Reads what all lists take. @throws ProtocolError `bad_request` */
function parsePart (parameters: Parameters, defaultRows: number, maxRows: number): Part {
  const symbol = one(parameters, 'symbol')
  if (symbol !== undefined && !isSymbol(symbol)) {
    throw new ProtocolError('bad_request', "'symbol' is one symbol: symbol=AAPL")
  }
  const limit = one(parameters, 'limit')
  return {
    symbol,
    after: one(parameters, 'after'),
    limit: limit === undefined ? defaultRows : parseInteger('limit', limit, 1, maxRows)
  }
}

/** `GET /v1/orders`, `/v1/fills` and `/v1/account`: what the token's own user has ordered, and owns. */
export async function tradingReadRoutes (
  app: FastifyInstance, { originAllowed }: { originAllowed: OriginPolicy }
): Promise<void> {
  const { tradingReader } = app.streaming
  const tables = new StreamedAnswers()

  app.addHook('onRequest', async request => { refuseForeignPage(originAllowed, request) })

  /**
   * Returns the user of a request.
   * @param channels that the token must permit to read
   * @throws ProtocolError `unauthorized`, `forbidden`
   */
  async function demandRead (
    request: FastifyRequest, channels: readonly ChannelDefinition[]
  ): Promise<string> {
    const identity = await app.authenticator.identify(request)
    for (const channel of channels) {
      const refusal = refuseRead(identity, channel, undefined)
      if (refusal === undefined) continue
      throw new ProtocolError(refusal, `${channel.name}: ${errorTable[refusal].message}`)
    }
    return identity.user!
  }

  const setHeaders = (reply: FastifyReply): FastifyReply => reply.header('Cache-Control', 'no-store')
    .header('Vary', 'Accept, Accept-Encoding, Origin, Authorization')

  async function send (request: FastifyRequest, reply: FastifyReply, body: object): Promise<FastifyReply> {
    const text = JSON.stringify(body)
    const { bytes, headers } = await answerBody(request, text, app.streaming.stream.compression)
    return await setHeaders(reply).headers(headers).type('application/json; charset=utf-8').send(bytes)
  }

  app.get('/v1/orders', { schema: ordersSchema }, async (request, reply) => {
    const parameters = parseParameters(searchOf(request.url), ['status', 'symbol', 'limit', 'after'])
    const user = await demandRead(request, [ordersChannel])
    const status = oneOf('status', one(parameters, 'status'), STATUSES, 'all')
    const part = parsePart(parameters, DEFAULT_ROWS, MAX_ROWS)
    const { rows, next, more } = await tradingReader.orders(user, { status, ...part })
    return await send(request, reply, { orders: rows, next, more })
  })

  app.get<{ Params: { id: string } }>('/v1/orders/:id', { schema: orderSchema }, async (request, reply) => {
    parseParameters(searchOf(request.url), [])
    const user = await demandRead(request, [ordersChannel])
    const order = await tradingReader.order(user, request.params.id)
    if (order === undefined) throw new ProtocolError('not_found', 'you have no such order')
    return await send(request, reply, order)
  })

  app.get('/v1/fills', { schema: fillsSchema }, async (request, reply) => {
    const names = ['symbol', 'from', 'to', 'limit', 'after', 'format']
    const parameters = parseParameters(searchOf(request.url), names)
    const user = await demandRead(request, [ordersChannel])
    const { accept } = request.headers
    const isTable = preferencesOf(accept).some(({ name, weight }) => name === CSV && weight > 0)
    const format = oneOf('format', one(parameters, 'format'), ['json', 'csv'], isTable ? 'csv' : 'json')
    const [from, to] = ['from', 'to'].map(name => parseInstant(name, one(parameters, name)))
    if (from !== undefined && to !== undefined && from > to) {
      throw new ProtocolError('bad_request', "'from' is later than 'to'")
    }
    if (format === 'json') {
      const part = parsePart(parameters, DEFAULT_ROWS, MAX_ROWS)
      const { rows, next, more } = await tradingReader.fills(user, { from, to, ...part })
      return await send(request, reply, { fills: rows, next, more })
    }
    const query = { from, to, ...parsePart(parameters, ALL_ROWS, ALL_ROWS) }
    const caller = callerOf(await app.authenticator.identify(request), request.ip)
    setHeaders(reply)
    return await tables.send(reply, { type: `${CSV}; charset=utf-8`, caller, lines: lines(user, query) })
  })

  async function * lines (user: string, { limit, ...query }: FillsQuery): AsyncGenerator<string> {
    let left = limit
    const pages = tradingReader.fillPages(user, { ...query, limit: Math.min(limit, MAX_ROWS) })
    for await (const { rows } of pages) {
      // A failure of the first page is answered as any other.
      if (left === limit) yield csvLine(FILL_FIELDS)
      for (const fill of rows.slice(0, left)) yield csvLine(FILL_FIELDS.map(field => fill[field]))
      left -= rows.length
      if (left <= 0) return
    }
  }

  app.get('/v1/account', { schema: accountSchema }, async (request, reply) => {
    parseParameters(searchOf(request.url), [])
    const user = await demandRead(request, [portfolioChannel, ordersChannel])
    return await send(request, reply, await tradingReader.account(user))
  })
}
