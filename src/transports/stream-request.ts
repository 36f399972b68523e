import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import { decodeCursor, ProtocolError, type StreamQuery } from '@tickwire/protocol'
import type { FastifyRequest } from 'fastify'
import type { Identity } from '../auth/identity.js'
import { beginSubscriptions, type Subscription } from '../connection/actions/subscribe.js'
import { Connection } from '../connection/connection.js'
import type { ConnectionContext } from '../connection/connection-context.js'
import type { ConnectionSlot } from '../connection/connection-quota.js'
import { requireChannel, requireSelectors } from '../connection/selectors.js'
import type { Transport } from '../connection/transport.js'
import type { Dialects } from '../dialects/dialects.js'
import type { StartPosition } from '../hub/catch-up/start.js'
import { asksForEventStream } from './accept.js'
import { type Liveness, livenessOf } from './liveness.js'
import type { PollSessions } from './poll/held-poll.js'
import { streamQueryOf } from './stream-query.js'

/** What the transports of a node share. */
export interface StreamContext extends ConnectionContext, Liveness {
  readonly dialects: Dialects
  readonly polls: PollSessions
  /** Whether the server compresses for clients that offer it. */
  readonly compression: boolean
  /** Aborted when the server is going away. */
  readonly draining: AbortSignal
  /**
   * Resolves with whom the credentials of a request name.
   * @throws ProtocolError `unauthorized`, `overloaded`, `log_unavailable`
   */
  identify (request: FastifyRequest): Promise<Identity>
  /**
   * Spends the ticket of a request, if its credential is one.
   * @throws ProtocolError `unauthorized`, `log_unavailable`
   */
  spendTicket (request: FastifyRequest): Promise<void>
}

/** A request for the stream that has passed all checks. Only {@link StreamRequest.admit} may refuse it. */
export interface StreamRequest {
  readonly context: StreamContext
  /** The IP address that the client comes from. */
  readonly address: string
  readonly identity: Identity
  readonly query: StreamQuery
  readonly subscriptions: readonly Subscription[]
  readonly start: StartPosition
  readonly slot: ConnectionSlot
  /**
   * Lets the request in. It spends the ticket, so it must be the last step before the upgrade, the stream or
   * the answer. Releases the slot before it throws.
   * @throws ProtocolError `unauthorized`: another request has spent the ticket; `going_away`,
   *   `log_unavailable`
   */
  admit (): Promise<void>
}

/** Query parameters that not every transport takes, and the transports that do. */
const ownParameters = [
  ['wait', 'polling'],
  ['limit', 'polling'],
  ['lastEventId', 'event streams'],
  ['heartbeat', 'WebSocket and event streams']
] as const

/**
 * Judges a request before an upgrade or a stream begins (PROTOCOL.md, One URL): its query, its credentials,
 * its subscriptions, which are all or nothing, and whether there is room for one more connection.
 * @param parameters the query parameters that this transport takes, but not every transport does
 * @param upgrade whether the client may still subscribe and authenticate after the upgrade
 * @throws ProtocolError the reason of the refusal
 */
