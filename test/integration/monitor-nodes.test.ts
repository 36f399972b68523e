import type { MonitorFigures } from '@tickwire/protocol'
import { test } from 'tap'
import { NodeProcess } from '../fleet/node-process.js'
import { askJson } from '../helpers/ask-json.js'
import { type Message, openClient, until } from '../helpers/clients.js'
import { eventually } from '../helpers/eventually.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { SECRET, startServer } from '../helpers/server.js'

const options = { skip: redisProgram === undefined ? 'there is no Redis' : false } as const

/** The monitor of two servers on one Redis, one of which stops answering. */
test('shows connections and figures of all servers, and names one that does not answer', options, async t => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  const server = await startServer(t, { REDIS_URL: redis.url, NODE_NAME: 'near', BROKER: 'none' })
  const env = { REDIS_URL: redis.url, JWT_SECRET: SECRET, SOURCES: 'none', BARS: 'none', BROKER: 'none', UNKNOWN_SYMBOLS: 'accept', NODE_NAME: 'far' }
  const far = await NodeProcess.create('far', env)
  t.teardown(() => far.close())
  await far.start()
  const token = server.token({ sub: 'alice' })
  const open = (
    origin: string, query: string, onMessage: (message: Message) => void = () => {}
  ): { cut (): void } => {
    const client = openClient('ws-json', origin, query, undefined, { onMessage, onCursor: () => {} })
    t.teardown(() => { client.cut() })
    return client
  }
  const ask = async (path: string): Promise<Record<string, unknown>> => (await askJson(server, 'GET', path, undefined, { admin: true })).body
  open(far.origin, `subscribe=orders&token=${token}`)
  await eventually('one is there', async () => (await ask('/v1/admin/connections'))['total'] === 1)
  open(server.origin, 'subscribe=news')
  await eventually('both are seen', async () => (await ask('/v1/admin/connections'))['total'] === 2)
  const both = await ask('/v1/admin/connections?sort=connected_at')
  t.match(both, {
    complete: true,
    missing: [],
    connections: [{ name: 'far', user_id: 'alice', transport: 'websocket', selectors: 1, unacknowledged: 0 }, { name: 'near', user_id: null, unacknowledged: null }]
  })
  t.match(await ask('/v1/admin/connections?node=far&limit=1'), { total: 1, connections: [{ name: 'far' }] })
  const [{ connection_id: id }] = both['connections'] as [{ connection_id: string }]
  t.match(await ask(`/v1/admin/connections/${id}`), { name: 'far', subscriptions: [{ channel: 'orders' }], events: [{ event: 'connect' }, { event: 'authenticate', user_id: 'alice' }, { event: 'subscribe' }] })

  const { log } = server.parts
  t.equal((await log.read('monitor', { sequence: 0 }, 1)).last, undefined, 'nobody has looked')
  const figures: MonitorFigures[] = []
  const operator = open(far.origin, `subscribe=monitor&token=${server.token({ admin: true })}`, message => {
    if (message.type === 'monitor') figures.push(message.data as MonitorFigures)
  })
  await until('both say how they are', () => figures.some(({ name }) => name === 'near') && figures.some(({ name }) => name === 'far'))
  t.match(figures.find(({ name }) => name === 'near'), { log: { kind: 'redis', available: true }, redis: { available: true }, transports: [{ transport: 'websocket', connections: 1 }], store: { state: 'none' } })
  operator.cut()

  far.signal('SIGSTOP')
  const without = await ask('/v1/admin/connections')
  t.match(without, { total: 1, complete: false, missing: [{ name: 'far' }], connections: [{ name: 'near' }] })
  t.match(await askJson(server, 'GET', `/v1/admin/connections/${id}`, undefined, { admin: true }), { status: 503, body: { code: 'log_unavailable', message: 'these servers did not answer: far' } })
  far.signal('SIGCONT')

  await redis.close()
  await eventually('only this server can be asked', async () => {
    const alone = await ask('/v1/admin/connections')
    return alone['complete'] === false && alone['total'] === 1 && (alone['missing'] as object[]).length === 0
  })
})
