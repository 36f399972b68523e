import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import {
  type Client,
  type Message,
  openClient,
  openWebSocket,
  RuleFollower,
  type TransportName,
  until
} from '../helpers/clients.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { publish, startServer, subscribers, type TestServer } from '../helpers/server.js'

/**
 * A Redis that answers nothing for a while: live clients stay and are told, nothing is lost, and everything
 * goes on by itself.
 */
const options = { skip: redisProgram === undefined ? 'there is no Redis' : false } as const

const trade = (node: TestServer, price: number): Promise<void> =>
  publish(node.app, 'trades', 'A', {
    symbol: 'A',
    price: String(price),
    size: '1',
    timestamp: '2026-01-01T00:00:00Z'
  })
const prices = ({ accepted }: RuleFollower): number[] =>
  accepted
    .filter(({ channel }) => channel === 'trades')
    .map(({ data }) => Number((data as { price: string }).price))
const notice = ({ data, sequence, snapshot }: Message): string => {
  return `${(data as { level: string }).level} ${sequence}${snapshot === true ? '' : ' of the log'}`
}

for (const kind of ['stopped', 'ended'] as const) {
  test(`keeps live clients and loses nothing while Redis is ${kind} for a while`, options, async t => {
    const redis = await RedisServer.start()
    t.teardown(() => redis.close())
    const node = await startServer(t, { REDIS_URL: redis.url })
    const followers = new Map<TransportName, RuleFollower>()
    const notices = new Map<RuleFollower, string[]>()
    const clients: Client[] = []
    let ended = 0
    for (const transport of ['ws-json', 'ws-batch', 'sse'] as const) {
      const follower = new RuleFollower()
      const told: string[] = []
      followers.set(transport, follower)
      notices.set(follower, told)
      const client = openClient(transport, node.origin, 'subscribe=trades:*&subscribe=system', undefined, {
        onMessage: message => {
          follower.take(message)
          if (message.type === 'system') told.push(notice(message))
        },
        onCursor: () => {}
      })
      void client.ended.then(() => { ended++ })
      clients.push(client)
    }
    t.teardown(() => { for (const client of clients) client.cut() })
    const all = (holds: (follower: RuleFollower) => boolean) => (): boolean =>
      [...followers.values()].every(holds)
    await until('all are there', () => ['trades:A', 'system'].every(topic => subscribers(node, topic) === 3))
    await publish(node.app, 'quotes', 'A', { symbol: 'A', last: '1' })
    await publish(node.app, 'system', undefined, { level: 'info', message: 'open' })
    for (let price = 1; price <= 5; price++) await trade(node, price)
    await until('all have the first messages', all(follower => prices(follower).length === 5))

    if (kind === 'stopped') process.kill(redis.pid, 'SIGSTOP')
    else await redis.kill()
    // A stream begins before anybody knows that Redis is away, and ends when it cannot go on. Where the
    // connection to Redis ended, the server may know that already.
    const begun: Message[] = []
    let refused: string | undefined
    const early = openWebSocket(node.origin, 'subscribe=quotes:A', 'tickwire.v1.json', {
      onMessage: message => {
        begun.push(message)
      },
      onCursor: () => {},
      onRefused: reason => { refused = reason }
    })
    const closed = new Promise(resolve => { early.socket.once('close', resolve) })
    const publishing = Array.from({ length: 2000 }, (_, n) =>
      trade(node, 1000 + n).then(() => 'taken', (error: { code?: string }) => error.code))
    const refusals = await Promise.all(publishing)
    t.same([...new Set(refusals)], ['log_unavailable'], 'everything published is refused')
    const code = await closed
    if (kind === 'ended' && refused !== undefined) t.match(refused, /^503: .*"log_unavailable"/)
    else {
      t.equal(code, 4503)
      t.match(begun.at(-1), {
        type: 'closing',
        code: 'log_unavailable',
        reason: 'the log cannot be reached now',
        retry_after_ms: Number
      })
    }
    await until(
      'all subscribers of system are told',
      all(follower => notices.get(follower)!.at(-1) === 'warning 1')
    )
    t.equal(ended, 0, 'they stay')

    const stream = await fetch(`${node.origin}/v1/stream?subscribe=trades:*`)
    t.match(
      { status: stream.status, body: await stream.json(), retry: stream.headers.get('retry-after') },
      { status: 503, body: { code: 'log_unavailable' }, retry: '1' }
    )
    t.match(await (await fetch(`${node.origin}/metrics`)).text(), /^tickwire_log_available 0$/m)
    const posted = await fetch(`${node.origin}/v1/publish`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${node.token()}` },
      body: JSON.stringify({
        channel: 'trades',
        symbol: 'A',
        data: { symbol: 'A', price: '1', size: '1', timestamp: '2026-01-01T00:00:00Z' }
      })
    })
    t.match(
      { status: posted.status, body: await posted.json() },
      { status: 503, body: { code: 'log_unavailable' } }
    )
    const answers: Message[] = []
    const subscriber = openWebSocket(node.origin, '', 'tickwire.v1.json', {
      onMessage: message => {
        answers.push(message)
      },
      onCursor: () => {}
    })
    await once(subscriber.socket, 'open')
    subscriber.send({ action: 'subscribe', id: 1, channel: 'quotes', symbols: ['A'] })
    await until('a subscribe is answered', () => answers.some(({ type }) => type === 'error'))
    t.match(
      answers.find(({ type }) => type === 'error'),
      { id: 1, code: 'log_unavailable', retry_after_ms: 1000 }
    )

    if (kind === 'stopped') process.kill(redis.pid, 'SIGCONT')
    else await redis.start()
    for (let price = 6; price <= 10;) {
      if (await trade(node, price).then(() => true, () => false)) price++
      else await delay(20)
    }
    await until('all have the last message', all(follower => prices(follower).at(-1) === 10))
    const isBack = (text: string): boolean => text.startsWith('info ') && !text.endsWith('log')
    await until('all are told', all(follower => notices.get(follower)!.some(isBack)))
    subscriber.send({ action: 'subscribe', id: 2, channel: 'quotes', symbols: ['A'] })
    await until('a subscribe is granted', () =>
      answers.some(({ type, id }) => type === 'subscribed' && id === 2)
    )
    subscriber.cut()
    t.equal(ended, 0)
    for (const [transport, follower] of followers) {
      // A stopped Redis may have taken messages whose answer nobody heard; one that ended empty has lost the
      // earlier ones.
      const own = prices(follower).filter(price => price < 1000)
      t.same(own, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], `${transport}: each once, in order`)
      t.same(follower.gaps, [])
      t.same(
        follower.resets.map(({ channel, reason }) => `${channel} ${String(reason)}`).sort(),
        kind === 'stopped' ? [] : ['system epoch_changed', 'trades epoch_changed']
      )
      t.same(notices.get(follower), [
        'info 1 of the log',
        'warning 1',
        kind === 'stopped' ? 'info 1' : 'info 0'
      ])
    }
  })
}
