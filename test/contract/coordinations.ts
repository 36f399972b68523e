import { standardChannels } from '@tickwire/protocol'
import type { Test } from 'tap'
import { MemoryCoordination } from '../../src/coordination/memory/memory-coordination.js'
import { RedisCoordination } from '../../src/coordination/redis/redis-coordination.js'
import type { Coordination } from '../../src/coordination/coordination.js'
import { MemoryLog } from '../../src/log/memory/memory-log.js'
import { serveLocally } from '../helpers/local-server.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { AMPLE } from './logs.js'

/**
 * The coordination of two nodes of one deployment; a backend for one node only gives the same object twice.
 */
export interface OpenCoordinations {
  readonly nodes: readonly [Coordination, Coordination]
  close (): Promise<void>
}

export interface CoordinationBackend {
  readonly name: string
  open (): Promise<OpenCoordinations>
}

let server: Promise<RedisServer> | undefined
let prefixes = 0

/** One Redis for all pairs of a process; each pair has its own prefix. */
const redisBackend: CoordinationBackend = {
  name: 'redis',
  async open () {
    const redis = await (server ??= RedisServer.start())
    // A busy machine must not look like a Redis that does not answer.
    const options = {
      url: redis.url,
      keyPrefix: `coordination${++prefixes}`,
      countPatienceMs: 10_000,
      onError: (error: unknown) => {
        process.emitWarning(String(error))
      }
    }
    const nodes = [await RedisCoordination.open(options), await RedisCoordination.open(options)] as const
    return { nodes, close: async () => { await Promise.all(nodes.map(node => node.close())) } }
  }
}

/** All backends: the suite runs over this list. */
export const coordinationBackends: readonly CoordinationBackend[] = [
  {
    name: 'memory',
    async open () {
      const coordination = new MemoryCoordination()
      return { nodes: [coordination, coordination], close: () => coordination.close() }
    }
  },
  {
    name: 'memory over a socket',
    async open () {
      const held = new MemoryLog({ channels: standardChannels, retention: AMPLE, maxTopics: 1 })
      const served = await serveLocally(held)
      const nodes = [(await served.join()).coordination, (await served.join()).coordination] as const
      return {
        nodes,
        async close () {
          await Promise.all(nodes.map(node => node.close()))
          await served.close()
        }
      }
    }
  },
  ...(redisProgram === undefined ? [] : [redisBackend])
]

/** Opens the coordination of two nodes; it is closed when the test ends. */
export async function openCoordinations (
  t: Test,
  backend: CoordinationBackend
): Promise<readonly [Coordination, Coordination]> {
  const { nodes, close } = await backend.open()
  t.teardown(close)
  return nodes
}
