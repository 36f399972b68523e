import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import { until } from '../helpers/clients.js'
import { deploy, follow, logged } from '../helpers/node-processes.js'
import { redisProgram } from '../helpers/redis-server.js'
import { ROOT } from '../helpers/root.js'

/** A server that was held up believes that it runs a source which another server has taken over. */
const options = { skip: redisProgram === undefined ? 'there is no Redis' : false } as const

const DEAF_NODE = join(ROOT, 'test/integration/leases/deaf-node.js')
const HELD_UP_MS = 10_000

async function metric (origin: string, name: string): Promise<number> {
  return Number(
    new RegExp(`^${name}\\{.*\\} (\\d+)$`, 'm').exec(await (await fetch(`${origin}/metrics`)).text())?.[1] ??
      0
  )
}

test('refuses and counts the late messages of a holder that was held up for 10 s, which then waits again', options, async t => {
  const deployment = await deploy(t, ['a', 'b'], 'none', [DEAF_NODE])
  const { node, seen, taken } = deployment
  const { faults, count } = follow(t, deployment, 'subscribe=trades:*')
  const { name: first, token } = await taken('deaf', 0)
  const second = first === 'a' ? 'b' : 'a'
  await until('messages flow', () => count() > 200)
  const stoppedAt = performance.now()
  node(first).signal('SIGSTOP')
  const next = await taken('deaf', token)
  t.comment(`held up: taken over after ${Math.round(performance.now() - stoppedAt)} ms`)
  t.equal(next.name, second)
  await delay(Math.max(0, stoppedAt + HELD_UP_MS - performance.now()))
  node(first).signal('SIGCONT')
  const refused = 'tickwire_source_appends_refused_total'
  let late = 0
  for (const deadline = Date.now() + 30_000; late === 0 && Date.now() < deadline; await delay(20)) {
    late = await metric(node(first).origin, refused)
  }
  t.ok(late > 0, 'late appends were refused')
  t.comment(`${late} late appends were refused`)
  await seen('it is there again, and waits', ({ nodes }) => nodes.find(({ name }) => name === first)?.sources['deaf'] === 'waiting')
  t.match(node(first).lastWords, /another server has taken it over, and the log refused its messages since/)
  t.equal(await metric(node(second).origin, refused), 0, 'none of the one that holds')
  const there = count()
  await until('messages flow', () => count() > there + 100)

  await node(second).kill()
  t.equal((await taken('deaf', next.token)).name, first, 'the first one holds it again')
  const once = count()
  await until('messages flow again', () => count() > once + 100)
  t.same(faults, [])
  const said = (await logged(deployment, topic => topic === 'trades:A')).map(
    ({ payload }) => JSON.parse(payload) as { exchange: string, price: string }
  )
  t.same(
    said.map(({ exchange }) => exchange).filter((who, index, all) => who !== all[index - 1]),
    [first, second, first],
    'one after another'
  )
  for (const name of [first, second]) {
    const numbers = said.filter(({ exchange }) => exchange === name).map(({ price }) => Number(price))
    t.ok(
      numbers.every((number, index) => index === 0 || number > numbers[index - 1]!),
      `${name}: each once, in order`
    )
  }
})
