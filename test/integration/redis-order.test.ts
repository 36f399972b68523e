import { test } from 'tap'
import { openRedisLog } from '../helpers/redis-log.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'

/**
 * Two batches of a server are under way at once. The second is never appended before the first, whatever
 * happens to that.
 */
const options = { skip: redisProgram === undefined ? 'there is no Redis' : false } as const

/** More than one batch takes, and no more than two take. */
const ITEMS = 800

type Send = (key: string, command: unknown) => Promise<unknown>

const REFUSALS: ReadonlyArray<
  readonly [why: string, passes: boolean, refuse: (send: () => Promise<unknown>) => Promise<unknown>]
> = [
  [
    'Redis has forgotten the script',
    true,
    async () => {
      throw new Error('NOSCRIPT No matching script')
    }
  ],
  [
    'its connection ended before it was sent',
    true,
    async () => {
      throw new Error('Connection is closed.')
    }
  ],
  [
    'its connection ended before it was answered',
    true,
    async send => {
      await send()
      throw new Error('Connection is closed.')
    }
  ],
  [
    'Redis refuses it for good',
    false,
    async () => {
      throw new Error('OOM command not allowed')
    }
  ]
]

for (const [why, passes, refuse] of REFUSALS) {
  test(`never appends a second batch before the first if ${why}`, options, async t => {
    const redis = await RedisServer.start()
    t.teardown(() => redis.close())
    const log = await openRedisLog(t, redis, { maxTopics: 100 })
    const { writer } = (log as unknown as { connections: { writer: { send: Send } } }).connections
    const send = writer.send.bind(writer) as Send
    const item = (n: number): { topic: string, payload: string } => ({
      topic: 'trades:A',
      payload: String(n)
    })
    await log.append([item(0)])
    let sent = 0
    writer.send = (...given) => ++sent === 1 ? refuse(() => send(...given)) : send(...given)
    const results = await log
      .append(Array.from({ length: ITEMS }, (_, index) => item(index + 1)))
      .catch((error: unknown) => error)
    t.ok(sent >= 2, `${sent} batches were sent`)
    writer.send = send
    const page = (await log.read('trades:A', { sequence: 0 }, 2 * ITEMS)).entries.map(({ payload }) =>
      Number(payload)
    )
    if (passes) {
      t.ok(
        Array.isArray(results) && results.every(result => 'sequence' in (result as object)),
        'all are taken'
      )
      t.same(page, Array.from({ length: ITEMS + 1 }, (_, index) => index), 'all of them, once and in order')
      return
    }
    // The refused batch was not appended, nor what followed it in the same call.
    t.same(page, [0])
    t.match(results, { code: 'log_unavailable' })
  })
}
