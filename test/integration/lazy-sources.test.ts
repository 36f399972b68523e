import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import { openClient, until } from '../helpers/clients.js'
import { deploy, logged } from '../helpers/node-processes.js'
import { redisProgram } from '../helpers/redis-server.js'

/** A source that runs while somebody subscribes to it, on whichever server. */
const options = { skip: redisProgram === undefined ? 'there is no Redis' : false } as const

test('runs a lazy source from the first subscriber anywhere until some time after the last', options, async t => {
  const deployment = await deploy(t, ['a', 'b'], 'simulated?rate=5&lazy=3')
  const { observer, node, seen } = deployment
  await seen('both are there', ({ nodes }) => nodes.length === 3)
  await seen('nobody runs it', ({ leases }) => leases[0]?.state === 'waiting')
  const { symbols } = (await (await fetch(`${node('a').origin}/v1/symbols?market=NASDAQ`)).json()) as {
    symbols: unknown[]
  }
  t.ok(symbols.length > 5, 'what it would serve is known')
  t.equal((await logged(deployment, topic => topic.startsWith('quotes:'))).length, 0)

  let heard = 0
  const events = {
    onMessage: ({ sequence }: { sequence?: number }) => {
      if (sequence !== undefined) heard++
    },
    onCursor: () => {}
  }
  const askedAt = performance.now()
  const onB = openClient('sse', node('b').origin, 'subscribe=quotes:AAPL', undefined, events)
  await until('a message has come', () => heard > 0, 60_000)
  t.comment(`the first message after ${Math.round(performance.now() - askedAt)} ms`)
  const running = await seen(
    'it runs where it is wanted',
    ({ leases }) => leases[0]?.state === 'running' && leases[0].token !== undefined
  )
  t.equal(running.leases[0]!.name, 'b')
  await seen('its node says that it is wanted', ({ nodes }) =>
    nodes.find(({ name }) => name === 'b')!.wants.includes('simulated')
  )

  const onA = openClient('ws-json', node('a').origin, 'subscribe=quotes:@market/NASDAQ', undefined, events)
  await seen('it is wanted there, too', ({ nodes }) =>
    nodes.find(({ name }) => name === 'a')!.wants.includes('simulated')
  )
  onB.cut()
  await seen(
    'it is not wanted there any more',
    ({ nodes }) => nodes.find(({ name }) => name === 'b')!.wants.length === 0
  )
  // Longer than the source lingers without subscribers.
  await delay(6000)
  const { leases: [lease] } = await seen('somebody holds it', ({ leases }) => leases.length > 0)
  t.match(
    lease,
    { name: 'b', token: running.leases[0]!.token },
    'it stays where it is while another node wants it'
  )
  onA.cut()
  await seen('it ends', ({ leases }) => leases[0]!.state === 'waiting')
  const { length } = await logged(deployment, () => true)
  const poll = await fetch(`${observer.origin}/v1/stream?subscribe=quotes:AAPL`)
  t.equal(poll.status, 200)
  await delay(1500)
  t.equal(
    (await logged(deployment, () => true)).length,
    length,
    'a server without the source does not ask for it, so nobody who could run it wants it'
  )

  t.equal((await fetch(`${node('a').origin}/v1/stream?subscribe=quotes:AAPL`)).status, 200)
  await seen(
    'a poll makes it run, too',
    ({ leases }) => leases[0]!.state === 'running' && leases[0]!.name === 'a'
  )
  t.ok((await logged(deployment, () => true)).length >= length)
})
