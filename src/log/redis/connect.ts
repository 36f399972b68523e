import { type Endpoint, parseAddress, type RedisAddress } from './masters/address.js'
import { ClusterTopology } from './masters/cluster.js'
import { type ConnectionOptions, openerOf, sentinelOpenerOf } from './masters/connection.js'
import { Masters } from './masters/masters.js'
import { SentinelTopology } from './masters/sentinels.js'
import { SingleTopology, type Topology } from './masters/topology.js'
import { cannotBeUsed } from './append/refusals.js'
import { timeLimit } from './time-limit.js'

/** What the client itself asks when it connects must be answered in this time: a partitioned server answers nothing for ever. */
const COMMAND_TIMEOUT_MS = 5000
/** What is not connected by then is given up. */
const CONNECT_ALL_MS = 10_000

/** Connections to all masters, each set for one purpose: none waits behind the others' answers. */
export type Connections<Purpose extends string> = Readonly<Record<Purpose, Masters>> & { close (): void }

/** One set that appends, one that reads and one that listens. */
export type LogConnections = Connections<'writer' | 'reader' | 'subscriber'>

interface Setup {
  readonly url: string
  readonly keyPrefix: string
}

/** @throws LogSetupError */
export async function connectRedis (setup: Setup): Promise<LogConnections> {
  return await connectAll(setup, ['writer', 'reader', 'subscriber'], { commandTimeout: COMMAND_TIMEOUT_MS })
}

/** Connects all, or none. @throws LogSetupError */
export async function connectAll<Purpose extends string> (setup: Setup, purposes: readonly Purpose[], options: ConnectionOptions, withinMs = CONNECT_ALL_MS): Promise<Connections<Purpose>> {
  const address = parseAddress(setup.url)
  const topology = topologyOf(address, options)
  const open = openerOf(address, options)
  const masters = purposes.map((purpose): [Purpose, Masters] => [purpose, new Masters(topology, open)])
  const close = (): void => {
    for (const [, connections] of masters) connections.disconnect()
    topology.close()
  }
  try {
    await timeLimit(topology.start().then(() => Promise.all(masters.map(([, connections]) => connections.connect()))), withinMs)
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

/** Of a Redis whose address the client library reads. */
const SELF: Endpoint = { host: '', port: 0 }
