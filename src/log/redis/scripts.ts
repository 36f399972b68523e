import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'

const read = (name: string): string => readFileSync(new URL(`${name}.lua`, import.meta.url), 'utf8')

const NAMES = ['append', 'read', 'head', 'state', 'snapshot'] as const
type Name = (typeof NAMES)[number]

/** The scripts of the log, each one round trip: loaded where a server does not know them yet. */
export class Scripts {
  private readonly commands: Readonly<Record<Name, (keys: number, ...args: Array<string | number>) => Promise<unknown>>>

  constructor (redis: Redis) {
    const epoch = read('epoch')
    for (const name of NAMES) redis.defineCommand(`tickwire_${name}`, { lua: epoch + read(name) })
    const defined = redis as unknown as Record<string, (keys: number, ...args: Array<string | number>) => Promise<unknown>>
    this.commands = Object.fromEntries(NAMES.map(name => [name, (keys: number, ...args: Array<string | number>) => defined[`tickwire_${name}`]!.call(redis, keys, ...args)])) as typeof this.commands
  }

  async run (name: Name, keys: readonly string[], args: ReadonlyArray<string | number>): Promise<unknown> {
    return await this.commands[name](keys.length, ...keys, ...args)
  }
}
