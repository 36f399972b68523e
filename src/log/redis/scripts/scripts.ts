import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Masters } from '../masters/masters.js'

const text = (name: string): string => readFileSync(new URL(`${name}.lua`, import.meta.url), 'utf8')

export type ReadScript = 'read' | 'head' | 'state' | 'snapshot' | 'trim' | 'fence'
type ScriptName = ReadScript | 'append'

/**
 * The scripts of the log, each one round trip. A script is sent whole the first time that it is run for a shard, and again where
 * its master does not know it: a new one, or one that was told to forget.
 */
export class Scripts {
  private readonly scripts = new Map<ScriptName, { readonly lua: string, readonly sha: string }>()
  /** Scripts and shards of which the master knows the script. */
  private readonly known = new Set<string>()

  constructor (private readonly masters: Masters, names: readonly ScriptName[]) {
    const epoch = text('epoch')
    for (const name of names) {
      const lua = epoch + text(name)
      this.scripts.set(name, { lua, sha: createHash('sha1').update(lua).digest('hex') })
    }
  }

  /**
   * @param keys of one shard; the first is the same for all scripts of the shard
   * @throws NOSCRIPT: the next call for the shard sends the script along. It is not sent again here: what was sent behind it may
   * have been done, and whoever sent it knows whether their order matters.
   */
  async run (name: ScriptName, keys: readonly string[], args: ReadonlyArray<string | number>): Promise<unknown> {
    const { lua, sha } = this.scripts.get(name)!
    const [key] = keys
    const use = `${name} ${key}`
    const isKnown = this.known.has(use)
    this.known.add(use)
    try {
      return await this.masters.send(key!, redis => isKnown ? redis.evalsha(sha, keys.length, ...keys, ...args) : redis.eval(lua, keys.length, ...keys, ...args))
    } catch (error) {
      if (!isKnown || /^NOSCRIPT/.test(String((error as Error).message))) this.known.delete(use)
      throw error
    }
  }
}
