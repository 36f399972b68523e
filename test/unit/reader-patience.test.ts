import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { test } from 'tap'
import type { Masters } from '../../src/log/redis/masters/masters.js'
import type { Scripts } from '../../src/log/redis/scripts/scripts.js'
import { Reader } from '../../src/log/redis/tail/reader.js'

/** Between two answers: less than a reader's patience, of which two are more. */
const SLOW_MS = 600

/** A reader of a server that answers one read after another, each after `SLOW_MS`, until it is stopped. */
function slowServer (): { readonly reader: Reader, readonly renewed: string[], stop (): void } {
  const renewed: string[] = []
  const redis = {} as Redis
  const masters = { of: () => redis, renew: (key: string) => { renewed.push(key) } } as unknown as Masters
  let turn: Promise<unknown> = Promise.resolve()
  let stopped = false
  const scripts = {
    run: async (_name: string, keys: readonly string[]) => {
      const own = turn = turn.then(() => delay(SLOW_MS))
      await own
      if (stopped) await new Promise(() => {})
      return keys[0]
    }
  } as unknown as Scripts
  return { reader: new Reader(masters, scripts, 1), renewed, stop: () => { stopped = true } }
}

test('reads of a server that is slow take their turn', async t => {
  const { reader, renewed } = slowServer()
  const keys = ['a', 'b', 'c', 'd']
  t.same(await Promise.all(keys.map(key => reader.run('read', [key], []))), keys)
  t.same(renewed, [], 'the connection stays')
})

test('reads of a server that answers nothing fail', async t => {
  const { reader, renewed, stop } = slowServer()
  t.equal(await reader.run('read', ['a'], []), 'a')
  stop()
  await t.rejects(reader.run('read', ['b'], []), { code: 'log_unavailable' })
  t.same(renewed, ['b'], 'and the connection is made anew')
})
