import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import { decodeCursor, ProtocolError, type StreamQuery } from '@tickwire/protocol'
import type { FastifyRequest } from 'fastify'
import type { Identity } from '../auth/identity.js'
import type { Subscription } from '../connection/actions/subscribe.js'
import { beginSubscriptions } from '../connection/actions/subscribe.js'
import { Connection, type ConnectionContext } from '../connection/connection.js'
import type { ConnectionSlot } from '../connection/connection-quota.js'
import { requireChannel, requireSelectors } from '../connection/selectors.js'
import type { Transport } from '../connection/transport.js'
import type { Dialects } from '../dialects/dialects.js'
import type { StartPosition } from '../hub/catch-up/start.js'
import { asksForEventStream } from './accept.js'
import { type Liveness, livenessOf } from './liveness.js'
import type { PollSessions } from './poll/held-poll.js'
import { streamQueryOf } from './stream-query.js'

/** What the transports of a node have in common. */
export interface StreamContext extends ConnectionContext, Liveness {
  readonly dialects: Dialects
  readonly polls: PollSessions
  /** Whether clients that can read it are sent less, at the cost of making it so. */
  readonly compression: boolean
  /** Aborted when the server goes away. */
  readonly draining: AbortSignal
  /** Who a request comes from, by its credentials. @throws ProtocolError `unauthorized`, `overloaded`, `log_unavailable` */
  identify (request: FastifyRequest): Promise<Identity>
  /** Spends the ticket of a request, where it is identified by one. @throws ProtocolError `unauthorized`, `log_unavailable` */
  spendTicket (request: FastifyRequest): Promise<void>
}

/** A request for the stream that has been judged whole: only its ticket may be gone, and the server going away. */
export interface StreamRequest {
  readonly context: StreamContext
  /** Where the client comes from. */
  readonly address: string
  readonly identity: Identity
  readonly query: StreamQuery
  readonly subscriptions: readonly Subscription[]
  readonly start: StartPosition
  readonly slot: ConnectionSlot
  /**
   * Lets it in: the last thing before its upgrade, its stream or its answer, as it spends the ticket. Where it throws, the slot is free again.
   * @throws ProtocolError `unauthorized`: another request has spent it; `going_away`, `log_unavailable`
   */
  admit (): Promise<void>
}

/** Parameters of one transport, and which that is. */
const ownParameters = [['wait', 'polling'], ['limit', 'polling'], ['lastEventId', 'event streams'], ['heartbeat', 'WebSocket and event streams']] as const

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
  for (const [name, owner] of ownParameters) {
    if (query[name] !== undefined && !parameters.includes(name)) throw new ProtocolError('bad_request', `'${name}' is for ${owner} only`)
  }
  if (query.subscribe.length === 0 && !upgrade) throw new ProtocolError('bad_request', "'subscribe' is needed: subscribe=quotes:AAPL")
  const identity = await context.identify(request)
  if (context.authenticationRequired && identity.user === undefined && (query.subscribe.length > 0 || !upgrade)) {
    throw new ProtocolError('unauthorized')
  }
  const resumesByItself = lastEventId(request, query) !== undefined
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

/** An upgrade may end before there is a connection: by a handshake that `ws` refuses, or by a client that is gone. */
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
 * What an EventSource sends when it connects again, a polyfill in the query; only an event stream hears it. A browser that is given a
 * header by its page adds its own to that, so the last of several is the newest.
 */
function lastEventId (request: FastifyRequest, query: StreamQuery): string | undefined {
  if (request.ws || !asksForEventStream(request.headers.accept)) return undefined
  return lastOf(request.headers['last-event-id']) ?? lastOf(query.lastEventId)
}

const lastOf = (ids: string | string[] = ''): string | undefined => String(ids).split(',').map(id => id.trim()).findLast(id => id !== '')

/** Opens the connection of a judged request on a wire that is ready, and begins its subscriptions. */
export function openConnection (stream: StreamRequest, transport: Transport): Connection {
  const { context, address, identity, subscriptions, start, query, slot } = stream
  const connection = new Connection(randomUUID(), address, context, transport, slot, livenessOf(context, query.heartbeat).heartbeatMs)
  connection.authenticate(identity)
  connection.welcome()
  if (subscriptions.length > 0) {
    // An EventSource comes back with whatever cursor it was sent, and for all of its query.
    connection.actions.enqueue(() => beginSubscriptions(connection, subscriptions, start, query.snapshot ?? true), { resumes: true, closes: true })
  }
  return connection
}
