import { monitor as monitorChannel } from '@tickwire/protocol'
import type { Acknowledging } from '../src/connection/acknowledging.js'
import type { Connections } from '../src/connection/connections.js'
import type { Coordination } from '../src/coordination/coordination.js'
import type { Hub } from '../src/hub/hub.js'
import { LocalLog } from '../src/local/local-log.js'
import type { Log } from '../src/log/log.js'
import { FileLog } from '../src/log/file/file-log.js'
import { RedisLog } from '../src/log/redis/redis-log.js'
import { Figures, type FiguresOptions } from '../src/monitor/figures.js'
import { Inspection } from '../src/monitor/inspection.js'
import { Monitor } from '../src/monitor/monitor.js'
import type { MonitorStore } from '../src/monitor/monitor-store.js'
import { Past } from '../src/monitor/past.js'
import { MonitorRecorder } from '../src/monitor/recorder.js'
import type { Nodes } from '../src/nodes/nodes.js'
import { isVolatile } from '../src/open-log.js'
import type { Publisher } from '../src/publisher/publisher.js'

export interface MonitoringOptions extends Pick<FiguresOptions, 'node' | 'sources' | 'load'> {
  readonly log: Log
  readonly coordination: Coordination
  readonly hub: Hub
  readonly publisher: Publisher
  readonly connections: Connections
  readonly acknowledging: Acknowledging
  readonly nodes: Nodes
  /** Where the past is kept; closed with the monitoring. */
  readonly store: MonitorStore | undefined
  readonly onError: (error: unknown, message: string) => void
}

/** What operators see of the connections of all nodes. */
export interface Monitoring {
  readonly inspection: Inspection
  readonly past: Past
  /** Where the past is kept; undefined if it is not. */
  readonly store: MonitorStore | undefined
  /** Call it when no connection is left. */
  close (): Promise<void>
}

function kindOf (log: Log): 'memory' | 'files' | 'redis' | 'other' {
  if (log instanceof RedisLog) return 'redis'
  if (isVolatile(log)) return 'memory'
  return log instanceof FileLog || log instanceof LocalLog ? 'files' : 'other'
}

/** Makes the parts of the monitor work together. */
export function monitoring (options: MonitoringOptions): Monitoring {
  const { node, log, coordination, hub, publisher, acknowledging, nodes, store, onError } = options
  const { ledger, limited } = options.connections
  const { counters } = hub
  const figures = new Figures({
    ...options,
    ledger,
    counters,
    logKind: kindOf(log),
    isLogAvailable: () => hub.logAvailable,
    topics: () => hub.directory.size
  })
  const started = Date.parse(node.started)
  const recorder = store && new MonitorRecorder({ store, ledger, counters, limited, node, started, onError })
  const hasChannel = hub.channels.has(monitorChannel.name)
  const monitor = hasChannel
    ? new Monitor({ node: node.id, coordination, demand: hub.demand, publisher, figures, onError })
    : undefined
  const inspection = new Inspection({
    coordination,
    ledger,
    node,
    store,
    nodes: () => nodes.all(),
    isAcknowledged: channel => hub.channels.get(channel)?.acknowledged === true,
    openOf: async user => {
      const channels = await acknowledging.open({ user, admin: false })
      return channels.reduce((sum, { open }) => sum + open, 0)
    }
  })
  return {
    inspection,
    past: new Past(store, () => nodes.all()),
    store,
    async close () {
      inspection.close()
      monitor?.close()
      recorder?.close()
      await store?.close()
    }
  }
}
