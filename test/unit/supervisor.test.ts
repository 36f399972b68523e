import { setTimeout as delay } from 'node:timers/promises'
import type { Instrument } from '@tickwire/protocol'
import { ProtocolError } from '@tickwire/protocol'
import { test } from 'tap'
import { StaleFence } from '../../src/log/log.js'
import { LEASE_MS } from '../../src/sources/leased-source.js'
import type { Source, SourceContext, SourceMessage } from '../../src/sources/source.js'
import type { Leases } from '../../src/coordination/leases.js'
import { until } from '../helpers/clients.js'
import { Deployment, type Node } from './deployment.js'

const untilStopped = ({ signal }: SourceContext): Promise<void> =>
  new Promise(resolve => {
    signal.addEventListener('abort', () => {
      resolve()
    })
  })
const message = (symbol: string): SourceMessage => ({ channel: 'trades', symbol, data: {} })

/** Publishes a message every few milliseconds. */
const ticking = (name: string): Source['run'] => async ({ publish, signal }) => {
  while (!signal.aborted) {
    await publish([message(name)])
    await delay(2, undefined, { signal }).catch(() => {})
  }
}

const makeSource = (name: string, run: Source['run'], more: Partial<Source> = {}): Source => ({
  name,
  manual: false,
  run,
  instruments: async (): Promise<Instrument[]> => [{ symbol: name, market: 'M' }],
  ...more
})

/** Lists the speakers in order, each once for its messages in a row. */
const speakers = (said: readonly string[]): string[] => said.filter((who, index) => who !== said[index - 1])

test('starts sources, waits for manual ones, tries failed ones again, and ends them', async t => {
  let attempts = 0
  const node = new Deployment(t).node([
    makeSource('steady', untilStopped),
    makeSource('held', untilStopped, { manual: true }),
    makeSource('short', async () => {}),
    makeSource('shaky', async context => {
      if (++attempts < 3) throw new Error('not yet')
      await untilStopped(context)
    })
  ])
  const { supervisor } = node
  t.same(node.states, { steady: 'waiting', held: 'waiting', short: 'waiting', shaky: 'waiting' })
  await supervisor.begin()
  t.same(
    node.introduced.slice(0, 4),
    ['steady', 'held', 'short', 'shaky'],
    'all are introduced, even those that wait'
  )
  await until('short has ended and shaky runs', () => node.states['short'] === 'ended' && attempts === 3)
  t.same(node.states, { steady: 'running', held: 'waiting', short: 'ended', shaky: 'running' })
  t.equal(await supervisor.start('held'), true)
  t.equal(node.states['held'], 'running')
  t.equal(await supervisor.start('held'), true, 'a second start changes nothing')
  t.equal(await supervisor.start('unheard'), false)
  t.equal(await supervisor.stop('unheard'), false)
  t.equal(await supervisor.stop('steady'), true)
  await until('it has ended', () => node.states['steady'] === 'ended')
  t.equal(await supervisor.start('steady'), true, 'a stopped source begins again')
  t.equal(node.states['steady'], 'running')
  t.equal(await supervisor.start('short'), true, 'a source that was done begins again, too')
  await until('it is done again', () => node.lines.filter(line => line === 'short ended').length === 2)
  await supervisor.close()
  t.same(node.states, { steady: 'ended', held: 'ended', short: 'ended', shaky: 'ended' })
  t.ok(node.lines.includes('a source failed and will be started again'))
})

