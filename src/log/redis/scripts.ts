import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'

const text = (name: string): string => readFileSync(new URL(`${name}.lua`, import.meta.url), 'utf8')

export type ReadScript = 'read' | 'head' | 'state' | 'snapshot' | 'trim' | 'fence'
type ScriptName = ReadScript | 'append'

type Command = (keys: number, ...args: Array<string | number>) => Promise<unknown>

/** The scripts of the log on one connection, each one round trip. */
export class Scripts {
  private readonly commands = new Map<ScriptName, Command>()

  constructor (redis: Redis, names: readonly ScriptName[]) {
    const epoch = text('epoch')
    for (const name of names) {
      const lua = epoch + text(name)
      redis.defineCommand(`tickwire_${name}`, { lua })
      this.commands.set(name, (redis as unknown as Record<string, Command>)[`tickwire_${name}`]!.bind(redis))
      // A server that does not know it yet would be told in a second round trip, and what was sent behind it go first.
      redis.on('ready', () => { redis.script('LOAD', lua).catch(() => {}) })
    }
  }

  async run (name: ScriptName, keys: readonly string[], args: ReadonlyArray<string | number>): Promise<unknown> {
    return await this.commands.get(name)!(keys.length, ...keys, ...args)
  }
}
