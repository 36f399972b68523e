import { decodeEpoch, encodeEpoch } from '@tickwire/protocol'
import { type Test, test } from 'tap'
import type { Config } from '../../src/config.js'
import { type Message, openClient, openWebSocket, RuleFollower, transportNames, until } from '../helpers/clients.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { passedOn, startServer, type TestServer } from '../helpers/server.js'

/** PROTOCOL.md, Acknowledged channels, over every transport and on both logs. */

interface Nodes {
  readonly nodes: readonly [TestServer, TestServer]
}

type Setting = readonly [name: string, start: (t: Test, config?: Partial<Config>) => Promise<Nodes>]

const settings: readonly Setting[] = [
  ['a log in memory', async (t, config) => {
    const node = await startServer(t, { LOG_SHARDS: 2, ...config })
    return { nodes: [node, node] }
  }],
  ...redisProgram === undefined
    ? []
    : [['two nodes on a Redis', async (t: Test, config?: Partial<Config>) => {
        const redis = await RedisServer.start()
        t.teardown(() => redis.close())
        const shared = { REDIS_URL: redis.url, LOG_SHARDS: 2, ...config }
        return { nodes: [await startServer(t, shared), await startServer(t, shared)] }
      }] as Setting]
]

async function alert (node: TestServer, user: string, count = 1): Promise<void> {
  const items = Array.from({ length: count }, (_, n) => ({
    channel: 'alerts', user, data: { alert_id: `a${n}`, type: 'price', message: 'm', triggered_at: '2026-01-01T00:00:00Z' }
  }))
  const results = await node.parts.publisher.publishOwn(items)
  for (const result of results) if ('code' in result) throw new Error(result.message)
}

