import { isChannelName, parseInteger, parseParameters, ProtocolError, searchOf } from '@tickwire/protocol'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { TRANSPORTS } from '../src/monitor/schema.js'
import { answerBody } from '../src/transports/gzip-answer.js'
import {
  connectionSchema, connectionsSchema, DEFAULT_CONNECTIONS, DEFAULT_MINUTES, MAX_CONNECTIONS, MAX_MINUTES,
  metricsPastSchema, SORTS
} from './admin-monitor-schemas.js'
import { parseInstant } from './instants.js'

const HOUR_MS = 3_600_000
const LAST_INSTANT = 8_640_000_000_000_000
const EVERY_CHANNEL = '*'
const MAX_TEXT = 256
/** Of open connections, which the store does not have. */
const OF_OPEN: readonly string[] = ['selectors', 'unsent_bytes']

const LIST = ['transport', 'user', 'node', 'address', 'sort', 'limit', 'ended'] as const
type SortName = typeof SORTS[number]

const PAST = ['from', 'to', 'channel', 'node', 'limit'] as const

/** Reads one parameter after the other. Each throws ProtocolError `bad_request`. */
class Query {
  private readonly parameters: ReadonlyMap<string, readonly string[]>

  constructor (request: FastifyRequest, names: readonly string[]) {
    this.parameters = parseParameters(searchOf(request.url), names)
  }

  text (name: string): string | undefined {
    const text = this.parameters.get(name)?.[0]
    if (text === undefined || (text !== '' && text.length <= MAX_TEXT)) return text
    throw new ProtocolError('bad_request', `'${name}' has 1 to ${MAX_TEXT} characters`)
  }

  choice<Choice extends string> (name: string, choices: readonly Choice[]): Choice | undefined {
    const text = this.parameters.get(name)?.[0]
    const choice = choices.find(other => other === text)
    if (text === undefined || choice !== undefined) return choice
    throw new ProtocolError('bad_request', `'${name}' is one of ${choices.join(', ')}`)
  }

  count (name: string, max: number, fallback: number): number {
    const text = this.parameters.get(name)?.[0]
    return text === undefined ? fallback : parseInteger(name, text, 1, max)
  }

  instant (name: string): number | undefined {
    return parseInstant(name, this.parameters.get(name)?.[0])
  }

  order (fallback: SortName, isEnded: boolean): { sort: SortName, descending: boolean } {
    const text = this.parameters.get('sort')?.[0]
    if (text === undefined) return { sort: fallback, descending: true }
    const sort = SORTS.find(name => name === text.replace(/^-/, ''))
    const fits = sort !== undefined && (isEnded ? !OF_OPEN.includes(sort) : sort !== 'disconnected_at')
    if (fits) return { sort, descending: text.startsWith('-') }
    const names = SORTS.filter(name => isEnded ? !OF_OPEN.includes(name) : name !== 'disconnected_at')
    throw new ProtocolError(
      'bad_request', `'sort' is one of ${names.join(', ')}; with - before it: the greatest first`
    )
  }
}

/** What operators see of connections and their past; each endpoint needs a token with `admin`. */
export async function adminMonitorRoutes (app: FastifyInstance): Promise<void> {
  const { monitoring: { inspection, past } } = app.streaming

  async function send (request: FastifyRequest, reply: FastifyReply, body: object): Promise<FastifyReply> {
    const text = JSON.stringify(body)
    const { bytes, headers } = await answerBody(request, text, app.streaming.stream.compression)
    return await reply.headers(headers).header('Cache-Control', 'no-store')
      .header('Vary', 'Accept-Encoding, Origin, Authorization')
      .type('application/json; charset=utf-8').send(bytes)
  }

  const list = { schema: connectionsSchema, config: { parameters: LIST } }
  app.get('/v1/admin/connections', list, async (request, reply) => {
    const query = new Query(request, LIST)
    const ended = query.choice('ended', ['true', 'false']) === 'true'
    return await send(request, reply, await inspection.connections({
      transport: query.choice('transport', TRANSPORTS),
      user: query.text('user'),
      node: query.text('node'),
      address: query.text('address'),
      limit: query.count('limit', MAX_CONNECTIONS, DEFAULT_CONNECTIONS),
      ...query.order(ended ? 'disconnected_at' : 'connected_at', ended),
      ended
    }))
  })

  type One = { Params: { id: string } }
  app.get<One>('/v1/admin/connections/:id', { schema: connectionSchema }, async (request, reply) => {
    const found = await inspection.connection(request.params.id)
    if (found === undefined) throw new ProtocolError('not_found', 'no server has or had such a connection')
    return await send(request, reply, found)
  })

  app.get('/v1/admin/metrics', { schema: metricsPastSchema, config: { parameters: PAST } }, async (
    request, reply
  ) => {
    const query = new Query(request, PAST)
    const channel = query.text('channel')
    if (channel !== undefined && channel !== EVERY_CHANNEL && !isChannelName(channel)) {
      throw new ProtocolError('bad_request', "'channel' is one channel, or * for the whole")
    }
    const to = query.instant('to') ?? Date.now()
    const from = query.instant('from') ?? Math.max(-LAST_INSTANT, to - HOUR_MS)
    if (from > to) throw new ProtocolError('bad_request', "'from' is later than 'to'")
    return await send(request, reply, await past.metrics({
      from, to, channel, node: query.text('node'), limit: query.count('limit', MAX_MINUTES, DEFAULT_MINUTES)
    }))
  })
}
