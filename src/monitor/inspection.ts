import { ProtocolError } from '@tickwire/protocol'
import type { Coordination } from '../coordination/coordination.js'
import type { ConnectionLedger, EndedConnection, Observed } from '../connection/connection-ledger.js'
import type { ConnectionRecord } from '../connection/connection-record.js'
import { readConnection, readEnded } from '../store/monitor-rows.js'
import type { ConnectionAnswer, ConnectionsAnswer, ConnectionView, MissingNode } from './schema.js'
import type { MonitorStore } from './monitor-store.js'
import {
  eventViews, type NodeName, storedSubscriptionView, subscriptionView, viewOfEnded, viewOfOpen, viewOfRow
} from './views.js'

/** How long the nodes may take to answer. */
const PATIENCE_MS = 1000
const LIST = 'connections'
const ONE = 'connection'
/** Users about whose acknowledgements the log is asked at a time. */
const AT_ONCE = 20

/** What connections are sorted by, and where the store has it. */
export const SORTS = {
  connected_at: 'connected_at',
  last_heartbeat: 'last_heartbeat',
  disconnected_at: 'disconnected_at',
  messages_sent: 'messages_sent',
  bytes_sent: 'bytes_sent',
  messages_received: 'messages_received',
  bytes_received: 'bytes_received',
  selectors: undefined,
  unsent_bytes: undefined
} as const
export type SortName = keyof typeof SORTS

export interface ConnectionsRequest {
  readonly transport?: string | undefined
  readonly user?: string | undefined
  /** The id or the name of a node. */
  readonly node?: string | undefined
  readonly address?: string | undefined
  readonly sort: SortName
  readonly descending: boolean
  readonly limit: number
  readonly ended: boolean
}

type Question =
  | { readonly kind: typeof LIST, readonly request: ConnectionsRequest }
  | { readonly kind: typeof ONE, readonly id: string }

/** A connection as a node answers with it. */
interface Found extends ConnectionView {
  /** Whether it subscribes to something that its user must acknowledge. */
  readonly acknowledges?: boolean
}

/** What a node answers, as JSON. */
interface NodeAnswer {
  readonly node: string
  readonly total: number
  readonly found: readonly Found[]
  /** Of the one that was asked for. */
  readonly details?: Pick<ConnectionAnswer, 'subscriptions' | 'omitted_symbols' | 'events' | 'omitted_events'>
}

/** What was answered, and who has not. */
interface Asked {
  readonly answers: readonly NodeAnswer[]
  readonly missing: MissingNode[]
  /** The ids of all nodes; undefined if only this one could be asked. */
  readonly alive: readonly string[] | undefined
}

export interface InspectionOptions {
  readonly coordination: Pick<Coordination, 'ask' | 'answer'>
  readonly ledger: ConnectionLedger
  readonly node: NodeName
  /** Returns all nodes. @throws ProtocolError `log_unavailable` */
  nodes (): Promise<ReadonlyArray<NodeName>>
  /** Whether users must acknowledge the messages of a channel. */
  isAcknowledged (channel: string): boolean
  /** Returns how many messages a user has not acknowledged. @throws ProtocolError `log_unavailable` */
  openOf (user: string): Promise<number>
  readonly store: MonitorStore | undefined
}

/** The connections of all nodes, as seen from one of them. */
export class Inspection {
  /** Ends that this node answers the others. */
  readonly close: () => void

  constructor (private readonly options: InspectionOptions) {
    this.close = options.coordination.answer(text => {
      const question = JSON.parse(text) as { readonly kind?: unknown }
      return isMine(question) ? JSON.stringify(this.answer(question)) : ''
    })
  }

  /** Returns connections of all nodes. */
  async connections (request: ConnectionsRequest): Promise<ConnectionsAnswer> {
    const { answers, missing, alive } = await this.ask({ kind: LIST, request })
    const found = new Map(answers.flatMap(({ found }) => found).map(one => [one.connection_id, one]))
    let total = answers.reduce((sum, answer) => sum + answer.total, 0)
    let isComplete = alive !== undefined && missing.length === 0
    if (request.ended && request.transport !== 'poll') {
      const stored = await this.stored(request, alive)
      if (stored === undefined || stored.lost > 0) isComplete = false
      for (const view of stored?.views ?? []) {
        if (!found.has(view.connection_id)) found.set(view.connection_id, view)
      }
      total = Math.max(total, found.size)
    }
    const sorted = [...found.values()].sort(orderBy(request)).slice(0, request.limit)
    return { connections: await this.finished(sorted), total, complete: isComplete, missing }
  }

