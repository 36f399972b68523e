import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import { type Message, openWebSocket, until, type WebSocketClient } from '../helpers/clients.js'
import { Choices } from '../helpers/random.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { startServer, type TestServer } from '../helpers/server.js'

/**
 * Twenty users with private topics on two nodes of one log. Each of them tries to read the others' topics.
 */
const USERS = 20
const MESSAGES = 10_000
const CHANNELS = ['orders', 'portfolio', 'alerts'] as const
type Channel = (typeof CHANNELS)[number]
/** Names that a user may have and that look like parts of topics. */
const NAMES = [
  'alice',
  'bob',
  'alice!bob',
  'orders',
  '*',
  'bob:orders',
  '__proto__',
  'é',
  'a b',
  'bob\nalice'
]
const BATCH = 200

const seed = Number(process.env['ISOLATION_SEED'] ?? Date.now() % 1_000_000)

/**
 * Makes the data of a message. It names its user, and its place among that user's messages of the channel.
 */
function dataOf (channel: Channel, user: number, place: number): object {
  const mark = `u${user} ${place}`
  switch (channel) {
    case 'orders':
      return {
        order_id: mark,
        symbol: 'A',
        side: 'buy',
        order_type: 'limit',
        status: 'open',
        quantity: '1',
        filled_qty: '0'
      }
    case 'portfolio':
      return { total_value: String(place), cash: String(user), day_pnl: '0', positions: [] }
    case 'alerts':
      return { alert_id: mark, type: 'price', message: mark, triggered_at: '2026-01-01T00:00:00Z' }
  }
}

function markOf ({ channel, data }: Message): { user: number, place: number } {
  const fields = data as Record<string, string>
  if (channel === 'portfolio') return { user: Number(fields['cash']), place: Number(fields['total_value']) }
  const [user = '', place] = (fields['order_id'] ?? fields['alert_id'] ?? '').split(' ')
  return { user: Number(user.slice(1)), place: Number(place) }
}

/** A user who reads the own topics on one node, and asks both nodes for everybody's. */
class User {
  /** The places that came on the honest connection, in order, by channel. */
  readonly received = new Map<Channel, number[]>(CHANNELS.map(channel => [channel, []]))
  readonly leaks: string[] = []
  readonly cursors: string[] = []
  epoch = ''
  settled = false
  asked = 0
  private client: WebSocketClient | undefined
  private prying: WebSocketClient | undefined

  constructor (readonly index: number, readonly name: string, readonly token: string) {}

  /** Checks that a message is the user's own, however it was asked for. */
  private check (message: Message, how: string): void {
    if (message.sequence === undefined) return
    if (!CHANNELS.includes(message.channel as Channel)) return
    if (markOf(message).user !== this.index || message.symbol !== undefined) {
      this.leaks.push(`${how}: ${JSON.stringify(message)}`)
    }
  }

  listen (node: TestServer): void {
    const subscribes = CHANNELS.map(channel => `subscribe=${channel}`).join('&')
    this.client = openWebSocket(node.origin, `token=${this.token}&${subscribes}`, 'tickwire.v1.batch', {
      onMessage: message => {
        this.check(message, 'subscribed')
        if (message.type === 'subscribed') this.epoch = String(message['epoch'])
        if (message.sequence !== undefined) {
          this.received.get(message.channel as Channel)!.push(markOf(message).place)
        }
      },
      onCursor: cursor => {
        this.settled = true
        this.cursors.push(cursor)
      }
    })
  }

  /** Opens a second connection, on which the user tries everything. */
  pry (node: TestServer): void {
    this.prying = openWebSocket(node.origin, `token=${this.token}`, 'tickwire.v1.json', {
      onMessage: message => {
        this.check(message, 'asked for')
      },
      onCursor: () => {}
    })
    this.prying.socket.on('close', () => { this.prying = undefined })
  }