test('restarts a source however it fails, and takes nothing more from the failed attempt', async t => {
  const attempts: Record<string, number> = {}
  const failing = (name: string, fail: (context: SourceContext) => Promise<void>): Source =>
    makeSource(name, context => {
      attempts[name] = (attempts[name] ?? 0) + 1
      return attempts[name] > 2 ? untilStopped(context) : fail(context)
    })
  let leftover: SourceContext | undefined
  const node = new Deployment(t).node([
    failing('at-once', () => { throw new Error('at once') }),
    failing('later', async () => { throw new Error('later') }),
    failing('nothing', () => new Promise((_resolve, reject) => { reject(new TypeError('in a promise')) })),
    failing('timer', async context => {
      leftover ??= context
      setTimeout(context.guard(() => { throw new Error('in a timer') }), 1)
      await untilStopped(context)
    }),
    failing('listener', async context => {
      setTimeout(context.guard(async () => { throw new Error('in a listener') }), 1)
      await untilStopped(context)
    })
  ])
  await node.supervisor.begin()
  const runsThirdTime = (): boolean =>
    Object.values(attempts).filter(count => count === 3).length === 5 &&
    Object.values(node.states).every(state => state === 'running')
  await until('each runs for the third time', runsThirdTime)
  t.equal(node.lines.filter(line => line === 'a source failed and will be started again').length, 10)
  await t.rejects(leftover!.publish([message('timer')]), 'the failed attempt is over')
})

test('lets nothing that a failed attempt has sent come after what the next one says', async t => {
  const deployment = new Deployment(t)
  let attempts = 0
  const node = deployment.node([
    makeSource('s', async context => {
      await context.publish([message('s')])
      if (++attempts === 1) throw new ProtocolError('log_unavailable')
      await untilStopped(context)
    })
  ])
  await node.supervisor.begin()
  await until('it was tried again', () => attempts === 2)
  const [first, second] = deployment.fences
  // A log that could not be reached may take later what was sent to it before.
  const late = [{ topic: 'trades:s', payload: '"late"' }]
  await t.rejects(deployment.log.append(late, { fence: first! }), StaleFence)
  await deployment.log.append([{ topic: 'trades:s', payload: '"n1 now"' }], { fence: second! })
  t.same(await deployment.said('s'), ['n1 1', 'n1 2', 'n1 now'])
  t.match(JSON.parse((await deployment.store.leases.look('s')).note), { token: second!.token })
})

test('runs a source on one node, and on the other with a higher token as soon as the first one goes', async t => {
  const deployment = new Deployment(t)
  const [one, other] = [
    deployment.node([makeSource('s', ticking('s'))]),
    deployment.node([makeSource('s', ticking('s'))])
  ]
  await one.supervisor.begin()
  await other.supervisor.begin()
  t.same([one.states, other.states], [{ s: 'running' }, { s: 'waiting' }])
  await until('it has published something', () => one.lines.length > 0)
  await one.supervisor.close()
  // Nobody waits here for a lease to end, because the node that goes tells the other one.
  await until('the other runs it', () => other.states['s'] === 'running')
  t.match(await deployment.store.leases.look('s'), { holder: 'n2', switched: undefined })
  t.match(JSON.parse((await deployment.store.leases.look('s')).note), {
    name: 'node n2',
    token: deployment.fences[1]!.token,
    since: Number
  })
  t.ok(deployment.fences[1]!.token > deployment.fences[0]!.token)
  let said: string[] = []
  for (; said.at(-1) !== 'n2 2'; await delay(5)) said = await deployment.said('s')
  t.same(speakers(said), ['n1 1', 'n2 2'])
})

test('ends a finished source on all nodes, and begins it again when a node without it is asked to start it', async t => {
  const deployment = new Deployment(t)
  let runs = 0
  const source = (): Source =>
    makeSource('once', async ({ publish }) => {
      runs++
      await publish([message('once')])
    })
  const nodes = [deployment.node([source()]), deployment.node([source()]), deployment.node([])]
  for (const { supervisor } of nodes) await supervisor.begin()
  await until('all know it', () => nodes.slice(0, 2).every(({ states }) => states['once'] === 'ended'))
  t.equal(runs, 1)
  t.equal(await nodes[2]!.supervisor.start('once'), true)
  await until('it ran again', () => runs === 2)
  await until('all know it again', () => nodes.slice(0, 2).every(({ states }) => states['once'] === 'ended'))
  t.equal(await nodes[2]!.supervisor.start('twice'), false, 'no node has it')
})