  /**
   * Returns one connection, which may have ended; undefined if there is none.
   * @throws ProtocolError `log_unavailable`: a node that may have it does not answer, or the store does not
   */
  async connection (id: string): Promise<ConnectionAnswer | undefined> {
    const { answers, missing, alive } = await this.ask({ kind: ONE, id })
    for (const { found: [view], details } of answers) {
      if (view === undefined || details === undefined) continue
      const [finished] = await this.finished([view])
      return { ...finished!, ...details }
    }
    const stored = await this.storedOne(id)
    if (stored !== undefined) return stored
    if (alive !== undefined && missing.length === 0) return undefined
    const names = missing.map(({ name }) => name).join(', ')
    throw new ProtocolError('log_unavailable',
      missing.length === 0 ? 'only this server could be asked' : `these servers did not answer: ${names}`)
  }

  private async storedOne (id: string): Promise<ConnectionAnswer | undefined> {
    const store = this.options.store?.current
    if (store === undefined) return undefined
    const found = await readConnection(store, id).catch(() => {
      throw new ProtocolError('log_unavailable', 'what the store has cannot be reached now')
    })
    if (found === undefined) return undefined
    const subscriptions = found.subscriptions.map(storedSubscriptionView)
    const selectors = subscriptions.reduce((sum, { symbols = [''] }) => sum + symbols.length, 0)
    return {
      ...viewOfRow(found.row, selectors), subscriptions, omitted_symbols: 0, events: [], omitted_events: 0
    }
  }

  /** Reads ended connections of the store; undefined if it is away. */
  private async stored (
    { sort, descending, limit, ...filter }: ConnectionsRequest, alive: readonly string[] | undefined
  ): Promise<{ readonly views: readonly Found[], readonly lost: number } | undefined> {
    const { store } = this.options
    const column = SORTS[sort]
    const hasNone = store === undefined || (store.current === undefined && !store.isExpected)
    if (hasNone || column === undefined) return { views: [], lost: 0 }
    if (store.current === undefined) return undefined
    try {
      const rows = await readEnded(store.current, filter, alive, { column, descending }, limit)
      return { views: rows.map(row => viewOfRow(row)), lost: store.lost }
    } catch {
      return undefined
    }
  }

  private async ask (question: Question): Promise<Asked> {
    const { coordination, node } = this.options
    try {
      const [nodes, texts] = await Promise.all([
        this.options.nodes(), coordination.ask(JSON.stringify(question), PATIENCE_MS)
      ])
      const answers = texts.filter(text => text !== '').map(text => JSON.parse(text) as NodeAnswer)
      const heard = new Set(answers.map(({ node }) => node))
      const missing = nodes.filter(({ id }) => !heard.has(id)).map(({ id, name }) => ({ node: id, name }))
      return { answers, missing, alive: [...new Set([...nodes.map(({ id }) => id), ...heard])] }
    } catch {
      // The others cannot be reached: an operator sees at least this node.
      return { answers: [{ ...this.answer(question), node: node.id }], missing: [], alive: undefined }
    }
  }

  // ---- this node's own

  private answer (question: Question): NodeAnswer {
    const { node: { id } } = this.options
    return question.kind === LIST
      ? { node: id, ...this.list(question.request) }
      : { node: id, ...this.details(question.id) }
  }

  private list (request: ConnectionsRequest): Omit<NodeAnswer, 'node'> {
    const { ledger, node } = this.options
    if (request.node !== undefined && request.node !== node.id && request.node !== node.name) {
      return { total: 0, found: [] }
    }
    if (request.ended) {
      const found = [...ledger.ended].filter(connection => matches(request, connection, connection.user))
      const first = firstOf(found, request, ({ endedAt }) => endedAt)
      return { total: found.length, found: first.map(connection => viewOfEnded(connection, node)) }
    }
    const found = [...ledger.open]
      .filter(connection => matches(request, connection, connection.identity.user))
    const first = firstOf(found, request, ({ unsent }) => unsent)
    return { total: found.length, found: first.map(connection => this.open(connection)) }
  }

