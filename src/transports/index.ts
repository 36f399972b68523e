import type { FastifyRequest } from 'fastify'
import { pollTransport } from './poll/index.js'
import { eventStreamTransport } from './sse/index.js'
import type { HttpTransport } from './transport.js'
import { webSocketTransport } from './ws/index.js'

/** In the order in which they are asked; the last takes whatever no other took. */
const httpTransports: readonly HttpTransport[] = [eventStreamTransport, pollTransport]

/** The way that a request for the stream asks for, over plain HTTP. */
export function httpTransportOf (request: FastifyRequest): HttpTransport {
  return httpTransports.find(transport => transport.matches(request))!
}

/** The one that it asks for, upgraded or not. */
export function transportOf (request: FastifyRequest): Pick<HttpTransport, 'name' | 'parameters'> {
  return request.ws ? webSocketTransport : httpTransportOf(request)
}

export { webSocketTransport } from './ws/index.js'