export async function judgeStreamRequest (
  context: StreamContext, request: FastifyRequest, parameters: readonly string[], upgrade: boolean
): Promise<StreamRequest> {
  const query = streamQueryOf(request)
  for (const [name, owner] of ownParameters) {
    if (query[name] === undefined || parameters.includes(name)) continue
    throw new ProtocolError('bad_request', `'${name}' is for ${owner} only`)
  }
  const isBare = query.subscribe.length === 0
  if (isBare && !upgrade) {
    throw new ProtocolError('bad_request', "'subscribe' is missing, for example subscribe=quotes:AAPL")
  }
  const identity = await context.identify(request)
  if (context.authenticationRequired && identity.user === undefined && !isBare) {
    throw new ProtocolError('unauthorized')
  }
  const resumesByItself = lastEventId(request, query) !== undefined
  const subscriptions = await Promise.all(query.subscribe.map(async (parameter): Promise<Subscription> => {
    const { channel, symbols, depth, last } = parameter
    const canBeThrottled = requireChannel(context, channel).merge !== undefined
    const throttleMs = parameter.throttleMs ?? (canBeThrottled ? query.throttleMs : undefined)
    // Ignored beside Last-Event-ID (PROTOCOL.md, One URL), because a browser reconnects with the same URL.
    const fresh = parameter.fresh === true && !resumesByItself
    const options = { throttleMs, depth, last, fresh, overWebSocket: upgrade }
    const granted = await requireSelectors(context, identity, channel, symbols, options)
    return { channel, granted, rejected: [], throttleMs }
  }))
  const { maxSubscriptions } = context
  const selectors = subscriptions.reduce((sum, { granted }) => sum + granted.length, 0)
  if (selectors > maxSubscriptions) {
    const message = `a connection has at most ${maxSubscriptions} subscriptions`
    throw new ProtocolError('too_many_subscriptions', message)
  }
  // The stream could not begin here. The client may find another node that reaches the log.
  if (subscriptions.length > 0 && !context.hub.logAvailable) throw new ProtocolError('log_unavailable')
  const start = startPosition(request, query)
  if (start.from !== 'now' && isBare) throw new ProtocolError('bad_request', "'after' needs 'subscribe'")
  const slot = context.connections.reserve(request.ip, identity.user)
  if (upgrade) releaseWithSocket(slot, request.raw.socket)
  const admit = async (): Promise<void> => {
    try {
      context.draining.throwIfAborted()
      await context.spendTicket(request)
      context.draining.throwIfAborted()
    } catch (error) {
      slot.release()
      throw error
    }
  }
  return { context, address: request.ip, identity, query, subscriptions, start, slot, admit }
}

/**
 * Releases the slot when the socket closes. An upgrade may end before there is a connection: if `ws` refuses
 * the handshake, or if the client is gone.
 */
function releaseWithSocket (slot: ConnectionSlot, socket: Socket): void {
  if (socket.destroyed) slot.release()
  else socket.once('close', slot.release)
}

function startPosition (request: FastifyRequest, query: StreamQuery): StartPosition {
  const text = lastEventId(request, query) ?? query.after
  if (text === undefined) return { from: 'now' }
  const cursor = decodeCursor(text)
  if (cursor === undefined) throw new ProtocolError('bad_cursor')
  return { from: 'cursor', cursor }
}

/**
 * Returns the id of the last event that an EventSource has, which it sends when it reconnects; a polyfill
 * sends it in the query. Only an event stream takes it. If a page sets the header itself, the browser adds
 * its own id to it, so the last of several ids is the newest.
 */
function lastEventId (request: FastifyRequest, query: StreamQuery): string | undefined {
  if (request.ws || !asksForEventStream(request.headers.accept)) return undefined
  return lastOf(request.headers['last-event-id']) ?? lastOf(query.lastEventId)
}

const lastOf = (ids: string | string[] = ''): string | undefined =>
  String(ids).split(',').map(id => id.trim()).findLast(id => id !== '')

/**
 * Opens the connection of a judged request on a wire that can be written to, and begins its subscriptions.
 * @param onOpen called before anything is sent
 */
export function openConnection (
  stream: StreamRequest, transport: Transport, onOpen?: (connection: Connection) => void
): Connection {
  const { context, address, identity, subscriptions, start, query, slot } = stream
  const { heartbeatMs } = livenessOf(context, query.heartbeat)
  const connection = new Connection(randomUUID(), address, context, transport, slot, heartbeatMs)
  connection.authenticate(identity)
  onOpen?.(connection)
  connection.welcome()
  if (subscriptions.length > 0) {
    const begin = (): Promise<void> =>
      beginSubscriptions(connection, subscriptions, start, query.snapshot ?? true)
    // An EventSource reconnects with any cursor that it was sent, and for its whole query. So no cursor may
    // go out before the catch-up of the query runs.
    connection.actions.enqueue(begin, { resumes: true, closes: true })
  }
  return connection
}
