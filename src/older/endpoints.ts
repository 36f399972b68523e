import { type Channels, heatmap, ProtocolError } from '@tickwire/protocol'
import type { WebSocket } from 'ws'
import type { Connection } from '../connection/connection.js'
import { CountByName } from '../connection/counts.js'
import { priceUpdate } from '../dialects/hts/data.js'
import { snapshotBody } from '../dialects/heatmap/writer.js'
import { KeptTexts } from '../dialects/kept-texts.js'
import type { StreamContext, StreamRequest } from '../transports/stream-request.js'
import { serveWebSocket } from '../transports/ws/index.js'
import { type ListedChannel, listChannels } from './channel-list.js'
import { type HeatmapContext, HeatmapSession } from './heatmap/session.js'
import { MinuteCount } from './heatmap/minute-count.js'
import { type HtsContext, HtsSession } from './hts/session.js'
import { listUsers, nativeTopics, type Status } from './status.js'

/** The answer of `GET /ws/stats` (docs/compat.md). */
export interface HeatmapStats {
  readonly active_connections: number
  readonly messages_sent_1m: number
  readonly slow_consumers: number
  readonly subscriptions_by_symbol: Readonly<Record<string, number>>
}

/** How many symbols the statistics list. */
const MAX_LISTED = 1000

/** The endpoints that older clients know, on the same hub as all others (ADR 60). */
export class OlderEndpoints {
  private readonly hts: HtsContext
  private readonly heatmaps: HeatmapContext = {
    snapshots: new KeptTexts(snapshotBody),
    sessions: new Set(),
    askedBy: new CountByName(),
    sent: new MinuteCount(),
    slow: 0
  }

  /** @param account reads what a user owns */
  constructor (private readonly stream: StreamContext, account: HtsContext['account']) {
    this.hts = { prices: new KeptTexts(priceUpdate), account, sessions: new Set() }
  }

  /** Serves an upgraded request for `/api/ws`. Must be called in the tick of the upgrade. */
  serveHts (request: StreamRequest, socket: WebSocket): void {
    serveWebSocket(request, socket, new HtsSession(this.hts, request.identity))
  }

  /** Serves an upgraded request for `/ws/heatmap`. Must be called in the tick of the upgrade. */
  serveHeatmap (request: StreamRequest, socket: WebSocket): void {
    serveWebSocket(request, socket, new HeatmapSession(this.heatmaps))
  }

  /** @throws ProtocolError `disabled`: the operator keeps heatmaps off WebSocket */
  requireHeatmaps (): void {
    if (this.stream.notOverWebSocket.has(heatmap.name)) throw new ProtocolError('disabled')
  }

  /** @param showUsers whether the answer may say who is connected, and to what they subscribe */
  status (showUsers: boolean): Status {
    const { connections, hub, draining } = this.stream
    return {
      active_connections: connections.active,
      ...(showUsers ? this.users() : NOBODY),
      price_streamer_running: hub.logAvailable && !draining.aborted
    }
  }

  private users (): ReturnType<typeof listUsers> {
    const sessions = new Map(Array.from(this.hts.sessions, session => [session.connection, session]))
    const topicsOf = (connection: Connection): Iterable<string> =>
      sessions.get(connection)?.asked.names() ?? nativeTopics(connection)
    return listUsers(this.stream.connections.registry.all(), topicsOf)
  }

  stats (): HeatmapStats {
    const { sessions, sent, slow, askedBy } = this.heatmaps
    const bySymbol = new Map<string, number>()
    for (const [symbol, count] of askedBy.entries()) {
      if (bySymbol.size === MAX_LISTED) break
      bySymbol.set(symbol, count)
    }
    return {
      active_connections: sessions.size,
      messages_sent_1m: sent.total,
      slow_consumers: slow,
      subscriptions_by_symbol: Object.fromEntries(bySymbol)
    }
  }

  channels (channels: Channels): readonly ListedChannel[] {
    return listChannels(channels, this.stream.notOverWebSocket)
  }
}

const NOBODY = { active_users: [], subscriptions: {} } as const
