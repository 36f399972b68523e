import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Masters } from '../masters/masters.js'

const text = (name: string): string => readFileSync(new URL(`${name}.lua`, import.meta.url), 'utf8')

export type ReadScript = 'read' | 'find' | 'head' | 'state' | 'snapshot' | 'trim' | 'fence'
type ScriptName = ReadScript | 'append'

/**
 * The scripts of the log; each call is one round trip. The first call for a shard sends the whole script. So
 * does a call after its master did not know the script: a new master, or one that was told to flush its
 * scripts.
 */
export class Scripts {
  private readonly scripts = new Map<ScriptName, { readonly lua: string, readonly sha: string }>()
  /** `<script> <key>` for the shards whose master knows the script. */
  private readonly known = new Set<string>()

  constructor (private readonly masters: Masters, names: readonly ScriptName[]) {
    const epoch = text('epoch')
    for (const name of names) {
      const lua = epoch + text(name)
      this.scripts.set(name, { lua, sha: createHash('sha1').update(lua).digest('hex') })
    }
  }

  /**
   * Runs a script.
   * @param keys of one shard; the first is the same for all scripts of the shard
   * @throws NOSCRIPT if the master does not know the script; the next call for the shard sends the script
   * along. This call does not send it again: Redis may have run what was sent after it, and only the caller
   * knows whether their order matters.
   */
  async run (
    name: ScriptName,
    keys: readonly string[],
    args: ReadonlyArray<string | number>
  ): Promise<unknown> {
    const { lua, sha } = this.scripts.get(name)!
    const [key] = keys
    const use = `${name} ${key}`
    const isKnown = this.known.has(use)
    this.known.add(use)
    try {
      return await this.masters.send(key!, redis => isKnown
        ? redis.evalsha(sha, keys.length, ...keys, ...args)
        : redis.eval(lua, keys.length, ...keys, ...args))
    } catch (error) {
      if (!isKnown || /^NOSCRIPT/.test(String((error as Error).message))) this.known.delete(use)
      throw error
    }
  }
}
