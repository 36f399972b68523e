import { type Endpoint, parseAddress, type RedisAddress } from './masters/address.js'
import { ClusterTopology } from './masters/cluster.js'
import { type ConnectionOptions, openerOf, sentinelOpenerOf } from './masters/connection.js'
import { Masters } from './masters/masters.js'
import { SentinelTopology } from './masters/sentinels.js'
import { SingleTopology, type Topology } from './masters/topology.js'
import { cannotBeUsed } from './append/refusals.js'
import { timeLimit } from './time-limit.js'

/**
 * Commands that the client itself sends when it connects fail after this time: a partitioned server would
 * never answer.
 */
const COMMAND_TIMEOUT_MS = 5000
/** All connections must be open after this time. */
const CONNECT_ALL_MS = 10_000

/**
 * A set of connections to all masters for each purpose, so that none waits for answers of another purpose.
 */
export type Connections<Purpose extends string> = Readonly<Record<Purpose, Masters>> & { close (): void }

/** Of the three sets, one appends, one reads and one listens. */
export type LogConnections = Connections<'writer' | 'reader' | 'subscriber'>

interface Setup {
  readonly url: string
  readonly keyPrefix: string
}

/** @throws LogSetupError */
export async function connectRedis (setup: Setup): Promise<LogConnections> {
  return await connectAll(setup, ['writer', 'reader', 'subscriber'], { commandTimeout: COMMAND_TIMEOUT_MS })
}

/** Connects all sets, or none. @throws LogSetupError */
export async function connectAll<Purpose extends string> (
  setup: Setup,
  purposes: readonly Purpose[],
  options: ConnectionOptions,
  withinMs = CONNECT_ALL_MS
): Promise<Connections<Purpose>> {
  const address = parseAddress(setup.url)
  const topology = topologyOf(address, options)
  const open = openerOf(address, options)
  const masters = purposes.map((purpose): [Purpose, Masters] => [purpose, new Masters(topology, open)])
  const close = (): void => {
    for (const [, connections] of masters) connections.disconnect()
    topology.close()
  }
  try {
    const connected = topology.start()
      .then(() => Promise.all(masters.map(([, connections]) => connections.connect())))
    await timeLimit(connected, withinMs)
  } catch (error) {
    close()
    throw cannotBeUsed(setup, error)
  }
  return { ...Object.fromEntries(masters) as Record<Purpose, Masters>, close }
}

function topologyOf (address: RedisAddress, options: ConnectionOptions): Topology {
  switch (address.kind) {
    case 'single': return new SingleTopology(SELF)
    case 'sentinel': return new SentinelTopology(address, sentinelOpenerOf(address, options))
    case 'cluster': return new ClusterTopology(address, openerOf(address, options))
  }
}

/** Stands for a single Redis, whose address the client library reads from the URL itself. */
const SELF: Endpoint = { host: '', port: 0 }
