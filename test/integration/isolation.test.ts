import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import { type Message, openWebSocket, until, type WebSocketClient } from '../helpers/clients.js'
import { Choices } from '../helpers/random.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { startServer, type TestServer } from '../helpers/server.js'

/** Twenty users with private topics on two nodes of one log, each of whom tries to read the others'. */
const USERS = 20
const MESSAGES = 10_000
const CHANNELS = ['orders', 'portfolio', 'alerts'] as const
type Channel = (typeof CHANNELS)[number]
/** Names that a user may have and that look like parts of topics. */
const NAMES = ['alice', 'bob', 'alice!bob', 'orders', '*', 'bob:orders', '__proto__', 'é', 'a b', 'bob\nalice']
const BATCH = 200

const seed = Number(process.env['ISOLATION_SEED'] ?? Date.now() % 1_000_000)

/** Each message says whose it is and its place among that user's of the channel. */
function dataOf (channel: Channel, user: number, place: number): object {
  const mark = `u${user} ${place}`
  switch (channel) {
    case 'orders': return { order_id: mark, symbol: 'A', side: 'buy', order_type: 'limit', status: 'open', quantity: '1', filled_qty: '0' }
    case 'portfolio': return { total_value: String(place), cash: String(user), day_pnl: '0', positions: [] }
    case 'alerts': return { alert_id: mark, type: 'price', message: mark, triggered_at: '2026-01-01T00:00:00Z' }
  }
}

function markOf ({ channel, data }: Message): { user: number, place: number } {
  const fields = data as Record<string, string>
  if (channel === 'portfolio') return { user: Number(fields['cash']), place: Number(fields['total_value']) }
  const [user = '', place] = (fields['order_id'] ?? fields['alert_id'] ?? '').split(' ')
  return { user: Number(user.slice(1)), place: Number(place) }
}

/** One user: reads the own topics on one node, and asks on both for everybody's. */
class User {
  /** By channel, the places that came on the honest connection, in order. */
  readonly received = new Map<Channel, number[]>(CHANNELS.map(channel => [channel, []]))
  readonly leaks: string[] = []
  readonly cursors: string[] = []
  epoch = ''
  settled = false
  asked = 0
  private client: WebSocketClient | undefined
  private prying: WebSocketClient | undefined

  constructor (readonly index: number, readonly name: string, readonly token: string) {}

  /** Whatever comes to this user, however it was asked for, must be the user's own. */
  private check (message: Message, how: string): void {
    if (message.sequence === undefined) return
    if (!CHANNELS.includes(message.channel as Channel)) return
    if (markOf(message).user !== this.index || message.symbol !== undefined) this.leaks.push(`${how}: ${JSON.stringify(message)}`)
  }

  listen (node: TestServer): void {
    this.client = openWebSocket(node.origin, `token=${this.token}&${CHANNELS.map(channel => `subscribe=${channel}`).join('&')}`, 'tickwire.v1.batch', {
      onMessage: message => {
        this.check(message, 'subscribed')
        if (message.type === 'subscribed') this.epoch = String(message['epoch'])
        if (message.sequence !== undefined) this.received.get(message.channel as Channel)!.push(markOf(message).place)
      },
      onCursor: cursor => {
        this.settled = true
        this.cursors.push(cursor)
      }
    })
  }

  /** A second connection, on which everything is tried. */
  pry (node: TestServer): void {
    this.prying = openWebSocket(node.origin, `token=${this.token}`, 'tickwire.v1.json', { onMessage: message => { this.check(message, 'asked for') }, onCursor: () => {} })
    this.prying.socket.on('close', () => { this.prying = undefined })
  }

