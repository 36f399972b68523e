import type { FastifyRequest } from 'fastify'
import { pollTransport } from './poll/index.js'
import { eventStreamTransport } from './sse/index.js'
import type { HttpTransport } from './transport.js'
import { webSocketTransport } from './ws/index.js'

/** The registry, in the order in which the transports are asked. The last one takes every request. */
const httpTransports: readonly HttpTransport[] = [eventStreamTransport, pollTransport]

/** Returns the transport over plain HTTP that a request for the stream asks for. */
export function httpTransportOf (request: FastifyRequest): HttpTransport {
  return httpTransports.find(transport => transport.matches(request))!
}

/** Returns the transport that a request asks for, with or without an upgrade. */
export function transportOf (request: FastifyRequest): Pick<HttpTransport, 'name' | 'parameters'> {
  return request.ws ? webSocketTransport : httpTransportOf(request)
}

export { webSocketTransport } from './ws/index.js'
