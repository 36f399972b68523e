import type { Test } from 'tap'
import { MemoryCoordination } from '../../src/coordination/memory/memory-coordination.js'
import { RedisCoordination } from '../../src/coordination/redis/redis-coordination.js'
import type { Coordination } from '../../src/coordination/coordination.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'

/** What two nodes of one deployment have; where there can be only one node, both are the same object. */
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

/** One Redis for all pairs of a process, each pair with a prefix of its own. */
const redisBackend: CoordinationBackend = {
  name: 'redis',
  async open () {
    const redis = await (server ??= RedisServer.start())
    // A machine that is held up is no Redis that does not answer.
    const options = { url: redis.url, keyPrefix: `coordination${++prefixes}`, countPatienceMs: 10_000, onError: (error: unknown) => { process.emitWarning(String(error)) } }
    const nodes = [await RedisCoordination.open(options), await RedisCoordination.open(options)] as const
    return { nodes, close: async () => { await Promise.all(nodes.map(node => node.close())) } }
  }
}

/** Every backend there is: the suite walks this list. */
export const coordinationBackends: readonly CoordinationBackend[] = [
  {
    name: 'memory',
    async open () {
      const coordination = new MemoryCoordination()
      return { nodes: [coordination, coordination], close: () => coordination.close() }
    }
  },
  ...(redisProgram === undefined ? [] : [redisBackend])
]

/** Opens what two nodes have, until the test ends. */
export async function openCoordinations (t: Test, backend: CoordinationBackend): Promise<readonly [Coordination, Coordination]> {
  const { nodes, close } = await backend.open()
  t.teardown(close)
  return nodes
}
