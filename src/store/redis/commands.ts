import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'

/** A script of this folder as a command of a connection: one round trip. */
export function scriptCommand<Answer> (redis: Redis, name: string, keys: number): (...args: Array<string | number>) => Promise<Answer> {
  const lua = readFileSync(new URL(`${name}.lua`, import.meta.url), 'utf8')
  redis.defineCommand(`tickwire_${name}`, { lua, numberOfKeys: keys })
  // A server that does not know it yet would be told in a second round trip.
  const load = (): void => { redis.script('LOAD', lua).catch(() => {}) }
  if (redis.status === 'ready') load()
  redis.on('ready', load)
  return (redis as unknown as Record<string, (...args: Array<string | number>) => Promise<Answer>>)[`tickwire_${name}`]!.bind(redis)
}
