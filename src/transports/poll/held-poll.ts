import { randomUUID } from 'node:crypto'
import { ProtocolError } from '@tickwire/protocol'
import type { FastifyRequest } from 'fastify'
import type { Identity } from '../../auth/identity.js'
import type { Observed } from '../../connection/connection-ledger.js'
import { ConnectionRecord } from '../../connection/connection-record.js'
import type { Addressable, Registry } from '../../connection/registry.js'
import type { CloseReason } from '../../connection/transport.js'

export const REQUEST_ID_HEADER = 'X-Request-Id'
const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/

/** How long an answered poll stays registered in place of its client's next poll. */
const LINGER_MS = 2000

/** A poll that is being answered. An operator can find and close it like a connection. */
export class HeldPoll implements Addressable, Observed {
  readonly transportName = 'poll'
  readonly streamState = 'polling'
  readonly unsent = 0
  readonly record = new ConnectionRecord()
  readonly openedAt = Date.now()
  /** A poll is heard once: when it comes. */
  readonly heardAt = this.openedAt
  readonly address: string
  readonly id: string
  /** Whether the client chose the id, and so may use it for its next poll. */
  readonly isNamed: boolean
  readonly caller: string
  private readonly ended = new AbortController()

  /** @throws ProtocolError `bad_request`: the id of the request is malformed */
  constructor (request: FastifyRequest, readonly identity: Identity) {
    const header = request.headers['x-request-id']
    this.id = requestId(header)
    this.isNamed = header !== undefined
    this.address = request.ip
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
 * The polls that are being answered, and those that were answered a moment ago. Between two polls of a client
 * there is nothing to close. If an operator closes its id then, the server refuses the next poll, so that it
 * does not depend on the moment whether the operator finds the client.
 */
export class PollSessions {
  private readonly lingering = new Map<string, HeldPoll>()

  constructor (private readonly registry: Registry) {}

  /**
   * Adds a poll that is to be answered.
   * @throws ProtocolError the reason for which an operator closed the id since the last poll; `bad_request`:
   *   another client uses the id
   */
  register (poll: HeldPoll): void {
    const before = this.lingering.get(poll.id)
    if (before?.caller === poll.caller) {
      this.forget(before)
      before.signal.throwIfAborted()
    }
    this.registry.add(poll)
  }

  /** Removes an answered poll: at once, or after a while if the client may use its id for the next poll. */
  release (poll: HeldPoll): void {
    if (!poll.isNamed || poll.signal.aborted) {
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

/**
 * Returns the id of a poll. No `welcome` could tell a polling client its id, so the client may choose one.
 */
function requestId (header: string | string[] | undefined): string {
  if (header === undefined) return randomUUID()
  if (typeof header === 'string' && REQUEST_ID.test(header)) return header
  const allowed = "1 to 64 characters of A-Z, a-z, 0-9, '.', '_' and '-'"
  throw new ProtocolError('bad_request', `${REQUEST_ID_HEADER} must have ${allowed}`)
}
