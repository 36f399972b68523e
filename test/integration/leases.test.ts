import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Test, test } from 'tap'
import type { Entry } from '../../src/log/log.js'
import type { NodesOverview } from '../../src/nodes/schema.js'
import { openClient, until } from '../helpers/clients.js'
import { type Deployment, deploy, operate } from '../helpers/node-processes.js'
import { redisProgram } from '../helpers/redis-server.js'
import { passedOn } from '../helpers/server.js'
import { StateFollower } from '../helpers/state-follower.js'

/** Sources of several server processes on one Redis: each runs on one of them at a time, whatever becomes of that one. */
const options = { skip: redisProgram === undefined ? 'there is no Redis' : false } as const

const DEAF_NODE = fileURLToPath(new URL('leases/deaf-node.js', import.meta.url))
const HELD_UP_MS = 10_000

/** A client of the observer's, from before to after whatever happens: it throws at a gap, a duplicate, a step back. */
function follow (t: Test, { observer }: Deployment, query: string): { follower: StateFollower, faults: unknown[], count: () => number } {
  const follower = new StateFollower()
  const faults: unknown[] = []
  let count = 0
  follower.connect()
  const client = openClient('ws-batch', observer.origin, query, undefined, {
    onMessage: message => {
      count++
      try {
        follower.take(message)
      } catch (error) {
        faults.push(error)
      }
    },
    onCursor: () => {}
  })
  t.teardown(() => { client.cut() })
  return { follower, faults, count: () => count }
}

/** All that the log has of some topics, in their shards' order. */
async function logged ({ observer: { parts: { log } } }: Deployment, concerned: (topic: string) => boolean): Promise<Entry[]> {
  const topics = [...(await log.topics()).keys()].filter(concerned)
  return (await Promise.all(topics.map(async topic => (await log.read(topic, { sequence: 0 }, 1_000_000)).entries))).flat()
}

/** Whether the source has another holder, with a higher token. */
const heldAfter = (before: NodesOverview, [lease]: NodesOverview['leases']): boolean => (lease?.token ?? 0) > before.leases[0]!.token!

async function metric (origin: string, name: string): Promise<number> {
  return Number(new RegExp(`^${name}\\{.*\\} (\\d+)$`, 'm').exec(await (await fetch(`${origin}/metrics`)).text())?.[1] ?? 0)
}

test('the holder killed, and the next one stopped in good order: another takes over, every book stays right', options, async t => {
  const deployment = await deploy(t, ['a', 'b', 'c'], 'simulated?rate=5')
  const { observer, node, seen } = deployment
  const { follower, faults, count } = follow(t, deployment, 'subscribe=book:*&subscribe=quotes:*&subscribe=market:*')
  const held = await seen('all are there, and one holds', ({ nodes, leases }) => nodes.length === 4 && leases[0]?.name !== undefined && leases[0].token !== undefined)
  t.match(held.leases, [{ source: 'simulated', state: 'running' }])
  t.same(held.nodes.map(({ name }) => name), ['a', 'b', 'c', 'observer'])
  const first = held.leases[0]!.name!
  await seen('its own record says so', ({ nodes }) => nodes.find(({ name }) => name === first)?.sources['simulated'] === 'running')
  await until('messages flow', () => count() > 500)
  const bookOf = async (topic: string): Promise<number> => (await logged(deployment, other => other === topic)).length

  const before = await bookOf('book:BTC-USD')
  const killedAt = performance.now()
  await node(first).kill()
  const taken = await seen('another holds', ({ leases }) => heldAfter(held, leases))
  const second = taken.leases[0]!.name!
  t.not(second, first)
  while (await bookOf('book:BTC-USD') <= before + 1) await delay(20)
  t.comment(`killed: the first message of the next holder came after ${Math.round(performance.now() - killedAt)} ms`)
  await seen('who was killed is not listed any more', ({ nodes }) => nodes.length === 3 && nodes.every(({ name }) => name !== first))

  const stoppedAt = performance.now()
  node(second).signal('SIGTERM')
  const again = await seen('the last one holds', ({ leases }) => heldAfter(taken, leases))
  t.comment(`stopped in good order: taken over after ${Math.round(performance.now() - stoppedAt)} ms`)
  t.same([first, second, again.leases[0]!.name].sort(), ['a', 'b', 'c'])
  const quoted = count()
  await until('messages flow again', () => count() > quoted + 500)

  t.equal((await operate(observer.origin, 'POST', 'sources/simulated/stop', observer.token({ admin: true }))).status, 204, 'stopped by one that does not run it')
  const { leases } = await deployment.overview()
  t.match(leases, [{ source: 'simulated', state: 'ended' }])
  const { length } = await logged(deployment, () => true)
  await passedOn(observer)
  t.same(faults, [], 'no gap, no duplicate, no step back')
  const books = await logged(deployment, topic => topic.startsWith('book:'))
  const topics = [...new Set(books.map(({ topic }) => topic))]
  t.ok(topics.length >= 58)
  await until('the client has all', () => topics.every(topic => follower.holds(topic) === books.filter(entry => entry.topic === topic).at(-1)!.sequence))
  let whole = 0
  for (const topic of topics) {
    const entries = books.filter(entry => entry.topic === topic)
    t.same(entries.map(({ sequence }) => sequence), entries.map((_, index) => index + 1), `${topic}: sequences without a hole`)
    whole += entries.filter(({ replaces }) => replaces).length
    const snapshot = await observer.parts.log.snapshot(topic)
    t.same(follower.states.get(topic), JSON.parse(snapshot!.payload), `${topic}: what was folded through all is what the log has`)
  }
  t.ok(whole >= 3 * 58 - 10, `each holder began with whole books: ${whole}`)
  t.equal((await logged(deployment, () => true)).length, length, 'nothing came after the stop was answered')
})