  /** Tries one thing that a client could try to get another's messages. */
  async tryOne (random: Choices, nodes: readonly TestServer[], others: readonly User[]): Promise<void> {
    this.asked++
    const node = random.pick(nodes)
    const victim = random.pick(others)
    const channel = random.pick(CHANNELS)
    const symbol = random.pick([
      victim.name, `!${victim.name}`, `${channel}@${victim.name}`, `${channel}!${victim.name}`, '*',
      `@user/${victim.name}`, '@market/*', `@sector/${victim.name}`, 'alice', '..', `%40${victim.name}`, '\n*'
    ])
    const named = random.pick([
      `${channel}@${victim.name}`, `${channel}!${victim.name}`, `${channel}:${victim.name}`, `${channel}:*`,
      `${channel}\n*`, `${channel}:@${victim.name}`, `${channel}:!${victim.name}`, channel,
      `${channel.toUpperCase()}`, `${channel}%40${victim.name}`, `!${victim.name}`
    ])
    const after = random.pick([victim.cursors.at(-1), victim.cursors[0], undefined])
    const draw = random.integer(0, 9)
    if (draw < 5) {
      if (this.prying === undefined) this.pry(node)
      const socket = this.prying!.socket
      if (socket.readyState === socket.CONNECTING) return
      this.prying!.send(random.pick<object>([
        { action: 'subscribe', channel, symbols: [symbol] },
        { action: 'subscribe', channel: named, symbols: ['*'] },
        { action: 'subscribe', channel: named },
        { action: 'subscribe', channel, ...after === undefined ? {} : { after } },
        { action: 'subscribe', channel, after: random.integer(0, 20), epoch: victim.epoch },
        { action: 'subscribe', channel, last: 100, user: victim.name },
        { action: 'snapshot', channel: named },
        { action: 'snapshot', channel: 'portfolio', symbols: [symbol] },
        { action: 'snapshot', channel: 'portfolio' },
        { action: 'unsubscribe', channel: named },
        { action: 'subscribe', channel: 'instruments', symbols: ['*'] }
      ]))
      return
    }
    const escaped = [...Buffer.from(named)].map(byte => `%${byte.toString(16).padStart(2, '0')}`).join('')
    const encoded = random.next() < 0.5 ? encodeURIComponent(named) : escaped
    const resumed = after === undefined ? '' : `&after=${after}`
    const path = random.pick([
      `/v1/stream?subscribe=${encoded}${resumed}`,
      `/v1/stream?subscribe=${channel}${resumed}`,
      `/v1/stream?subscribe=${channel}:${encodeURIComponent(symbol)}${resumed}`,
      `/v1/stream?subscribe=${channel};last=100;user=${encodeURIComponent(victim.name)}`,
      `/v1/history?topic=${encoded}`,
      `/v1/history?topic=${encoded}&after=0&epoch=${victim.epoch}`,
      `/v1/history?topic=${channel}&user=${encodeURIComponent(victim.name)}`,
      `/v1/history?topic=${channel}&after=0&limit=10000`,
      `/v1/snapshot?topic=${encoded}`,
      '/v1/snapshot?topic=portfolio',
      `/v1/history?topic=${channel}&topic=${encoded}`
    ])
    const response = await fetch(node.origin + path, { headers: { authorization: `Bearer ${this.token}` } })
    const body = await response.json() as { messages?: Message[] } & Message
    for (const message of body.messages ?? [body]) this.check(message, `${path} (${response.status})`)
  }

  leave (): void {
    this.client?.cut()
    this.prying?.cut()
  }
}

test('sends each user all private messages of the user, in order, and none of others, whatever anybody asks for', {
  skip: redisProgram === undefined ? 'there is no Redis' : false, timeout: 200_000
}, async t => {
  t.comment(`seed ${seed}: ISOLATION_SEED=${seed} repeats it`)
  const random = new Choices(seed)
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  const settings = {
    REDIS_URL: redis.url,
    JWT_SECRET: 'the same on both nodes',
    RATE_LIMIT_MESSAGES: 1_000_000,
    RATE_LIMIT_REQUESTS: 1_000_000
  }
  const nodes = [await startServer(t, settings), await startServer(t, settings)] as const
  const users = Array.from({ length: USERS }, (_, index) => {
    const name = NAMES[index] ?? `user${index}`
    return new User(index, name, nodes[0].token({ sub: name, publish: [] }))
  })
  t.teardown(() => { for (const user of users) user.leave() })
  for (const user of users) user.listen(nodes[user.index % 2]!)
  await until('all listen', () => users.every(({ settled }) => settled))

  /** How many messages were published, by user and channel. */
  const places = users.map(() => new Map<Channel, number>(CHANNELS.map(channel => [channel, 0])))
  for (let published = 0; published < MESSAGES; published += BATCH) {
    const batch = Array.from({ length: BATCH }, () => {
      const user = random.pick(users)
      const channel = random.pick(CHANNELS)
      const place = places[user.index]!.get(channel)! + 1
      places[user.index]!.set(channel, place)
      return { channel, user: user.name, data: dataOf(channel, user.index, place) }
    })
    const results = await nodes[published / BATCH % 2]!.app.tickwire.publishAll(batch)
    for (const result of results) if ('code' in result) throw new Error(`refused: ${JSON.stringify(result)}`)
    await Promise.all(users.map(user => user.tryOne(random, nodes, users.filter(other => other !== user))))
  }
  const hasAll = ({ index, received }: User): boolean =>
    CHANNELS.every(channel => received.get(channel)!.length >= places[index]!.get(channel)!)
  await until('all have everything', () => users.every(hasAll))
  await delay(50)

  t.same(
    users.flatMap(({ leaks }) => leaks).slice(0, 10),
    [],
    `nobody got anything of another user (seed ${seed})`
  )
  for (const { index, name, received } of users) {
    for (const channel of CHANNELS) {
      const expected = Array.from({ length: places[index]!.get(channel)! }, (_, place) => place + 1)
      t.same(received.get(channel), expected, `${JSON.stringify(name)}: ${channel}: each once, in order`)
    }
  }
  t.ok(users.every(({ asked }) => asked >= MESSAGES / BATCH), 'everybody tried all along')

  // A cursor says where its client was, never who it is: with another's cursor, a user reads only the own
  // messages.
  const [victim, thief] = [users[1]!, users[0]!]
  const early = victim.cursors[0]!
  const query = 'subscribe=orders&subscribe=portfolio&subscribe=alerts&limit=10000'
  const headers = { authorization: `Bearer ${thief.token}` }
  const answer = await fetch(`${nodes[1].origin}/v1/stream?${query}&after=${early}`, { headers })
  const stolen = await answer.json() as { messages: Message[] }
  const isOwn = (message: Message): boolean =>
    message.sequence === undefined || markOf(message).user === thief.index
  t.ok(stolen.messages.length > 0 && stolen.messages.every(isOwn), "another's cursor brings the own messages")
  const nobody = await fetch(`${nodes[1].origin}/v1/stream?subscribe=orders&after=${early}`)
  t.equal(nobody.status, 401, 'without a token it brings nothing')
})