test('has the last message in the log when it answers a stop, also on a node that does not run the source', async t => {
  const deployment = new Deployment(t)
  const nodes = [
    deployment.node([makeSource('s', ticking('s'))]),
    deployment.node([makeSource('s', ticking('s'))]),
    deployment.node([])
  ]
  for (const { supervisor } of nodes) await supervisor.begin()
  for (const asked of [1, 2]) {
    t.equal(await nodes[asked]!.supervisor.stop('s'), true)
    const { length } = await deployment.said('s')
    t.ok(length > 0)
    t.match(await deployment.store.leases.look('s'), { holder: undefined, switched: false })
    await until('both know it', () => nodes.slice(0, 2).every(({ states }) => states['s'] === 'ended'))
    t.equal((await deployment.said('s')).length, length)
    await nodes[asked]!.supervisor.start('s')
    await until('it runs', () => nodes.some(({ states }) => states['s'] === 'running'))
  }
  await nodes[0]!.supervisor.forget()
  t.equal(
    (await deployment.store.leases.look('s')).switched,
    true,
    'the switch is remembered while other nodes are there'
  )
})

test('forgets the switches when the last node goes', async t => {
  const deployment = new Deployment(t)
  const { supervisor } = deployment.node([makeSource('s', untilStopped)])
  await supervisor.begin()
  await supervisor.stop('s')
  await supervisor.close()
  await supervisor.forget()
  t.equal((await deployment.store.leases.look('s')).switched, undefined)
})

test('refuses and counts the messages of a source that another node took over, and begins it again', async t => {
  const deployment = new Deployment(t)
  const refusals: unknown[] = []
  const ignoring: Source['run'] = async ({ publish, signal }) => {
    for (;;) {
      await publish([message('s')]).catch((error: unknown) => { refusals.push(error) })
      // The node refuses what comes after it told the source to end, so this does not reach the log.
      if (signal.aborted && refusals.length > 1) return
      await delay(1)
    }
  }
  const node = deployment.node([makeSource('s', ignoring)])
  await node.supervisor.begin()
  await deployment.log.raise('s')
  await until('it has begun again', () => node.fenced === 1 && node.states['s'] === 'running')
  t.ok(refusals[0] instanceof StaleFence)
  t.match(
    (refusals[0] as Error).message,
    `messages of the source s with the token ${deployment.fences[0]!.token} are refused: ` +
      'another server has taken the source over'
  )
  t.notOk(refusals[1] instanceof StaleFence, 'the node refused it')
  let said: string[] = []
  for (; said.at(-1) !== 'n1 2'; await delay(5)) said = await deployment.said('s')
  t.same(speakers(said), ['n1 1', 'n1 2'])
  t.ok(node.lines.includes('a source stopped: another server has taken it over, and the log refused its messages since'))
})

test('ends a source whose lease cannot be renewed before another node can hold it, and begins it again later', async t => {
  const deployment = new Deployment(t)
  const { store: { leases } } = deployment
  let away = false
  const check = (): void => { if (away) throw new ProtocolError('log_unavailable') }
  const shaky: Leases = {
    hold: async (name, hold) => { check(); return await leases.hold(name, hold) },
    look: async name => { check(); return await leases.look(name) },
    release: async (name, node, off) => { check(); await leases.release(name, node, off) },
    turn: async (name, on) => { check(); await leases.turn(name, on) }
  }
  const [one, other] = [
    deployment.node([makeSource('s', ticking('s'))], shaky),
    deployment.node([makeSource('s', ticking('s'))])
  ]
  await one.supervisor.begin()
  await other.supervisor.begin()
  away = true
  await until('it ended', () => one.states['s'] === 'waiting')
  t.equal((await leases.look('s')).holder, 'n1', 'it ended before the lease was over')
  await until('the other has it', () => other.states['s'] === 'running')
  t.equal(one.fenced, 0, 'nothing was published too late')
  away = false
  await other.supervisor.close()
  await until('it has it again', () => one.states['s'] === 'running')
  let said: string[] = []
  for (; said.at(-1) !== 'n1 3'; await delay(5)) said = await deployment.said('s')
  t.same(speakers(said), ['n1 1', 'n2 2', 'n1 3'])
})

