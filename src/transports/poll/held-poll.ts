import { randomUUID } from 'node:crypto'
import { ProtocolError } from '@tickwire/protocol'
import type { FastifyRequest } from 'fastify'
import type { Identity } from '../../auth/identity.js'
import type { Addressable } from '../../connection/registry.js'
import type { CloseReason } from '../../connection/transport.js'

export const REQUEST_ID_HEADER = 'X-Request-Id'
const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/

/** A poll while it is being answered: it can be found and ended like a connection. */
export class HeldPoll implements Addressable {
  readonly id: string
  readonly caller: string
  private readonly ended = new AbortController()

  /** @throws ProtocolError `bad_request`: the request's id is malformed */
  constructor (request: FastifyRequest, readonly identity: Identity) {
    this.id = requestId(request.headers['x-request-id'])
    this.caller = identity.user === undefined ? `address ${request.ip}` : `user ${identity.user}`
  }

  /** Aborted with the error that answers the poll. */
  get signal (): AbortSignal {
    return this.ended.signal
  }

  close ({ code, message, retryAfterMs }: CloseReason): void {
    this.ended.abort(new ProtocolError(code, message, retryAfterMs))
  }
}

/** A poll has no `welcome` that could name its connection, so its client may. */
function requestId (header: string | string[] | undefined): string {
  if (header === undefined) return randomUUID()
  if (typeof header === 'string' && REQUEST_ID.test(header)) return header
  throw new ProtocolError('bad_request', `${REQUEST_ID_HEADER} has 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'`)
}
