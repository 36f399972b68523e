import { setTimeout as delay } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { type Message, openClient, openWebSocket, until } from '../helpers/clients.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { startServer, type TestServer } from '../helpers/server.js'

/** `POST /v1/admin/disconnect`, asked of one node for connections on any node. */
const options = { skip: redisProgram === undefined ? 'there is no Redis' : false } as const

async function twoNodes (t: Test): Promise<{ redis: RedisServer, nodes: [TestServer, TestServer] }> {
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  return {
    redis,
    nodes: [await startServer(t, { REDIS_URL: redis.url }), await startServer(t, { REDIS_URL: redis.url })]
  }
}

async function disconnect (node: TestServer, body: unknown): Promise<Response> {
  return await fetch(`${node.origin}/v1/admin/disconnect`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { authorization: `Bearer ${node.token({ admin: true })}`, 'content-type': 'application/json' }
  })
}

interface Watched {
  readonly messages: Message[]
  readonly ended: Promise<void>
}

function watch (t: Test, transport: 'sse' | 'ws-json', node: TestServer, user: string): Watched {
  const messages: Message[] = []
  const client = openClient(
    transport,
    node.origin,
    `subscribe=news&token=${node.token({ sub: user })}`,
    undefined,
    {
      onMessage: message => {
        messages.push(message)
      },
      onCursor: () => {}
    }
  )
  t.teardown(() => { client.cut() })
  return { messages, ended: client.ended }
}

/** Holds a poll under an id. */
const holdPoll = async (node: TestServer, id: string, user: string): Promise<Response> =>
  await fetch(`${node.origin}/v1/stream?subscribe=news&wait=20`, {
    headers: { 'x-request-id': id, authorization: `Bearer ${node.token({ sub: user })}` }
  })

const active = (nodes: readonly TestServer[]): number[] => nodes.map(({ parts }) => parts.connections.active)
const isSubscribed = ({ messages }: Watched): boolean => messages.some(({ type }) => type === 'subscribed')

test('closes all connections of a user, on both nodes and every transport, whichever node is asked', options, async t => {
  const { nodes } = await twoNodes(t)
  for (const asked of nodes) {
    const ending = nodes.flatMap(node => [watch(t, 'sse', node, 'bob'), watch(t, 'ws-json', node, 'bob')])
    const staying = nodes.map(node => watch(t, 'ws-json', node, 'alice'))
    const polls = nodes.map((node, index) => holdPoll(node, `poll-${index}`, 'bob'))
    const texts: Message[] = []
    const late = openWebSocket(nodes[1].origin, '', 'tickwire.v1.json', {
      onMessage: message => {
        texts.push(message)
      },
      onCursor: () => {}
    })
    await until('it is open', () => texts.length > 0)
    late.send({ action: 'auth', token: nodes[1].token({ sub: 'bob' }) })
    const isOpen = (): boolean =>
      [...ending, ...staying].every(isSubscribed) && texts.some(({ type }) => type === 'authenticated')
    await until('all are there', () => isOpen() && active(nodes).join() === '4,5')

    t.equal((await disconnect(asked, { user_id: 'bob' })).status, 204)
    await Promise.all([...ending.map(({ ended }) => ended), late.ended])
    for (const { messages } of [...ending, { messages: texts }]) {
      t.match(messages.at(-1), {
        type: 'closing',
        code: 'going_away',
        reason: 'an operator closed the connection',
        retry_after_ms: Number
      })
    }
    for (const poll of polls) {
      t.match(await (await poll).json(), { type: 'error', code: 'going_away', retry_after_ms: Number })
    }
    await until('only the others are left', () => active(nodes).join() === '1,1')
    for (const { messages } of staying) t.equal(messages.some(({ type }) => type === 'closing'), false)
    const isOfAlice = ({ parts }: TestServer): boolean =>
      parts.connections.registry.all().every(({ identity }) => identity.user === 'alice')
    await until('no connection of bob is registered', () => nodes.every(isOfAlice))
    t.equal((await disconnect(asked, { user_id: 'bob' })).status, 404)
    t.equal((await disconnect(asked, { user_id: 'alice' })).status, 204)
    await Promise.all(staying.map(({ ended }) => ended))
    await until('nobody is left', () => active(nodes).join() === '0,0')
  }
})

test('closes one connection by its id, on the node where it is', options, async t => {
  const { nodes } = await twoNodes(t)
  const [here, there] = [watch(t, 'ws-json', nodes[0], 'bob'), watch(t, 'ws-json', nodes[1], 'bob')]
  const poll = holdPoll(nodes[1], 'poll-of-bob', 'bob')
  await until(
    'all are there',
    () => isSubscribed(here) && isSubscribed(there) && active(nodes).join() === '1,2'
  )
  t.equal((await disconnect(nodes[0], { connection_id: there.messages[0]!['connection_id'] })).status, 204)
  await there.ended
  t.match(there.messages.at(-1), { type: 'closing', code: 'going_away' })
  t.equal((await disconnect(nodes[0], { connection_id: there.messages[0]!['connection_id'] })).status, 404)
  t.equal((await disconnect(nodes[0], { connection_id: 'poll-of-bob' })).status, 204)
  t.equal((await poll).status, 503)
  await until('only the other is left', () => active(nodes).join() === '1,0')
})

test('closes the connections of its own node and says so if it cannot ask the others', options, async t => {
  const { redis, nodes } = await twoNodes(t)
  const [here, there] = [watch(t, 'ws-json', nodes[0], 'bob'), watch(t, 'ws-json', nodes[1], 'bob')]
  await until('both are there', () => isSubscribed(here) && isSubscribed(there))
  await redis.kill()
  const answer = await disconnect(nodes[0], { user_id: 'bob' })
  t.equal(answer.status, 503)
  t.equal(answer.headers.get('retry-after'), '1')
  t.match(await answer.json(), {
    code: 'log_unavailable',
    message: 'only this server could be asked: the others cannot be reached now',
    retry_after_ms: 1000
  })
  await here.ended
  await until('only the other is left', () => active(nodes).join() === '0,1')
  await redis.start()
  // The other server may close the connection, and answer too late to say so.
  const closed = new AbortController()
  void there.ended.then(() => { closed.abort() })
  for (let status = 503; status !== 204 && !closed.signal.aborted; await delay(20)) {
    status = (await disconnect(nodes[0], { user_id: 'bob' })).status
  }
  await there.ended
})
