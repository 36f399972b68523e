import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import type { Masters } from '../../log/redis/masters/masters.js'

/** The methods that `defineCommand` adds to a connection. */
type Commands = Record<string, (...args: Array<string | number>) => Promise<unknown>>

/**
 * Makes a command of a script in this folder: one round trip to the master of its first key. The client
 * library sends the script along with its first use on a connection.
 * @param keys how many of its arguments are keys; all must be of one slot
 */
export function scriptCommand<Answer> (
  masters: Masters,
  name: string,
  keys: number
): (key: string, ...args: Array<string | number>) => Promise<Answer> {
  const lua = readFileSync(new URL(`${name}.lua`, import.meta.url), 'utf8')
  const command = `tickwire_${name}`
  masters.each(redis => { redis.defineCommand(command, { lua, numberOfKeys: keys }) })
  return async (key, ...args) => await masters.send(key, async (redis: Redis) => {
    return await (redis as unknown as Commands)[command]!(key, ...args) as Answer
  })
}
