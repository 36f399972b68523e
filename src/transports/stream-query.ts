import { parseStreamQuery, searchOf, type StreamQuery } from '@tickwire/protocol'
import type { FastifyRequest } from 'fastify'

const queries = new WeakMap<FastifyRequest, StreamQuery>()

/** The query of a request for the stream, read once for all who ask. @throws ProtocolError `bad_request`, `bad_cursor` */
export function streamQueryOf (request: FastifyRequest): StreamQuery {
  let query = queries.get(request)
  if (query === undefined) queries.set(request, query = parseStreamQuery(searchOf(request.url)))
  return query
}
