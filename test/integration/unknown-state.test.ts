import { test } from 'tap'
import { type Message, openClient, RuleFollower, transportNames, until } from '../helpers/clients.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { publish, startServer, subscribers, type TestServer } from '../helpers/server.js'

/** A topic whose state the log has lost: its stream and its kept state are gone, as after their expiry. */
const options = { skip: redisProgram === undefined ? 'there is no Redis' : false } as const

type Level = [price: string, size: string]
const book = (node: TestServer, bids: Level[], snapshot = false): Promise<void> =>
  publish(node.app, 'book', 'AAA', { symbol: 'AAA', bids, asks: [] }, { snapshot })
const trade = (node: TestServer, n: number): Promise<void> =>
  publish(node.app, 'trades', 'AAA', {
    symbol: 'AAA',
    price: String(n),
    size: '1',
    timestamp: '2026-01-01T00:00:00Z'
  })

for (const transport of transportNames) {
  test(`sends a book whose state is lost from its next snapshot on, and trades all along (${transport})`, options, async t => {
    const redis = await RedisServer.start()
    t.teardown(() => redis.close())
    const first = await startServer(t, { REDIS_URL: redis.url })
    await book(first, [['10', '1'], ['9', '1']], true)
    await book(first, [['11', '1']])
    await trade(first, 1)
    let cursor = ''
    const before: Message[] = []
    const query = 'subscribe=book:AAA;depth=5&subscribe=trades:AAA'
    const early = openClient(transport, first.origin, query, undefined, {
      onMessage: message => {
        before.push(message)
      },
      onCursor: text => {
        cursor = text
      }
    })
    await until('the first book has come', () => cursor !== '' && before.some(({ type }) => type === 'book'))
    early.cut()
    await first.app.close()

    const client = redis.client()
    t.teardown(() => { client.disconnect() })
    const gone = (await client.keys('*:t:book:AAA')).concat(await client.keys('*:snap:book:AAA'))
    await client.del(...gone)
    t.ok(gone.some(key => key.endsWith(':t:book:AAA')), 'the stream was there')

    const node = await startServer(t, { REDIS_URL: redis.url })
    const fresh = { messages: [] as Message[], follower: new RuleFollower() }
    const back = { messages: [] as Message[], follower: new RuleFollower() }
    for (const message of before) back.follower.take(message)
    for (const [{ messages, follower }, after] of [[fresh, undefined], [back, cursor]] as const) {
      let placed = false
      const reader = openClient(transport, node.origin, query, after, {
        onMessage: message => {
          if (message.channel === undefined || message.type === 'subscribed') return
          messages.push(message)
          follower.take(message)
        },
        onCursor: () => { placed = true }
      })
      t.teardown(() => { reader.cut() })
      await until('the client has a cursor', () => placed)
    }
    if (transport !== 'poll') await until('both are live', () => subscribers(node, 'book:AAA') === 2)
    await book(node, [['12', '1']])
    await trade(node, 2)
    const has = (messages: Message[], type: string, sequence: number): boolean =>
      messages.some(message => message.type === type && message.sequence === sequence)
    await until('the trade has come', () => [fresh, back].every(({ messages }) => has(messages, 'trade', 2)))
    for (const { messages } of [fresh, back]) {
      t.notOk(has(messages, 'book', 3), 'an update of an unknown book is not sent')
    }
    t.ok(
      back.follower.resets.some(({ channel, reason }) => channel === 'book' && reason === 'history_lost'),
      'a client that has the book must forget it'
    )
    await book(node, [['20', '1'], ['19', '1']], true)
    await book(node, [['21', '1']])
    await trade(node, 3)
    const isWhole = ({ type, sequence }: Message): boolean => type === 'book' && sequence === 5
    await until('the book is whole again', () =>
      [fresh, back].every(({ follower }) => follower.accepted.some(isWhole))
    )
    for (const { messages, follower } of [fresh, back]) {
      await until('the third trade has come', () => has(messages, 'trade', 3))
      const books = follower.accepted.filter(({ type, sequence }) => type === 'book' && sequence! > 2)
      t.equal(books[0]!.snapshot, true, 'it begins with a snapshot')
      const prices = new Set(
        books.flatMap(({ data }) => (data as { bids: Level[] }).bids.map(([price]) => price))
      )
      t.same([...prices].sort(), ['19', '20', '21'])
      t.same(follower.gaps, [])
    }
  })
}
