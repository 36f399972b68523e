import type { Redis } from 'ioredis'
import type { NodeRegistry } from '../node-registry.js'
import { attempt } from './attempt.js'
import { scriptCommand } from './commands.js'
import type { StoreKeys } from './keys.js'

/** The nodes that share a Redis, by its clock. */
export class RedisNodeRegistry implements NodeRegistry {
  private readonly command: (...args: Array<string | number>) => Promise<string[]>

  constructor (redis: Redis, private readonly keys: StoreKeys) {
    this.command = scriptCommand(redis, 'nodes', 1)
  }

  async register (node: string, text: string, forMs: number): Promise<void> {
    await attempt(() => this.command(this.keys.nodes, 'register', node, text, forMs))
  }

  async unregister (node: string): Promise<void> {
    await attempt(() => this.command(this.keys.nodes, 'unregister', node, '', 0))
  }

  async nodes (): Promise<ReadonlyMap<string, string>> {
    const fields = await attempt(() => this.command(this.keys.nodes, 'list', '', '', 0))
    return new Map(Array.from({ length: fields.length / 2 }, (_, index) => [fields[2 * index]!, fields[2 * index + 1]!]))
  }
}