test('the holder held up for 10 s: what it says late is refused and counted, nothing is doubled, and it is a candidate again', options, async t => {
  const deployment = await deploy(t, ['a', 'b'], 'none', [DEAF_NODE])
  const { observer, node, seen } = deployment
  const { faults, count } = follow(t, deployment, 'subscribe=trades:*')
  const held = await seen('one holds', ({ leases }) => leases[0]?.token !== undefined)
  const first = held.leases[0]!.name!
  const second = first === 'a' ? 'b' : 'a'
  await until('messages flow', () => count() > 200)
  const stoppedAt = performance.now()
  node(first).signal('SIGSTOP')
  const taken = await seen('the other holds', ({ leases }) => heldAfter(held, leases))
  t.comment(`held up: taken over after ${Math.round(performance.now() - stoppedAt)} ms`)
  t.equal(taken.leases[0]!.name, second)
  await delay(Math.max(0, stoppedAt + HELD_UP_MS - performance.now()))
  node(first).signal('SIGCONT')
  const refused = 'tickwire_source_appends_refused_total'
  let late = 0
  for (const deadline = Date.now() + 30_000; late === 0 && Date.now() < deadline; await delay(20)) late = await metric(node(first).origin, refused)
  t.ok(late > 0, 'late appends were refused')
  t.comment(`${late} late appends were refused`)
  await seen('it is there again, and waits', ({ nodes }) => nodes.find(({ name }) => name === first)?.sources['deaf'] === 'waiting')
  t.match(node(first).lastWords, /another server has taken it over, and what it said since was refused/)
  t.equal(await metric(node(second).origin, refused), 0, 'none of the one that holds')
  const there = count()
  await until('messages flow', () => count() > there + 100)

  await node(second).kill()
  await seen('the first one holds again', ({ leases }) => heldAfter(taken, leases) && leases[0]!.name === first)
  const once = count()
  await until('messages flow again', () => count() > once + 100)
  t.same(faults, [])
  const said = (await logged(deployment, topic => topic === 'trades:A')).map(({ payload }) => JSON.parse(payload) as { exchange: string, price: string })
  t.same(said.map(({ exchange }) => exchange).filter((who, index, all) => who !== all[index - 1]), [first, second, first], 'one after another')
  for (const name of [first, second]) {
    const numbers = said.filter(({ exchange }) => exchange === name).map(({ price }) => Number(price))
    t.ok(numbers.every((number, index) => index === 0 || number > numbers[index - 1]!), `${name}: each once, in order`)
  }
  t.equal(observer.parts.counters.received >= said.length, true)
})

test('a lazy source runs from the first subscriber anywhere until some time after the last', options, async t => {
  const deployment = await deploy(t, ['a', 'b'], 'simulated?rate=5&lazy=3')
  const { observer, node, seen } = deployment
  await seen('both are there', ({ nodes }) => nodes.length === 3)
  const state = (): Promise<string> => deployment.overview().then(({ leases }) => leases[0]!.state)
  t.equal(await state(), 'waiting')
  const { symbols } = await (await fetch(`${node('a').origin}/v1/symbols?market=NASDAQ`)).json() as { symbols: unknown[] }
  t.ok(symbols.length > 5, 'what it would serve is known')
  t.equal((await logged(deployment, topic => topic.startsWith('quotes:'))).length, 0)

  let heard = 0
  const events = { onMessage: ({ sequence }: { sequence?: number }) => { if (sequence !== undefined) heard++ }, onCursor: () => {} }
  const askedAt = performance.now()
  const onB = openClient('sse', node('b').origin, 'subscribe=quotes:AAPL', undefined, events)
  await until('it is heard', () => heard > 0, 60_000)
  t.comment(`the first message after ${Math.round(performance.now() - askedAt)} ms`)
  const running = await seen('it runs where it is wanted', ({ leases }) => leases[0]?.state === 'running' && leases[0].token !== undefined)
  t.equal(running.leases[0]!.name, 'b')
  await seen('that it is wanted is told', ({ nodes }) => nodes.find(({ name }) => name === 'b')!.wants.includes('simulated'))

  const onA = openClient('ws-json', node('a').origin, 'subscribe=quotes:@market/NASDAQ', undefined, events)
  await seen('it is wanted there, too', ({ nodes }) => nodes.find(({ name }) => name === 'a')!.wants.includes('simulated'))
  onB.cut()
  await seen('it is not wanted there any more', ({ nodes }) => nodes.find(({ name }) => name === 'b')!.wants.length === 0)
  // Longer than it goes on without subscribers.
  await delay(6000)
  t.match(await deployment.overview(), { leases: [{ name: 'b', token: running.leases[0]!.token }] }, 'wanted on another it goes on')
  onA.cut()
  await seen('it ends', ({ leases }) => leases[0]!.state === 'waiting')
  const { length } = await logged(deployment, () => true)
  const poll = await fetch(`${observer.origin}/v1/stream?subscribe=quotes:AAPL`)
  t.equal(poll.status, 200)
  await delay(1500)
  t.equal((await logged(deployment, () => true)).length, length, 'nobody wants it who could run it: a server without the source does not ask for it')

  t.equal((await fetch(`${node('a').origin}/v1/stream?subscribe=quotes:AAPL`)).status, 200)
  await seen('a poll has it run, too', ({ leases }) => leases[0]!.state === 'running' && leases[0]!.name === 'a')
  t.ok((await logged(deployment, () => true)).length >= length)
})
