import { errorTable, ProtocolError } from '@tickwire/protocol'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { errorFields, errorMessage, retryAfterMs, toProtocolError } from '../src/errors.js'

/** What Fastify itself refuses, as the table has it. */
function fromFastify (error: FastifyError, request?: FastifyRequest): ProtocolError | undefined {
  const status = error.statusCode ?? 500
  if (error.validation !== undefined) return new ProtocolError('invalid_message', error.message)
  if (status === 413) return new ProtocolError('message_too_big')
  if (status === 415) return new ProtocolError('bad_request', `the Content-Type is not one that is read here; ${readTypes(request)}`)
  if (error.code === 'FST_ERR_CTP_EMPTY_JSON_BODY' || error.code === 'FST_ERR_CTP_INVALID_JSON_BODY' || error instanceof SyntaxError) {
    return new ProtocolError('invalid_json')
  }
  return status >= 400 && status < 500 ? new ProtocolError('bad_request') : undefined
}

/** The content types that a route may read: those of its scope. */
const CONTENT_TYPES = ['application/json', 'application/x-ndjson']

function readTypes (request: FastifyRequest | undefined): string {
  const types = CONTENT_TYPES.filter(type => request?.server.hasContentTypeParser(type) !== false)
  return `read ${types.length > 1 ? 'are' : 'is'} ${types.join(' and ')}`
}

/** Answers with an entry of the table. */
export function sendError (reply: FastifyReply, error: ProtocolError): FastifyReply {
  const retry = retryAfterMs(error)
  if (retry !== undefined) reply.header('Retry-After', String(Math.ceil(retry / 1000)))
  reply.header('Cache-Control', 'no-store')
  return reply.code(errorTable[error.code].status).type('application/json; charset=utf-8').send(JSON.stringify(errorMessage(error)))
}

/** Whether more of a body is to come that nobody will read. */
function hasUnreadBody ({ raw: { complete, headers } }: FastifyRequest): boolean {
  return !complete && (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0)
}

/** An error that a request ended with, as the table has it. */
export function refusalOf (error: Error, request?: FastifyRequest): ProtocolError {
  return error instanceof ProtocolError ? error : fromFastify(error as FastifyError, request) ?? toProtocolError(error)
}

/**
 * Every refusal over HTTP is the table's `error` object with the table's status.
 * `notFound`: also for URLs that nobody serves, where the whole application is ours.
 */
export const errors = fp<{ readonly notFound: boolean }>(async (app, { notFound }) => {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const refusal = refusalOf(error, request)
    if (refusal.code === 'internal') request.log.error({ err: errorFields(error) }, 'a request failed')
    // As slowly as the client likes, it would keep the connection.
    if (hasUnreadBody(request)) reply.header('Connection', 'close')
    return sendError(reply, refusal)
  })
  if (notFound) app.setNotFoundHandler((_request, reply) => sendError(reply, new ProtocolError('not_found')))
}, { name: 'tickwire-errors', fastify: '5.x' })
