import { isIP } from 'node:net'
import type { EndedConnection, Observed } from '../connection/connection-ledger.js'
import type { ConnectionRecord, SubscribedGroup } from '../connection/connection-record.js'
import { isoTime } from '../hub/iso-time.js'
import type { ConnectionRow, SubscriptionRow } from '../store/monitor-rows.js'
import type { ConnectionView, EventView, SubscriptionView } from './schema.js'

/** The node that a connection is on. */
export interface NodeName {
  readonly id: string
  readonly name: string
}

/** Behind a proxy an address comes from a header: a text that is no address is not repeated. */
export const shownAddress = (address: string): string => isIP(address) === 0 ? 'unreadable' : address

export function viewOfOpen (connection: Observed, node: NodeName): ConnectionView {
  const { identity: { user }, streamState, unsent } = connection
  return {
    ...commonView(connection, user, node),
    state: streamState,
    lagging: streamState === 'lagging',
    unsent_bytes: unsent
  }
}

export function viewOfEnded (connection: EndedConnection, node: NodeName): ConnectionView {
  const { user, endedAt, code, reason } = connection
  return {
    ...commonView(connection, user, node),
    ...ENDED,
    disconnected_at: isoTime(endedAt),
    disconnect_code: code,
    disconnect_reason: reason
  }
}

const ENDED = { state: 'ended', lagging: false, unsent_bytes: 0 } as const

function commonView (
  { id, transportName, address, openedAt, heardAt, record }: Observed | EndedConnection,
  user: string | undefined,
  node: NodeName
): Omit<ConnectionView, 'state' | 'lagging' | 'unsent_bytes'> {
  return {
    connection_id: id,
    transport: transportName,
    user_id: user ?? null,
    node: node.id,
    name: node.name,
    address: shownAddress(address),
    connected_at: isoTime(openedAt),
    last_heartbeat: isoTime(heardAt),
    selectors: record.selectors,
    messages_sent: record.messagesSent,
    bytes_sent: record.bytesSent,
    messages_received: record.messagesReceived,
    bytes_received: record.bytesReceived,
    unacknowledged: null
  }
}

/** @param selectors how many it had, if that is known */
export function viewOfRow (row: ConnectionRow, selectors = 0): ConnectionView {
  const { disconnected_at: endedAt } = row
  return {
    connection_id: row.connection_id,
    transport: row.transport,
    user_id: row.user_id,
    node: row.node,
    name: row.node_name,
    address: row.address,
    connected_at: isoTime(row.connected_at),
    last_heartbeat: isoTime(row.last_heartbeat),
    ...ENDED,
    state: endedAt === null ? 'lost' : 'ended',
    selectors,
    messages_sent: row.messages_sent,
    bytes_sent: row.bytes_sent,
    messages_received: row.messages_received,
    bytes_received: row.bytes_received,
    unacknowledged: null,
    disconnected_at: endedAt === null ? null : isoTime(endedAt),
    disconnect_code: row.disconnect_code,
    disconnect_reason: row.disconnect_reason
  }
}

export const subscriptionView = (
  { id, channel, symbols, throttleMs, depth, since }: SubscribedGroup
): SubscriptionView => ({
  subscription_id: id,
  channel,
  ...(symbols === undefined ? {} : { symbols: [...symbols] }),
  ...reduced(throttleMs, depth),
  since: isoTime(since)
})

export const storedSubscriptionView = (row: SubscriptionRow): SubscriptionView => ({
  subscription_id: row.subscription_id,
  channel: row.channel,
  ...(row.symbols === null ? {} : { symbols: JSON.parse(row.symbols) as string[] }),
  ...reduced(row.throttle_ms, row.depth),
  since: isoTime(row.since),
  ...(row.until === null ? {} : { until: isoTime(row.until) })
})

const reduced = (throttleMs: number, depth: number): Partial<SubscriptionView> => ({
  ...(throttleMs === 0 ? {} : { throttle_ms: throttleMs }),
  ...(depth === 0 ? {} : { depth })
})

export const eventViews = ({ events }: ConnectionRecord): EventView[] => (
  events.map(({ at, ...event }) => ({ time: isoTime(at), ...event })))