test('continues a source that was held up longer than its lease if no other node took it', async t => {
  const deployment = new Deployment(t)
  let runs = 0
  const node = deployment.node([makeSource('s', async context => { runs++; await ticking('s')(context) })])
  await node.supervisor.begin()
  const before = (await deployment.said('s')).length
  for (const end = performance.now() + LEASE_MS + 500; performance.now() < end;);
  t.equal((await deployment.store.leases.look('s')).holder, undefined, 'its lease was over')
  let { length } = await deployment.said('s')
  for (; length < before + 100; await delay(5)) length = (await deployment.said('s')).length
  t.match(await deployment.store.leases.look('s'), { holder: 'n1' })
  t.equal(runs, 1)
})

test('runs a lazy source where it is wanted, while anybody wants it and some time longer', async t => {
  const LINGER_MS = 1500
  const deployment = new Deployment(t)
  const lazy = { channels: ['trades'], lingerMs: LINGER_MS }
  const nodes = Array.from({ length: 3 }, () =>
    deployment.node([makeSource('s', untilStopped, { lazy })])
  ) as [Node, Node, Node]
  for (const { supervisor } of nodes) await supervisor.begin()
  const states = (): string[] => nodes.map(({ states }) => states['s']!)
  t.same(states(), ['waiting', 'waiting', 'waiting'])
  t.same(nodes.map(({ introduced }) => introduced), [['s'], ['s'], ['s']], 'what it would publish is known')
  t.ok(
    nodes[0].supervisor.covers('s', 's') &&
      nodes[0].supervisor.covers('s', 'M') &&
      !nodes[0].supervisor.covers('s', 'other')
  )

  nodes[1].want('s', true)
  await until('it runs where it is wanted', () => states()[1] === 'running')
  nodes[2].want('s', true)
  nodes[1].want('s', false)
  t.same(
    nodes.map(({ supervisor }) => supervisor.wanted()),
    [[], ['s'], ['s']],
    'the others still see the one that has just gone'
  )
  await delay(3 * LINGER_MS)
  t.same(states(), ['waiting', 'running', 'waiting'], 'it stays where it is while it is wanted elsewhere')
  t.same(nodes.map(({ supervisor }) => supervisor.wanted()), [[], [], ['s']])

  const goneAt = performance.now()
  nodes[2].want('s', false)
  await until('it ends', () => states()[1] === 'waiting')
  t.ok(
    performance.now() - goneAt >= LINGER_MS - 1000 - 50,
    'it lingers from when the holder last saw it wanted, which is at most a second before nobody wanted it'
  )
  await until('nobody has it', () => states().every(state => state === 'waiting'))
  t.equal((await deployment.store.leases.look('s')).holder, undefined)

  nodes[0].want('s', true)
  await until('it runs again', () => states()[0] === 'running')
  nodes[0].want('s', false)
  nodes[2].want('s', true)
  await nodes[0].supervisor.close()
  await until('the node that wants it takes it over', () => states()[2] === 'running')
  await nodes[1].supervisor.stop('s')
  await until('it is stopped', () => states()[2] === 'ended')
  nodes[1].want('s', true)
  await delay(100)
  t.same(states(), ['ended', 'ended', 'ended'], 'it does not run, whoever wants it')
  await nodes[1].supervisor.start('s')
  await until('it runs', () => states().includes('running'))
})
