import { parseStreamQuery, searchOf, type StreamQuery } from '@tickwire/protocol'
import type { FastifyRequest } from 'fastify'

const queries = new WeakMap<FastifyRequest, StreamQuery>()

/**
 * Returns the query of a request for the stream, which it reads only once.
 * @throws ProtocolError `bad_request`, `bad_cursor`
 */
export function streamQueryOf (request: FastifyRequest): StreamQuery {
  let query = queries.get(request)
  if (query === undefined) {
    query = parseStreamQuery(searchOf(request.url))
    queries.set(request, query)
  }
  return query
}
