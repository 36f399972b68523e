/**
 * Works out what a deployment needs from its load; docs/deployment/sizing.md has the formula in words. Each
 * figure was measured (bench/results; the comment names the row) on one core of 2026, over plain TCP, with
 * messages of 220 bytes. test/unit/sizing.test.ts compares the formula with all rows.
 */
export const FIGURES = {
  /** CPU of a node for its flush windows alone, microseconds a second. latency: load 10 %. */
  idleMicros: 60_000,
  /** CPU of a write to one connection. fan-out d: 10,000 clients, a message or two in each write. */
  writeMicros: 16,
  /** CPU of a message in a write, beyond that. latency: load 1000 %. */
  deliveryMicros: 0.4,
  /**
   * CPU of a message that a node appends, or receives, keeps and encodes. publish: cores used by the node.
   */
  messageMicros: 8,
  /** CPU of a client that comes back with its cursor. resume: CPU seconds of the nodes. */
  resumeMicros: 870,
  /** Memory of a connection with its subscriptions. memory: tickwire-sse, each of 10,000. */
  connectionBytes: 18 * 1024,
  /** Memory of a node without clients and messages. throughput: MiB idle, rounded up. */
  nodeBytes: 150 * 2 ** 20,
  /** Bytes that an entry costs beside its payload among a node's recent entries. src/hub/shards/recent.ts. */
  entryBytes: 90,
  /** Messages a second that one process of Redis takes. publish: messages a second. */
  appendsPerSecond: 107_000,
  /** Headers of TCP and IPv4, and the frame, of a write. */
  packetBytes: 70
} as const

/**
 * The share of a core, and of what a Redis can do, to plan with: the rest is for bursts and for reconnecting
 * clients.
 */
const CPU_SHARE = 0.6
const REDIS_SHARE = 0.5
/** Messages a second to plan with for one Redis. */
const APPENDS = FIGURES.appendsPerSecond * REDIS_SHARE
const MAX_SHARDS = 32
/** The messages a second that the largest `LOG_SHARDS` can take. */
export const MOST_MESSAGES = MAX_SHARDS * APPENDS
/** The default part of a client's latency that a node may spend on gathering. */
const DEFAULT_WINDOW_MS = 20
/** The defaults of the configuration that the formula uses. */
const MAX_CONNECTIONS = 12_000
const RETENTION_BYTES = 256 * 2 ** 20
const RECENT_SECONDS = 60
const RECENT_SHARE = 0.25
/** The memory of Redis, as a multiple of RETENTION_BYTES (docs/redis.md). */
const MAXMEMORY_FACTOR = 3

export interface Load {
  readonly clients: number
  /** Messages published a second, over all topics alike. */
  readonly messages: number
  readonly topics: number
  /** Topics of each client. */
  readonly subscriptions: number
  /** The size of a message on the wire. */
  readonly bytes: number
  /** How long a node gathers a client's messages into one write, at most 50 (`FLUSH_MS=auto`). */
  readonly windowMs: number
  /** `throttle_ms` of all subscriptions; absent: none. */
  readonly throttleMs?: number | undefined
  /** Shards that the clients of one node read, if clients are led to nodes by what they read; absent: all. */
  readonly shardsOfNode?: number | undefined
}

export const DEFAULT_LOAD: Load = {
  clients: 10_000, messages: 1000, topics: 1000, subscriptions: 5, bytes: 220, windowMs: DEFAULT_WINDOW_MS
}

export interface Sizing {
  /** What one client gets in a second, and costs. */
  readonly perClient: { readonly messages: number, readonly writes: number, readonly cpuMicros: number }
  /** The masters of Redis that share the shards. */
  readonly masters: number
  readonly shards: number
  /**
   * What each master needs: its memory at most (`maxmemory`), and what it sends to the nodes, bytes a second.
   */
  readonly master: { readonly maxmemoryBytes: number, readonly bytesOut: number }
  /** CPU microseconds a second that a node needs before it has any client. */
  readonly intakeMicros: number
  /** Undefined if no node could carry even one client: {@link intakeMicros} is more than it has. */
  readonly nodes: NodeSizing | undefined
}

export interface NodeSizing {
  /** Enough nodes that one of them may be away. */
  readonly count: number
  /** The clients of each node while one is away. */
  readonly clients: number
  readonly cores: number
  readonly memoryBytes: number
  readonly bytesOut: number
  /** The time in which the other nodes catch up the clients of a node that has gone. */
  readonly resumeSeconds: number
}

/**
 * Returns the writes a second to one connection: the windows with at least one of its messages, which come
 * independently.
 */
export function writesPerSecond (messages: number, windowMs: number): number {
  const window = windowMs / 1000
  return (1 - Math.exp(-messages * window)) / window
}

/**
 * Returns the CPU of a node, in microseconds a second.
 * @param deliveries messages to clients, each counted once for each client
 */
export function nodeMicros (
  { messages, writes, deliveries }: {
    readonly messages: number, readonly writes: number, readonly deliveries: number
  }
): number {
  const { idleMicros, messageMicros, writeMicros, deliveryMicros } = FIGURES
  return idleMicros + messages * messageMicros + writes * writeMicros + deliveries * deliveryMicros
}

/** Works out what a load needs. @param load with at most {@link MOST_MESSAGES} messages */
export function size (load: Load): Sizing {
  const { clients, messages, topics, subscriptions, bytes, windowMs, throttleMs, shardsOfNode } = load
  const ticks = throttleMs === undefined ? Infinity : 1000 / throttleMs
  const received = subscriptions * Math.min(messages / topics, ticks)
  // Topics that are throttled alike go out together.
  const writes = Math.min(writesPerSecond(received, windowMs), ticks)
  const cpuMicros = nodeMicros({ messages: 0, writes, deliveries: received }) - FIGURES.idleMicros

  const shards = 2 ** Math.ceil(Math.log2(Math.max(1, messages / APPENDS)))
  const masters = Math.ceil(shards / Math.floor(APPENDS / (messages / shards)))
  const heard = messages * Math.min(1, (shardsOfNode ?? shards) / shards)
  const intakeMicros = nodeMicros({ messages: heard, writes: 0, deliveries: 0 })

  const most = Math.min(MAX_CONNECTIONS, Math.floor((CPU_SHARE * 1e6 - intakeMicros) / cpuMicros))
  const busy = most < 1 ? undefined : Math.ceil(clients / most)
  const shares = { load, received, writes, cpuMicros, heard, intakeMicros }
  const nodes = busy === undefined ? undefined : sizeNodes(busy, Math.ceil(clients / busy), shares)
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
  of: {
    readonly load: Load
    readonly received: number
    readonly writes: number
    readonly cpuMicros: number
    readonly heard: number
    readonly intakeMicros: number
  }
): NodeSizing {
  const recentBytes = RECENT_SECONDS * of.heard * (of.load.bytes + FIGURES.entryBytes)
  const recent = Math.min(RETENTION_BYTES * RECENT_SHARE, recentBytes)
  return {
    count: busy + 1,
    clients,
    cores: (of.intakeMicros + clients * of.cpuMicros) / 1e6,
    memoryBytes: FIGURES.nodeBytes + clients * FIGURES.connectionBytes + recent,
    bytesOut: clients * (of.received * of.load.bytes + of.writes * FIGURES.packetBytes),
    // The clients of one node come back to the others, which use the unplanned rest of their cores for them.
    resumeSeconds: clients / busy * FIGURES.resumeMicros / (1e6 * (1 - CPU_SHARE))
  }
}
