import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import { decodeCursor, ProtocolError, type StreamQuery } from '@tickwire/protocol'
import type { FastifyRequest } from 'fastify'
import type { Identity } from '../auth/identity.js'
import type { Subscription } from '../connection/actions/subscribe.js'
import { beginSubscriptions } from '../connection/actions/subscribe.js'
import { Connection, type ConnectionContext } from '../connection/connection.js'
import type { Place } from '../connection/places.js'
import { requireChannel, requireSelectors } from '../connection/selectors.js'
import type { Transport } from '../connection/transport.js'
import type { StartPosition } from '../hub/plan.js'
import { type Liveness, livenessOf } from './liveness.js'
import type { PollSessions } from './poll/held-poll.js'
import { streamQueryOf } from './stream-query.js'

/** What the transports of a node have in common. */
export interface StreamContext extends ConnectionContext, Liveness {
  readonly polls: PollSessions
  /** Whether clients that can read it are sent less, at the cost of making it so. */
  readonly compression: boolean
  /** Aborted when the server goes away. */
  readonly draining: AbortSignal
  /** Who a request comes from, by its credentials. @throws ProtocolError `unauthorized`, `overloaded`, `log_unavailable` */
  identify (request: FastifyRequest): Promise<Identity>
}

/** A request for the stream that has been judged whole: nothing of it can be refused any more. */
export interface StreamRequest {
  readonly context: StreamContext
  /** Where the client comes from. */
  readonly address: string
  readonly identity: Identity
  readonly query: StreamQuery
  readonly subscriptions: readonly Subscription[]
  readonly start: StartPosition
  readonly place: Place
}

/**
 * Judges a request before an upgrade or a stream begins (PROTOCOL.md, One URL): its query, its credentials, its
 * subscriptions, all or nothing, and whether there is room for one more.
 * @param parameters query parameters that not every transport takes, and this one does
 * @param upgrade whether more may be said after the upgrade: subscriptions, credentials
 * @throws ProtocolError
 */
export async function judgeStreamRequest (
  context: StreamContext, request: FastifyRequest, parameters: readonly string[], upgrade: boolean
): Promise<StreamRequest> {
  const query = streamQueryOf(request)
  for (const [name, where] of [['wait', 'polling'], ['limit', 'polling'], ['heartbeat', 'WebSocket and event streams']] as const) {
    if (query[name] !== undefined && !parameters.includes(name)) throw new ProtocolError('bad_request', `'${name}' is for ${where} only`)
  }
  if (query.subscribe.length === 0 && !upgrade) throw new ProtocolError('bad_request', "'subscribe' is needed: subscribe=quotes:AAPL")
  const identity = await context.identify(request)
  if (context.authenticationRequired && identity.user === undefined && (query.subscribe.length > 0 || !upgrade)) {
    throw new ProtocolError('unauthorized')
  }
  const resumesByItself = lastEventId(request) !== undefined
  const subscriptions = await Promise.all(query.subscribe.map(async (parameter): Promise<Subscription> => {
    const { channel, symbols, depth, last } = parameter
    const throttleMs = parameter.throttleMs ?? (requireChannel(context, channel).merge === undefined ? undefined : query.throttleMs)
    // PROTOCOL.md: beside Last-Event-ID `fresh` is ignored; the browser repeats it with each reconnect.
    const options = { throttleMs, depth, last, fresh: parameter.fresh === true && !resumesByItself }
    return { channel, granted: await requireSelectors(context, identity, channel, symbols, options), rejected: [], throttleMs }
  }))
  const selectors = subscriptions.reduce((sum, { granted }) => sum + granted.length, 0)
  if (selectors > context.maxSubscriptions) {
    throw new ProtocolError('too_many_subscriptions', `a connection has at most ${context.maxSubscriptions} subscriptions`)
  }
  // A stream that cannot begin is better not begun: another node may reach the log.
  if (subscriptions.length > 0 && !context.hub.logAvailable) throw new ProtocolError('log_unavailable')
  const start = startPosition(request, query)
  if (start.from !== 'now' && subscriptions.length === 0) throw new ProtocolError('bad_request', "'after' goes with 'subscribe'")
  const place = context.connections.reserve(request.ip, identity.user)
  if (upgrade) releaseWithSocket(place, request.raw.socket)
  return { context, address: request.ip, identity, query, subscriptions, start, place }
}

/** An upgrade may end before there is a connection: by a handshake that `ws` refuses, or by a client that is gone. */
function releaseWithSocket (place: Place, socket: Socket): void {
  if (socket.destroyed) place.release()
  else socket.once('close', place.release)
}

function startPosition (request: FastifyRequest, query: StreamQuery): StartPosition {
  const text = lastEventId(request) ?? query.after
  if (text === undefined) return { from: 'now' }
  const cursor = decodeCursor(text)
  if (cursor === undefined) throw new ProtocolError('bad_cursor')
  return { from: 'cursor', cursor }
}

/** What a native EventSource sends when it connects again; only an event stream hears it. */
function lastEventId (request: FastifyRequest): string | undefined {
  const value = request.headers['last-event-id']
  const streams = request.headers.accept?.includes('text/event-stream') === true && request.headers.upgrade === undefined
  return streams && typeof value === 'string' && value !== '' ? value : undefined
}

/** Opens the connection of a judged request on a wire that is ready, and begins its subscriptions. */
export function openConnection (stream: StreamRequest, transport: Transport): Connection {
  const { context, address, identity, subscriptions, start, query, place } = stream
  const connection = new Connection(randomUUID(), address, context, transport, place, livenessOf(context, query.heartbeat).heartbeatMs)
  connection.authenticate(identity)
  connection.welcome()
  if (subscriptions.length > 0) {
    // An EventSource comes back with whatever cursor it was sent, and for all of its query.
    connection.enqueue(() => beginSubscriptions(connection, subscriptions, start, query.snapshot ?? true), { resumes: true, closes: true })
  }
  return connection
}
