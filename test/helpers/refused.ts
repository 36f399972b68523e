import { connect, createServer } from 'node:net'
import type { Redis } from 'ioredis'
import type { Test } from 'tap'
import { runCommand } from './command.js'
import { listen } from './network.js'
import { RedisServer } from './redis-server.js'

/** What a start that cannot work is told: by the command itself, in one sentence and without a secret. */

/** A password that may stand in no message. */
export const SECRET = 'p4ssw0rd-of-a-test'

/** The commands that read the configuration; each is a process of its own, so most is asked of one. */
export const BOTH = ['start', 'check-config']

/** What commands are refused with: the same sentence. */
export async function refused (t: Test, what: string, env: Record<string, string>, sentence: RegExp, commands = ['check-config']): Promise<void> {
  const told = await Promise.all(commands.map(async command => {
    const { code, out, err } = await runCommand([command], { PORT: '0', SOURCES: 'none', ...env })
    t.equal(code, 1, `${what}: ${command} fails`)
    t.equal(out, '', `${what}: ${command} says nothing else`)
    t.match(err, sentence, `${what}: ${command}`)
    t.match(err, /^tickwire: (REDIS_URL|REDIS_KEY_PREFIX|LOG_SHARDS)\b[^\n]*\n$/, `${what}: one sentence that names the variable`)
    t.notMatch(err, SECRET, `${what}: no password`)
    return err
  }))
  t.equal(told.at(-1), told[0], `${what}: the same of both`)
}

/** Starts a Redis that is reached over TCP, as behind a URL with a password in it. */
export async function realRedis (
  t: Test,
  settings: readonly string[] = []
): Promise<{ redis: RedisServer, control: Redis, port: number }> {
  const redis = await RedisServer.start(settings)
  t.teardown(() => redis.close())
  const control = redis.client()
  t.teardown(() => { control.disconnect() })
  const port = await listen(t, createServer(client => {
    const upstream = connect(redis.url)
    for (const [socket, other] of [[client, upstream], [upstream, client]] as const) {
      socket.on('error', () => {})
      socket.on('close', () => { other.destroy() })
      socket.pipe(other)
    }
  }))
  return { redis, control, port }
}
