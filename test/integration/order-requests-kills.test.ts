import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import { orderIdOf } from '../../src/trading-requests/order-id.js'
import type { NodeProcess } from '../fleet/node-process.js'
import { deploy, patiently } from '../helpers/node-processes.js'
import { commandsOf, overRest, overWebSocket, repeatedly, type Request, type Way } from '../helpers/order-ways.js'
import { Choices } from '../helpers/random.js'
import { redisProgram, type RedisServer } from '../helpers/redis-server.js'
import { signedToken } from '../helpers/tokens.js'

/**
 * Orders that are sent again and again over both ways and two servers, while the servers and their Redis are
 * killed. ORDERS and KILLS say how many.
 */
const ORDERS = Number(process.env['ORDERS'] ?? 200)
const KILLS = Number(process.env['KILLS'] ?? 4)
const seed = Number(process.env['SEED'] ?? 50)
const AT_ONCE = 12
const MANY = 1_000_000
const PAUSE_MS = 20
const PATIENCE_MS = 60_000
/** The longest for one order, over all that is killed meanwhile. */
const LONG_MS = 180_000
/** Refusals after which a client sends the order again. */
const PASSING: ReadonlySet<unknown> = new Set(['log_unavailable', 'overloaded', 'going_away'])
/** So that the Redis loses nothing that it has answered. */
const DURABLE = ['--appendonly', 'yes', '--appendfsync', 'always']

const options = { skip: redisProgram === undefined ? 'there is no Redis' : false } as const

/** Makes a running Redis write down everything before it answers. */
async function makeDurable (redis: RedisServer): Promise<void> {
  await redis.ask(async client => {
    await client.config('SET', 'appendfsync', 'always')
    await client.config('SET', 'appendonly', 'yes')
    while (/aof_rewrite_(?:in_progress|scheduled):1/.test(await client.info('persistence'))) await delay(PAUSE_MS)
  })
}

test(`makes one command of each order, whatever is killed (SEED=${seed})`, options, async t => {
  const random = new Choices(seed)
  const limits = { BROKER: 'paper', RATE_LIMIT_ORDERS: MANY, RATE_LIMIT_MESSAGES: MANY } as const
  const { redis, nodes, observer } = await deploy(t, ['a', 'b'], 'none', undefined, limits)
  await makeDurable(redis)
  const token = signedToken({ sub: 'alice', trade: true }, 3600)

  const sendings = repeatedly(Array.from({ length: ORDERS }, (_, n) => `order-${n}`), random)
  const answers = new Map<string, Set<string>>()
  /** Requests to servers that lived, and said nothing. */
  const unanswered: string[] = []
  let next = 0
  let tries = 0
  const over = new AbortController()
  const happened: string[] = []
  const state = (): string => (
    `killed: ${happened.join(', ')}; ${nodes.map(({ name, lastWords }) => `${name}: ${lastWords}`).join('\n')}`
  )
  const work = async (): Promise<void> => {
    const sockets = new Map<NodeProcess, Way & { closed (): boolean }>()
    const wayTo = async (node: NodeProcess): Promise<Way> => {
      if (random.next() < 0.5) return { name: 'rest', ask: request => overRest(node.origin, token, request) }
      let socket = sockets.get(node)
      if (socket === undefined || socket.closed()) {
        sockets.set(node, socket = await overWebSocket(t, node.origin, token))
      }
      return socket
    }
    for (let id = sendings[next++]; id !== undefined; id = sendings[next++]) {
      const request: Request = {
        action: 'submit_order', client_order_id: id, symbol: 'AAPL', side: 'buy', order_type: 'market', quantity: String(1 + Number(id.slice(6)))
      }
      let last: unknown
      for (const deadline = Date.now() + LONG_MS; ; await delay(PAUSE_MS)) {
        if (over.signal.aborted) return
        if (Date.now() > deadline) throw new Error(`${id} was sent for ${LONG_MS} ms; the last answer was ${JSON.stringify(last)}; ${state()}`)
        tries++
        // A server that was killed answers nothing, and one without its Redis that it cannot reach the log:
        // whoever sent the order does not know whether it was taken.
        const way = wayTo(random.pick(nodes))
        const asked = way.then(async way => {
          const late = setTimeout(() => { unanswered.push(`${id} over ${way.name}`) }, PATIENCE_MS)
          return (await way.ask(request).finally(() => { clearTimeout(late) })).body
        }).catch(() => undefined)
        const answer = await Promise.race([asked, delay(PATIENCE_MS, undefined, { ref: false })])
        last = answer ?? last
        if (answer === undefined || PASSING.has(answer['code'])) continue
        answers.set(id, (answers.get(id) ?? new Set()).add(JSON.stringify(answer)))
        break
      }
    }
  }
  const trouble = async (): Promise<void> => {
    // Each of them is killed in its turn: with Redis alone, every order would be answered at its first try.
    const spared: Array<NodeProcess | undefined> = []
    for (let kill = 1; kill <= KILLS; kill++) {
      while (!over.signal.aborted && next < sendings.length * kill / (KILLS + 1)) await delay(PAUSE_MS)
      if (spared.length === 0) spared.push(...nodes, undefined)
      const [node] = spared.splice(random.integer(0, spared.length - 1), 1)
      happened.push(`${node?.name ?? 'Redis'} at ${next}`)
      await (node ?? redis).kill()
      if (node === undefined) await redis.start(DURABLE)
      else await node.start()
    }
  }
  await Promise.all([trouble(), ...Array.from({ length: AT_ONCE }, work)]).finally(() => { over.abort() })

  t.comment(`${ORDERS} orders, sent ${sendings.length} times in ${tries} tries; killed: ${happened.join(', ')}`)
  t.strictSame(unanswered, [], 'a server answers, or its connection ends')
  t.ok(tries > sendings.length, 'some were not answered at first')
  t.equal(answers.size, ORDERS)
  for (const [id, said] of answers) {
    const expected = JSON.stringify({ type: 'order_accepted', order_id: orderIdOf('alice', id), client_order_id: id })
    if (said.size !== 1 || !said.has(expected)) t.fail(`${id} was answered ${[...said].join(' and ')}`)
  }
  const taken = await patiently(() => commandsOf(observer.parts.log))
  t.equal(taken.length, ORDERS)
  t.equal(new Set(taken.map(command => 'client_order_id' in command ? command.client_order_id : '')).size, ORDERS)
})