/** Asks over HTTP. */
async function ask (
  node: TestServer, path: string, { claims = {}, body }: { claims?: object, body?: unknown } = {}
): Promise<{ status: number, body: Record<string, unknown> }> {
  const response = await fetch(`${node.origin}${path}`, {
    ...(body === undefined ? {} : { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) }),
    headers: {
      authorization: `Bearer ${node.token({ ...claims })}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' })
    }
  })
  return { status: response.status, body: await response.json() as Record<string, unknown> }
}

const ack = (
  node: TestServer, sequence: number, more: object = {}, claims: object = {}
): ReturnType<typeof ask> =>
  ask(node, '/v1/ack', { body: { channel: 'alerts', sequence, ...more }, claims })

/** Subscribes, and returns the sequences of what came before the marker that is published then. */
async function read (
  t: Test, node: TestServer, transport: typeof transportNames[number], query: string, after?: string
): Promise<{ sequences: number[], follower: RuleFollower, cursor: string }> {
  const follower = new RuleFollower()
  let cursor = ''
  const wanted = `subscribe=${query}&subscribe=news&token=${node.token()}`
  const client = openClient(transport, node.origin, wanted, after, {
    onMessage: message => { follower.take(message) },
    onCursor: text => { cursor = text }
  })
  await until('the client is live', () => cursor !== '')
  const headline = `marker ${Math.random()}`
  const marker = { headline, source: 't', symbols: [], timestamp: '2026-01-01T00:00:00Z' }
  await node.parts.publisher.publishOwn([{ channel: 'news', data: marker }])
  await until('the marker has come', () => follower.accepted.some(({ data }) => (data as { headline?: string }).headline === headline))
  client.cut()
  await client.ended
  t.same(follower.gaps, [])
  const channel = query.split(';')[0]
  const sequences = follower.accepted
    .filter(message => message.channel === channel)
    .map(({ sequence }) => sequence!)
  return { sequences, follower, cursor }
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, n) => from + n)

for (const [name, start] of settings) {
  const suite = (title: string, body: (t: Test, nodes: Nodes['nodes']) => Promise<void>): void => {
    void test(`${name}: ${title}`, async t => {
      const { nodes } = await start(t)
      await body(t, nodes)
    })
  }

  for (const transport of transportNames) {
    suite(`begins behind what was acknowledged, over ${transport}`, async (t, [one, other]) => {
      await alert(one, 'alice', 5)
      await passedOn(other)
      const first = await read(t, other, transport, 'alerts')
      t.same(first.sequences, range(1, 5), 'nothing is acknowledged yet')
      t.same((await ack(one, 3)).body, { type: 'acknowledged', channel: 'alerts', sequence: 3 })
      t.same((await read(t, other, transport, 'alerts')).sequences, [4, 5])
      t.same((await read(t, other, transport, 'alerts;last=4')).sequences, range(2, 5), 'last may begin earlier')
      t.same((await read(t, other, transport, 'alerts;last=1')).sequences, [4, 5], 'but leaves out nothing')
      t.same((await read(t, other, transport, 'alerts', first.cursor)).sequences, [], 'with a cursor, the cursor alone counts')
      await alert(one, 'alice', 2)
      await passedOn(other)
      t.same((await read(t, other, transport, 'alerts', first.cursor)).sequences, [6, 7])
      t.same((await read(t, other, transport, 'alerts')).sequences, range(4, 7))
    })
  }

  suite('acknowledges over a WebSocket, for all connections of the user', async (t, [one, other]) => {
    await alert(one, 'alice', 4)
    await alert(one, 'bob', 4)
    await passedOn(other)
    const messages: Message[] = []
    const client = openWebSocket(other.origin, `token=${other.token()}`, 'tickwire.v1.json', {
      onMessage: message => { messages.push(message) },
      onCursor: () => {}
    })
    t.teardown(() => { client.cut() })
    await until('it is open', () => client.socket.readyState === 1)
    const answer = async (message: object): Promise<Message> => {
      const id = messages.length + 1
      client.send({ action: 'ack', id, ...message })
      await until('it is answered', () => messages.some(other => other['id'] === id))
      return messages.find(other => other['id'] === id)!
    }
    t.match(await answer({ channel: 'alerts', sequence: 2 }), { type: 'acknowledged', channel: 'alerts', sequence: 2 })
    t.match(await answer({ channel: 'alerts', sequence: 1 }), { type: 'acknowledged', sequence: 2 }, 'a lower one changes nothing')
    t.match(await answer({ channel: 'alerts', sequence: 0 }), { type: 'acknowledged', sequence: 2 })
    t.match(await answer({ channel: 'alerts', sequence: 5 }), { type: 'error', code: 'invalid_message', message: /the last message has the sequence 4/ })
    t.match(await answer({ channel: 'orders', sequence: 1 }), { type: 'error', code: 'invalid_message' }, 'a channel without messages')
    t.match(await answer({ channel: 'quotes', sequence: 1 }), { type: 'error', code: 'invalid_message', message: /alerts/ })
    t.match(await answer({ channel: 'accounts', sequence: 1 }), { type: 'error', code: 'unknown_channel' })
    t.match(await answer({ channel: 'alerts', sequence: -1 }), { type: 'error', code: 'invalid_message' })
    t.match(await answer({ channel: 'alerts', sequence: 3, epoch: 'nonsense!' }), { type: 'error', code: 'invalid_message' })
    t.same((await read(t, one, 'ws-json', 'alerts')).sequences, [3, 4])
    const bob = await ask(one, '/v1/unacknowledged', { claims: { sub: 'bob' } })
    t.match(bob.body, { channels: [{ channel: 'orders' }, { channel: 'alerts', acknowledged: 0, open: 4 }] }, 'of that user alone')
  })

  void test(`${name}: a poll gives no past of other channels beside what is open`, async t => {
    const { nodes: [one, other] } = await start(t, { LOG_SHARDS: 1 })
    const news = async (count: number): Promise<void> => {
      const data = { headline: 'h', source: 't', symbols: [], timestamp: '2026-01-01T00:00:00Z' }
      await one.parts.publisher.publishOwn(Array.from({ length: count }, () => ({ channel: 'news', data })))
    }
    await alert(one, 'alice', 3)
    await news(50)
    await alert(one, 'alice', 3)
    await news(1)
    await passedOn(other)
    let cursor: unknown
    const poll = async (query = ''): Promise<{ got: string[], more: unknown }> => {
      const after = cursor === undefined ? '' : `&after=${String(cursor)}`
      const { body } = await ask(other, `/v1/stream?subscribe=alerts&subscribe=news&limit=2${after}${query}`)
      cursor = body['cursor']
      const messages = body['messages'] as Message[]
      const got = messages.map(({ type, channel, sequence }) =>
        type === 'reset' ? `reset ${channel}` : `${channel} ${sequence}`)
      return { got, more: body['more'] }
    }
    const open = range(1, 6).map(sequence => `alerts ${sequence}`)
    t.same(await poll(), { got: open, more: false })
    t.same(await poll(), { got: [], more: false })
    await news(3)
    await passedOn(other)
    t.same(await poll(), { got: ['news 52', 'news 53'], more: true }, 'then the limit holds again')
    t.same(await poll(), { got: ['news 54'], more: false })
  })

  suite('says what is open, and refuses who may not read', async (t, [one, other]) => {
    await alert(one, 'alice', 3)
    const { epoch, ...before } = (await ask(other, '/v1/unacknowledged')).body
    t.type(epoch, 'string')
    t.match(before['channels'], [
      { channel: 'orders', acknowledged: 0, last_sequence: 0, open: 0, lost: 0 },
      { channel: 'alerts', acknowledged: 0, last_sequence: 3, open: 3, lost: 0, open_since: /^2/ }
    ])
    t.match(await ack(other, 2, { epoch }), { status: 200, body: { sequence: 2 } })
    t.match((await ask(one, '/v1/unacknowledged')).body, { channels: [{}, { acknowledged: 2, open: 1 }] })
    t.match(await ack(one, 3, {}, { read: ['quotes:*'] }), { status: 403, body: { code: 'forbidden' } })
    t.same((await ask(one, '/v1/unacknowledged', { claims: { read: ['quotes:*', 'orders'] } })).body['channels'], [
      { channel: 'orders', acknowledged: 0, last_sequence: 0, open: 0, lost: 0 }
    ])
    t.match(await ack(one, 9), { status: 400, body: { code: 'invalid_message' } })
    t.match(await ask(one, '/v1/ack', { body: { channel: 'alerts' } }), { status: 400, body: { code: 'invalid_message', message: /'sequence'/ } })
    t.match(await ask(one, '/v1/ack', { body: '[1]' }), { status: 400, body: { code: 'invalid_message' } })
    t.match(await ask(one, '/v1/ack?x=1', { body: {} }), { status: 400, body: { code: 'bad_request' } })
    for (const path of ['/v1/ack', '/v1/unacknowledged']) {
      const method = path === '/v1/ack' ? 'POST' : 'GET'
      t.equal((await fetch(one.origin + path, { method })).status, 401)
    }
    const metrics = await (await fetch(`${other.origin}/metrics`)).text()
    t.match(metrics, /tickwire_acknowledgements_total\{channel="alerts"\} 1/)
    t.match(metrics, /tickwire_acknowledged_messages_total\{channel="alerts"\} 2/)
  })

  suite('keeps the highest of acknowledgements that come at once', async (t, [one, other]) => {
    await alert(one, 'alice', 40)
    await passedOn(other)
    const answers = await Promise.all(range(1, 40).map(n => ack(n % 2 === 0 ? one : other, n)))
    for (const [index, { status, body }] of answers.entries()) {
      // A log that is slow to answer may have taken it all the same.
      if (status === 503) continue
      t.equal(status, 200)
      t.ok(body['sequence'] as number > index)
    }
    t.match(await ack(one, 40), { status: 200, body: { sequence: 40 } })
    t.match((await ask(one, '/v1/unacknowledged')).body, { channels: [{}, { acknowledged: 40, open: 0 }] })
  })

  suite('resets a client whose unacknowledged messages the log has dropped', async (t, [one]) => {
    for (let n = 0; n < 6; n++) await alert(one, 'alice', 2000)
    const { channels } = (await ask(one, '/v1/unacknowledged')).body as { channels: Array<{ open: number, lost: number }> }
    const { open, lost } = channels[1]!
    t.equal(open + lost, 12_000)
    t.ok(open >= 10_000 && open < 10_200, `${open} are kept`)
    for (const transport of ['ws-json', 'poll'] as const) {
      const { sequences, follower } = await read(t, one, transport, 'alerts')
      t.same(follower.resets.map(({ channel, reason }) => [channel, reason]), [['alerts', 'history_lost']])
      t.same(sequences, range(lost + 1, 12_000))
    }
    t.match(await ack(one, lost - 1), { body: { sequence: 0 } }, 'of what was dropped, nothing can be acknowledged')
    t.match(await ack(one, 11_999), { body: { sequence: 11_999 } })
    t.same((await read(t, one, 'ws-json', 'alerts')).sequences, [12_000])
  })

  suite('refuses to acknowledge a message that the log has lost', async (t, [one]) => {
    await alert(one, 'alice', 2)
    const { epoch } = (await ask(one, '/v1/unacknowledged')).body
    const wrong = encodeEpoch(decodeEpoch(String(epoch))!.map(of => of === 1 ? 2 : 1))
    t.match(await ack(one, 2, { epoch: wrong }), { status: 400, body: { code: 'invalid_message' } })
    t.match(await ack(one, 2, { epoch }), { status: 200 })
  })
}

test('begins with everything after a restart of a log in memory', async t => {
  const { nodes: [node] } = await settings[0]![1](t)
  await alert(node, 'alice', 5)
  await ack(node, 5)
  const { log } = node.parts as unknown as { log: { restart (keep: number[]): void } }
  const heads = await node.parts.log.head()
  const shard = node.parts.log.shardOf('alerts@alice')
  const lost = heads.map(({ offset }, index) => index === shard ? offset - 3 : offset)
  log.restart(lost)
  await alert(node, 'alice', 2)
  await passedOn(node)
  t.same((await read(t, node, 'ws-json', 'alerts')).sequences, [3, 4])
  t.match((await ask(node, '/v1/unacknowledged')).body, { channels: [{}, { acknowledged: 2, open: 2 }] })
})
