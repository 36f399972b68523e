import type { Masters } from '../../log/redis/masters/masters.js'
import type { NodeRegistry } from '../node-registry.js'
import { attempt } from './attempt.js'
import { scriptCommand } from './commands.js'
import type { CoordinationKeys } from './keys.js'

/** The nodes of one Redis. Its clock decides when a record expires. */
export class RedisNodeRegistry implements NodeRegistry {
  private readonly command: (key: string, ...args: Array<string | number>) => Promise<string[]>

  constructor (masters: Masters, private readonly keys: CoordinationKeys) {
    this.command = scriptCommand(masters, 'nodes', 1)
  }

  async register (node: string, text: string, forMs: number): Promise<void> {
    await attempt(() => this.command(this.keys.nodes, 'register', node, text, forMs))
  }

  async unregister (node: string): Promise<void> {
    await attempt(() => this.command(this.keys.nodes, 'unregister', node, '', 0))
  }

  async nodes (): Promise<ReadonlyMap<string, string>> {
    const fields = await attempt(() => this.command(this.keys.nodes, 'list', '', '', 0))
    const records = new Map<string, string>()
    for (let at = 0; at < fields.length; at += 2) records.set(fields[at]!, fields[at + 1]!)
    return records
  }
}
