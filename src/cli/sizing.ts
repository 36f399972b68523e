/**
 * What a deployment needs, from what it is to carry: docs/deployment/sizing.md has the formula in words. Each figure was measured
 * (bench/results, the row is named), on one core of 2026, plain TCP, messages of 220 bytes; test/unit/sizing.test.ts holds the
 * formula against all rows.
 */
export const FIGURES = {
  /** CPU of a node that turns its windows over, microseconds a second. latency: load 10 %. */
  idleMicros: 60_000,
  /** CPU of a write to one connection. fan-out d: 10,000 clients, a message or two in each write. */
  writeMicros: 16,
  /** CPU of a message in a write, beyond that. latency: load 1000 %. */
  deliveryMicros: 0.4,
  /** CPU of a message that a node appends, or hears of, keeps and encodes. publish: cores used by the node. */
  messageMicros: 8,
  /** CPU of a client that comes back with its cursor. resume: CPU seconds of the nodes. */
  resumeMicros: 870,
  /** Memory of a connection with its subscriptions. memory: tickwire-sse, each of 10,000. */
  connectionBytes: 18 * 1024,
  /** Memory of a node without clients and messages. throughput: MiB idle, rounded up. */
  nodeBytes: 150 * 2 ** 20,
  /** What an entry costs beside its payload among a node's recent ones. src/hub/shards/recent.ts. */
  entryBytes: 90,
  /** Messages that one process of Redis takes a second. publish: messages a second. */
  appendsPerSecond: 107_000,
  /** Headers of TCP and IPv4, and the frame, of a write. */
  packetBytes: 70
} as const

/** How much of a core, and of what a Redis can do, is planned with: the rest is for bursts, and for those who come back. */
const CPU_SHARE = 0.6
const REDIS_SHARE = 0.5
/** Messages a second that one Redis is planned with. */
const APPENDS = FIGURES.appendsPerSecond * REDIS_SHARE
const MAX_SHARDS = 32
/** What `LOG_SHARDS` at its most can take. */
export const MOST_MESSAGES = MAX_SHARDS * APPENDS
/** Of a client's latency in a node. */
const DEFAULT_WINDOW_MS = 20
/** The defaults of the configuration that count here. */
const MAX_CONNECTIONS = 12_000
const RETENTION_BYTES = 256 * 2 ** 20
const RECENT_SECONDS = 60
const RECENT_SHARE = 0.25
/** Of RETENTION_BYTES, what Redis is given (docs/redis.md). */
const MAXMEMORY_FACTOR = 3

export interface Load {
  readonly clients: number
  /** Messages published a second, over all topics alike. */
  readonly messages: number
  readonly topics: number
  /** Topics of each client. */
  readonly subscriptions: number
  /** Of a message on the wire. */
  readonly bytes: number
  /** For how long messages of a client are gathered into one write, at most 50 (`FLUSH_MS=auto`). */
  readonly windowMs: number
  /** `throttle_ms` of all subscriptions; absent: none. */
  readonly throttleMs?: number | undefined
  /** Shards that the clients of one node read, where they are led to nodes by what they read; absent: all. */
  readonly shardsOfNode?: number | undefined
}

export const DEFAULT_LOAD: Load = { clients: 10_000, messages: 1000, topics: 1000, subscriptions: 5, bytes: 220, windowMs: DEFAULT_WINDOW_MS }

export interface Sizing {
  /** Of one client, a second. */
  readonly perClient: { readonly messages: number, readonly writes: number, readonly cpuMicros: number }
  /** Of Redis: masters to which the shards are given. */
  readonly masters: number
  readonly shards: number
  /** Of each master: what it is to hold at most (`maxmemory`), and what it sends to the nodes, bytes a second. */
  readonly master: { readonly maxmemoryBytes: number, readonly bytesOut: number }
  /** CPU microseconds a second that a node needs before it has a client. */
  readonly intakeMicros: number
  /** Undefined where no node could carry even one client: {@link intakeMicros} is more than it has. */
  readonly nodes: NodeSizing | undefined
}

export interface NodeSizing {
  /** So many that one of them may be away. */
  readonly count: number
  /** Of each while one is away. */
  readonly clients: number
  readonly cores: number
  readonly memoryBytes: number
  readonly bytesOut: number
  /** In which the clients of one that went are caught up on the others. */
  readonly resumeSeconds: number
}

/** Writes a second to one connection: windows in which at least one of its messages falls, which come independently. */
export function writesPerSecond (messages: number, windowMs: number): number {
  const window = windowMs / 1000
  return (1 - Math.exp(-messages * window)) / window
}

/** CPU of a node, microseconds a second. @param deliveries messages to clients, each counted for each client */
export function nodeMicros ({ messages, writes, deliveries }: { readonly messages: number, readonly writes: number, readonly deliveries: number }): number {
  const { idleMicros, messageMicros, writeMicros, deliveryMicros } = FIGURES
  return idleMicros + messages * messageMicros + writes * writeMicros + deliveries * deliveryMicros
}

/** @param load of at most {@link MOST_MESSAGES} */
export function size (load: Load): Sizing {
  const { clients, messages, topics, subscriptions, bytes, windowMs, throttleMs, shardsOfNode } = load
  const ticks = throttleMs === undefined ? Infinity : 1000 / throttleMs
  const received = subscriptions * Math.min(messages / topics, ticks)
  // All that is throttled alike goes out together.
  const writes = Math.min(writesPerSecond(received, windowMs), ticks)
  const cpuMicros = nodeMicros({ messages: 0, writes, deliveries: received }) - FIGURES.idleMicros

  const shards = 2 ** Math.ceil(Math.log2(Math.max(1, messages / APPENDS)))
  const masters = Math.ceil(shards / Math.floor(APPENDS / (messages / shards)))
  const heard = messages * Math.min(1, (shardsOfNode ?? shards) / shards)
  const intakeMicros = nodeMicros({ messages: heard, writes: 0, deliveries: 0 })

  const most = Math.min(MAX_CONNECTIONS, Math.floor((CPU_SHARE * 1e6 - intakeMicros) / cpuMicros))
  const busy = most < 1 ? undefined : Math.ceil(clients / most)
  const nodes = busy === undefined ? undefined : sizeNodes(busy, Math.ceil(clients / busy), { load, received, writes, cpuMicros, heard, intakeMicros })
  return {
    perClient: { messages: received, writes, cpuMicros },
    masters,
    shards,
    master: {
      maxmemoryBytes: MAXMEMORY_FACTOR * RETENTION_BYTES * Math.ceil(shards / masters),
      bytesOut: (nodes?.count ?? 0) * heard * bytes / masters
    },
    intakeMicros,
    nodes
  }
}

function sizeNodes (
  busy: number, clients: number,
  of: { readonly load: Load, readonly received: number, readonly writes: number, readonly cpuMicros: number, readonly heard: number, readonly intakeMicros: number }
): NodeSizing {
  const recent = Math.min(RETENTION_BYTES * RECENT_SHARE, RECENT_SECONDS * of.heard * (of.load.bytes + FIGURES.entryBytes))
  return {
    count: busy + 1,
    clients,
    cores: (of.intakeMicros + clients * of.cpuMicros) / 1e6,
    memoryBytes: FIGURES.nodeBytes + clients * FIGURES.connectionBytes + recent,
    bytesOut: clients * (of.received * of.load.bytes + of.writes * FIGURES.packetBytes),
    // Those of one node, over the others, which have the rest of their cores for it.
    resumeSeconds: clients / busy * FIGURES.resumeMicros / (1e6 * (1 - CPU_SHARE))
  }
}