  /** One thing that a client could try to be sent another's messages. */
  async tryOne (random: Choices, nodes: readonly TestServer[], others: readonly User[]): Promise<void> {
    this.asked++
    const node = random.pick(nodes)
    const victim = random.pick(others)
    const channel = random.pick(CHANNELS)
    const symbol = random.pick([victim.name, `!${victim.name}`, `${channel}@${victim.name}`, `${channel}!${victim.name}`, '*', `@user/${victim.name}`, '@market/*', `@sector/${victim.name}`, 'alice', '..', `%40${victim.name}`, '\n*'])
    const named = random.pick([`${channel}@${victim.name}`, `${channel}!${victim.name}`, `${channel}:${victim.name}`, `${channel}:*`, `${channel}\n*`, `${channel}:@${victim.name}`, `${channel}:!${victim.name}`, channel, `${channel.toUpperCase()}`, `${channel}%40${victim.name}`, `!${victim.name}`])
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
    const encoded = random.next() < 0.5 ? encodeURIComponent(named) : [...Buffer.from(named)].map(byte => `%${byte.toString(16).padStart(2, '0')}`).join('')
    const resumed = after === undefined ? '' : `&after=${after}`
    const path = random.pick([
      `/v1/stream?subscribe=${encoded}${resumed}`, `/v1/stream?subscribe=${channel}${resumed}`, `/v1/stream?subscribe=${channel}:${encodeURIComponent(symbol)}${resumed}`, `/v1/stream?subscribe=${channel};last=100;user=${encodeURIComponent(victim.name)}`,
      `/v1/history?topic=${encoded}`, `/v1/history?topic=${encoded}&after=0&epoch=${victim.epoch}`, `/v1/history?topic=${channel}&user=${encodeURIComponent(victim.name)}`, `/v1/history?topic=${channel}&after=0&limit=10000`,
      `/v1/snapshot?topic=${encoded}`, '/v1/snapshot?topic=portfolio', `/v1/history?topic=${channel}&topic=${encoded}`
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

test('twenty users on two nodes: whatever any of them asks for, each is sent the own private messages, all and in order, and no others', { skip: redisProgram === undefined ? 'there is no Redis' : false, timeout: 90_000 }, async t => {
  t.comment(`seed ${seed}: ISOLATION_SEED=${seed} repeats it`)
  const random = new Choices(seed)
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  const settings = { REDIS_URL: redis.url, JWT_SECRET: 'the same on both nodes', RATE_LIMIT_MESSAGES: 1_000_000, RATE_LIMIT_REQUESTS: 1_000_000 }
  const nodes = [await startServer(t, settings), await startServer(t, settings)] as const
  const users = Array.from({ length: USERS }, (_, index) => {
    const name = NAMES[index] ?? `user${index}`
    return new User(index, name, nodes[0].token({ sub: name, publish: [] }))
  })
  t.teardown(() => { for (const user of users) user.leave() })
  for (const user of users) user.listen(nodes[user.index % 2]!)
  await until('all listen', () => users.every(({ settled }) => settled))

  /** By user and channel, how many were published. */
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
  await until('all is there', () => users.every(({ index, received }) => CHANNELS.every(channel => received.get(channel)!.length >= places[index]!.get(channel)!)))
  await delay(50)

  t.same(users.flatMap(({ leaks }) => leaks).slice(0, 10), [], `nothing of another user came to anyone (seed ${seed})`)
  for (const { index, name, received } of users) {
    for (const channel of CHANNELS) {
      t.same(received.get(channel), Array.from({ length: places[index]!.get(channel)! }, (_, place) => place + 1), `${JSON.stringify(name)}: ${channel}: each once, in order`)
    }
  }
  t.ok(users.every(({ asked }) => asked >= MESSAGES / BATCH), 'everybody tried all along')

  // The cursor of one who has read everything, on all transports: it says where, never whose.
  const [victim, thief] = [users[1]!, users[0]!]
  const early = victim.cursors[0]!
  const stolen = await (await fetch(`${nodes[1].origin}/v1/stream?subscribe=orders&subscribe=portfolio&subscribe=alerts&limit=10000&after=${early}`, { headers: { authorization: `Bearer ${thief.token}` } })).json() as { messages: Message[] }
  t.ok(stolen.messages.length > 0 && stolen.messages.every(message => message.sequence === undefined || markOf(message).user === thief.index), "with another's cursor one is sent the own messages")
  const nobody = await fetch(`${nodes[1].origin}/v1/stream?subscribe=orders&after=${early}`)
  t.equal(nobody.status, 401, 'and without a token nothing')
})
