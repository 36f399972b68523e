import { randomUUID } from 'node:crypto'
import { ProtocolError } from '@tickwire/protocol'
import type { FastifyRequest } from 'fastify'
import type { Identity } from '../../auth/identity.js'
import type { Addressable, Registry } from '../../connection/registry.js'
import type { CloseReason } from '../../connection/transport.js'

export const REQUEST_ID_HEADER = 'X-Request-Id'
const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/

/** How long a poll that was answered stands for the next one of its client. */
const LINGER_MS = 2000

/** A poll while it is being answered: it can be found and ended like a connection. */
export class HeldPoll implements Addressable {
  readonly id: string
  /** Whether its client chose the id, and so may come back with it. */
  readonly named: boolean
  readonly caller: string
  private readonly ended = new AbortController()

  /** @throws ProtocolError `bad_request`: the request's id is malformed */
  constructor (request: FastifyRequest, readonly identity: Identity) {
    const header = request.headers['x-request-id']
    this.id = requestId(header)
    this.named = header !== undefined
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

/**
 * Polls by their ids. Between two polls of a client there is nothing to end; who ends it then has the next one refused,
 * so that it does not depend on the moment whether a client is found.
 */
export class PollSessions {
  private readonly lingering = new Map<string, HeldPoll>()

  constructor (private readonly registry: Registry) {}

  /** @throws ProtocolError with which it was ended since the poll before, or that the id is another's */
  begin (poll: HeldPoll): void {
    const before = this.lingering.get(poll.id)
    if (before?.caller === poll.caller) {
      this.forget(before)
      before.signal.throwIfAborted()
    }
    this.registry.add(poll)
  }

  answered (poll: HeldPoll): void {
    if (!poll.named || poll.signal.aborted) {
      this.registry.remove(poll)
      return
    }
    this.lingering.set(poll.id, poll)
    setTimeout(() => { this.forget(poll) }, LINGER_MS).unref()
  }

  private forget (poll: HeldPoll): void {
    this.registry.remove(poll)
    if (this.lingering.get(poll.id) === poll) this.lingering.delete(poll.id)
  }
}

/** A poll has no `welcome` that could name its connection, so its client may. */
function requestId (header: string | string[] | undefined): string {
  if (header === undefined) return randomUUID()
  if (typeof header === 'string' && REQUEST_ID.test(header)) return header
  throw new ProtocolError('bad_request', `${REQUEST_ID_HEADER} has 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'`)
}
