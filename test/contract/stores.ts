import type { Test } from 'tap'
import { MemoryStore } from '../../src/store/memory/memory-store.js'
import { RedisStore } from '../../src/store/redis/redis-store.js'
import type { Store } from '../../src/store/store.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'

/** What two nodes of one deployment have; where there can be only one node, it is the same store twice. */
export interface OpenStores {
  readonly nodes: readonly [Store, Store]
  close (): Promise<void>
}

export interface StoreBackend {
  readonly name: string
  open (): Promise<OpenStores>
}

let server: Promise<RedisServer> | undefined
let prefixes = 0

/** One Redis for all stores of a process, each pair with a prefix of its own. */
const redisBackend: StoreBackend = {
  name: 'redis',
  async open () {
    const redis = await (server ??= RedisServer.start())
    // A machine that is held up is no Redis that does not answer.
    const options = { url: redis.url, keyPrefix: `store${++prefixes}`, countPatienceMs: 10_000, onError: (error: unknown) => { process.emitWarning(String(error)) } }
    const nodes = [await RedisStore.open(options), await RedisStore.open(options)] as const
    return { nodes, close: async () => { await Promise.all(nodes.map(node => node.close())) } }
  }
}

/** Every backend there is: the suite walks this list. */
export const storeBackends: readonly StoreBackend[] = [
  {
    name: 'memory',
    async open () {
      const store = new MemoryStore()
      return { nodes: [store, store], close: () => store.close() }
    }
  },
  ...(redisProgram === undefined ? [] : [redisBackend])
]

/** Opens what two nodes have, until the test ends. */
export async function openStores (t: Test, backend: StoreBackend): Promise<readonly [Store, Store]> {
  const { nodes, close } = await backend.open()
  t.teardown(close)
  return nodes
}
