import { errorTable, ProtocolError } from '@tickwire/protocol'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { errorFields, errorMessage, retryAfterMs, toProtocolError } from '../src/errors.js'

/**
 * Returns an error that Fastify itself raised as an entry of the table; undefined for a failure of the
 * server.
 */
function fromFastify (error: FastifyError, request?: FastifyRequest): ProtocolError | undefined {
  const status = error.statusCode ?? 500
  if (error.validation !== undefined) return new ProtocolError('invalid_message', error.message)
  if (status === 413) return new ProtocolError('message_too_big')
  if (status === 415) {
    return new ProtocolError('bad_request', `the Content-Type is not supported; ${readTypes(request)}`)
  }
  if (BAD_JSON.includes(error.code) || error instanceof SyntaxError) {
    return new ProtocolError('invalid_json')
  }
  return status >= 400 && status < 500 ? new ProtocolError('bad_request') : undefined
}

/** Fastify's codes for a body that is not JSON. */
const BAD_JSON = ['FST_ERR_CTP_EMPTY_JSON_BODY', 'FST_ERR_CTP_INVALID_JSON_BODY']

/** Content types that a route may support, if its scope does. */
const CONTENT_TYPES = ['application/json', 'application/x-ndjson']

function readTypes (request: FastifyRequest | undefined): string {
  const types = CONTENT_TYPES.filter(type => request?.server.hasContentTypeParser(type) !== false)
  return `this endpoint takes ${types.join(' and ')}`
}

/** Answers with an error, by its entry in the table. */
export function sendError (reply: FastifyReply, error: ProtocolError): FastifyReply {
  const retry = retryAfterMs(error)
  if (retry !== undefined) reply.header('Retry-After', String(Math.ceil(retry / 1000)))
  reply.header('Cache-Control', 'no-store')
  reply.code(errorTable[error.code].status).type('application/json; charset=utf-8')
  return reply.send(JSON.stringify(errorMessage(error)))
}

/** Tells whether more of a body is to come that nobody will read. */
function hasUnreadBody ({ raw: { complete, headers } }: FastifyRequest): boolean {
  if (complete) return false
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/** Returns the error with which a request ended as an entry of the table. */
export function refusalOf (error: Error, request?: FastifyRequest): ProtocolError {
  if (error instanceof ProtocolError) return error
  return fromFastify(error as FastifyError, request) ?? toProtocolError(error)
}

/**
 * Answers every refusal over HTTP with the table's `error` object and status.
 * `notFound`: also for unknown URLs; set it only if the whole application is Tickwire's.
 */
export const errors = fp<{ readonly notFound: boolean }>(async (app, { notFound }) => {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const refusal = refusalOf(error, request)
    if (refusal.code === 'internal') request.log.error({ err: errorFields(error) }, 'a request failed')
    // Otherwise a client could keep the connection by sending the rest as slowly as it likes.
    if (hasUnreadBody(request)) reply.header('Connection', 'close')
    return sendError(reply, refusal)
  })
  if (notFound) app.setNotFoundHandler((_request, reply) => sendError(reply, new ProtocolError('not_found')))
}, { name: 'tickwire-errors', fastify: '5.x' })