  private details (id: string): Omit<NodeAnswer, 'node'> {
    const { ledger, node } = this.options
    for (const connection of ledger.open) {
      if (connection.id === id) return detailed(this.open(connection), connection.record)
    }
    for (const connection of ledger.ended) {
      if (connection.id === id) return detailed(viewOfEnded(connection, node), connection.record)
    }
    return { total: 0, found: [] }
  }

  private open (connection: Observed): Found {
    const acknowledges = connection.identity.user !== undefined &&
      connection.record.subscriptions.some(({ channel }) => this.options.isAcknowledged(channel))
    return { ...viewOfOpen(connection, this.options.node), acknowledges }
  }

  /** Adds what the log knows of the connections' users. */
  private async finished (found: readonly Found[]): Promise<ConnectionView[]> {
    const users = [...new Set(found.flatMap(({ acknowledges, user_id: user }) => (
      acknowledges === true && user !== null ? user : [])))]
    const open = new Map<string, number>()
    for (let at = 0; at < users.length; at += AT_ONCE) {
      await Promise.all(users.slice(at, at + AT_ONCE).map(async user => {
        const count = await this.options.openOf(user).catch(() => undefined)
        if (count !== undefined) open.set(user, count)
      }))
    }
    return found.map(({ acknowledges, ...view }) => ({
      ...view, unacknowledged: acknowledges === true ? open.get(view.user_id!) ?? null : null
    }))
  }
}

const isMine = (question: { readonly kind?: unknown }): question is Question =>
  question.kind === LIST || question.kind === ONE

function matches (
  { transport, user, address }: ConnectionsRequest,
  connection: Observed | EndedConnection,
  its: string | undefined
): boolean {
  if (transport !== undefined && connection.transportName !== transport) return false
  if (address !== undefined && connection.address !== address) return false
  return user === undefined || its === user
}

function detailed (view: Found, record: ConnectionRecord): Omit<NodeAnswer, 'node'> {
  return {
    total: 1,
    found: [view],
    details: {
      subscriptions: record.subscriptions.map(subscriptionView),
      omitted_symbols: record.omittedSymbols,
      events: eventViews(record),
      omitted_events: record.omittedEvents
    }
  }
}

/**
 * Returns the first connections of an order, before anything is made of them: a node may have ten thousand.
 * @param own the value of a sort that only open connections have, or only ended ones
 */
function firstOf<Connection extends Observed | EndedConnection> (
  connections: readonly Connection[],
  { sort, descending, limit }: ConnectionsRequest,
  own: (connection: Connection) => number
): Connection[] {
  const valueOf = (connection: Connection): number => {
    const { record } = connection
    switch (sort) {
      case 'connected_at': return connection.openedAt
      case 'last_heartbeat': return connection.heardAt
      case 'messages_sent': return record.messagesSent
      case 'bytes_sent': return record.bytesSent
      case 'messages_received': return record.messagesReceived
      case 'bytes_received': return record.bytesReceived
      case 'selectors': return record.selectors
      case 'disconnected_at': case 'unsent_bytes': return own(connection)
    }
  }
  const sign = descending ? -1 : 1
  return connections.map(connection => ({ connection, value: valueOf(connection) }))
    .sort((a, b) => sign * (a.value - b.value) || (a.connection.id < b.connection.id ? -1 : 1))
    .slice(0, limit).map(({ connection }) => connection)
}

/** Orders views by a field; those of the same value by id, so that an answer is always the same. */
function orderBy (
  { sort, descending }: ConnectionsRequest
): (a: ConnectionView, b: ConnectionView) => number {
  const sign = descending ? -1 : 1
  return (one, other) => {
    const [a, b] = [one[sort], other[sort]]
    if (a !== b) {
      // Those without an instant are the last.
      if (a === null || a === undefined) return 1
      if (b === null || b === undefined) return -1
      return a < b ? -sign : sign
    }
    return one.connection_id < other.connection_id ? -1 : 1
  }
}
