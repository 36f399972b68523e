import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import { until } from '../helpers/clients.js'
import { deploy, follow, logged, operate, patiently } from '../helpers/node-processes.js'
import { redisProgram } from '../helpers/redis-server.js'
import { passedOn } from '../helpers/server.js'

/**
 * A source of several server processes on one Redis runs on one of them at a time, whatever happens to that
 * one.
 */
const options = { skip: redisProgram === undefined ? 'there is no Redis' : false } as const

test('moves a source on when its holder is killed or stopped, and keeps every book right', options, async t => {
  const deployment = await deploy(t, ['a', 'b', 'c'], 'simulated?rate=5')
  const { observer, node, seen, taken } = deployment
  const { follower, faults, count } = follow(
    t,
    deployment,
    'subscribe=book:*&subscribe=quotes:*&subscribe=market:*'
  )
  const first = await taken('simulated', 0)
  const there = await seen('all are there', ({ nodes }) => nodes.length === 4)
  t.match(there.leases, [{ source: 'simulated', state: 'running', name: first.name, token: first.token }])
  t.same(there.nodes.map(({ name }) => name), ['a', 'b', 'c', 'observer'])
  await seen(
    'its own record says so',
    ({ nodes }) => nodes.find(({ name }) => name === first.name)?.sources['simulated'] === 'running'
  )
  await until('messages flow', () => count() > 500)
  const bookOf = async (topic: string): Promise<number> =>
    (await logged(deployment, other => other === topic)).length

  const before = await bookOf('book:BTC-USD')
  const killedAt = performance.now()
  await node(first.name).kill()
  const second = await taken('simulated', first.token)
  t.not(second.name, first.name)
  while (await bookOf('book:BTC-USD') <= before + 1) await delay(20)
  t.comment(
    `killed: the first message of the next holder came after ${Math.round(performance.now() - killedAt)} ms`
  )
  await seen(
    'the killed node is not listed any more',
    ({ nodes }) => nodes.length === 3 && nodes.every(({ name }) => name !== first.name)
  )

  const stoppedAt = performance.now()
  node(second.name).signal('SIGTERM')
  const third = await taken('simulated', second.token)
  t.comment(`stopped in good order: taken over after ${Math.round(performance.now() - stoppedAt)} ms`)
  t.same([first, second, third].map(({ name }) => name).sort(), ['a', 'b', 'c'])
  const quoted = count()
  await until('messages flow again', () => count() > quoted + 500)

  t.equal(
    (await operate(observer.origin, 'POST', 'sources/simulated/stop', observer.token({ admin: true })))
      .status,
    204,
    'a node stops it that does not run it'
  )
  await seen('it has ended', ({ leases }) => leases[0]?.state === 'ended')
  const { length } = await logged(deployment, () => true)
  await passedOn(observer)
  t.same(faults, [], 'no gap, no duplicate, no step back')
  const books = await logged(deployment, topic => topic.startsWith('book:'))
  const topics = [...new Set(books.map(({ topic }) => topic))]
  t.ok(topics.length >= 58)
  const last = (topic: string): number => books.filter(entry => entry.topic === topic).at(-1)!.sequence
  await until('the client has everything', () => topics.every(topic => follower.holds(topic) === last(topic)))
  let whole = 0
  for (const topic of topics) {
    const entries = books.filter(entry => entry.topic === topic)
    t.same(
      entries.map(({ sequence }) => sequence), entries.map((_, index) => index + 1),
      `${topic}: sequences without a hole`
    )
    whole += entries.filter(({ replaces }) => replaces).length
    const snapshot = await patiently(() => observer.parts.log.snapshot(topic))
    t.same(
      follower.states.get(topic), JSON.parse(snapshot!.payload),
      `${topic}: the client has folded the same state as the log`
    )
  }
  t.ok(whole >= 3 * 58 - 10, `each holder began with whole books: ${whole}`)
  t.equal((await logged(deployment, () => true)).length, length, 'nothing came after the stop was answered')
})
