import { setTimeout as delay } from 'node:timers/promises'
import type { Instrument } from '@tickwire/protocol'
import { ProtocolError, standardChannels } from '@tickwire/protocol'
import { type Test, test } from 'tap'
import { type AppendItem, type Fence, StaleFence } from '../../src/log/log.js'
import { MemoryLog } from '../../src/log/memory/memory-log.js'
import { LEASE_MS } from '../../src/sources/leased-source.js'
import type { Source, SourceContext, SourceMessage } from '../../src/sources/source.js'
import { SourceSupervisor } from '../../src/sources/supervisor.js'
import type { Leases } from '../../src/coordination/leases.js'
import { MemoryCoordination } from '../../src/coordination/memory/memory-coordination.js'
import { until } from '../helpers/clients.js'

/** Several nodes in one process: a store and a log that they share. */
class Deployment {
  readonly store = new MemoryCoordination()
  readonly log = new MemoryLog({ channels: standardChannels, retention: { messages: 10_000, seconds: 3600, bytes: 1 << 26 }, maxTopics: 100 })
  readonly nodes: Node[] = []
  /** In the order in which they were raised: a holder is known by its place. */
  readonly tokens: number[] = []

  constructor (readonly t: Test) {
    t.teardown(async () => {
      await Promise.all(this.nodes.map(({ supervisor }) => supervisor.close()))
      await this.log.close()
      await this.store.close()
    })
  }

  node (sources: readonly Source[], leases: Leases = this.store.leases): Node {
    const node = new Node(this, `n${this.nodes.length + 1}`, sources, leases)
    this.nodes.push(node)
    return node
  }

  /** What the log has of a topic: who said it, and with which fence. */
  async said (symbol: string): Promise<string[]> {
    return (await this.log.read(`trades:${symbol}`, { sequence: 0 }, 10_000)).entries.map(({ payload }) => JSON.parse(payload) as string)
  }
}

class Node {
  readonly lines: string[] = []
  readonly introduced: string[] = []
  readonly wants = new Set<string>()
  readonly supervisor: SourceSupervisor
  fenced = 0
  private token = 0

  constructor (readonly deployment: Deployment, readonly name: string, sources: readonly Source[], leases: Leases) {
    const { store, log } = deployment
    const { tokens } = deployment
    const append = async (items: readonly AppendItem[], fence: Fence): Promise<void> => { await log.append(items, { fence }) }
    this.supervisor = new SourceSupervisor(sources, {
      node: { id: name, name: `node ${name}` },
      coordination: { leases, ask: question => store.ask(question), answer: answer => store.answer(answer) },
      logger: {
        info: details => { this.lines.push(`${(details as { source: string }).source} ${(details as { state: string }).state}`) },
        warn: (_details, message) => { this.lines.push(message) },
        error: (_details, message) => { this.lines.push(message) }
      },
      firstRetryMs: 5,
      raise: async source => {
        const fence = await log.raise(source)
        this.token = tokens.push(fence.token)
        return fence
      },
      publish: async (messages, fence) => {
        await append(messages.map(({ channel, symbol }) => ({ topic: `${channel}:${symbol!}`, payload: JSON.stringify(`${name} ${this.token}`) })), fence)
        return []
      },
      declare: async () => [],
      introduce: async instruments => { this.introduced.push(...instruments.map(({ symbol }) => symbol)) },
      instrument: () => undefined,
      isWantedHere: source => this.wants.has(source),
      isWantedElsewhere: async source => deployment.nodes.some(node => node !== this && node.wants.has(source)),
      isKnownElsewhere: async source => deployment.nodes.some(node => node !== this && Object.hasOwn(node.states, source)),
      isAlone: async () => deployment.nodes.length === 1,
      onHeld: () => {},
      onFenced: () => { this.fenced++ }
    })
  }

  get states (): Record<string, string> {
    return Object.fromEntries(this.supervisor.status().map(({ name, state }) => [name, state]))
  }

  want (source: string, wanted: boolean): void {
    if (wanted) this.wants.add(source)
    else this.wants.delete(source)
    this.supervisor.demanded(source)
  }
}

const untilStopped = ({ signal }: SourceContext): Promise<void> => new Promise(resolve => { signal.addEventListener('abort', () => { resolve() }) })
const message = (symbol: string): SourceMessage => ({ channel: 'trades', symbol, data: {} })

/** Says something every few milliseconds. */
const ticking = (name: string): Source['run'] => async ({ publish, signal }) => {
  while (!signal.aborted) {
    await publish([message(name)])
    await delay(2, undefined, { signal }).catch(() => {})
  }
}

const make = (name: string, run: Source['run'], more: Partial<Source> = {}): Source => ({ name, manual: false, run, instruments: async (): Promise<Instrument[]> => [{ symbol: name, market: 'M' }], ...more })

/** Who spoke, without who repeats himself. */
const speakers = (said: readonly string[]): string[] => said.filter((who, index) => who !== said[index - 1])

test('states, manual starts, failures that are tried again, an end', async t => {
  let attempts = 0
  const node = new Deployment(t).node([
    make('steady', untilStopped),
    make('held', untilStopped, { manual: true }),
    make('short', async () => {}),
    make('shaky', async context => {
      if (++attempts < 3) throw new Error('not yet')
      await untilStopped(context)
    })
  ])
  const { supervisor } = node
  t.same(node.states, { steady: 'waiting', held: 'waiting', short: 'waiting', shaky: 'waiting' })
  await supervisor.begin()
  t.same(node.introduced.slice(0, 4), ['steady', 'held', 'short', 'shaky'], 'all are introduced, also those that wait')
  await until('they are where they go', () => node.states['short'] === 'ended' && attempts === 3)
  t.same(node.states, { steady: 'running', held: 'waiting', short: 'ended', shaky: 'running' })
  t.equal(await supervisor.start('held'), true)
  t.equal(node.states['held'], 'running')
  t.equal(await supervisor.start('held'), true, 'once more changes nothing')
  t.equal(await supervisor.start('unheard'), false)
  t.equal(await supervisor.stop('unheard'), false)
  t.equal(await supervisor.stop('steady'), true)
  await until('it has ended', () => node.states['steady'] === 'ended')
  t.equal(await supervisor.start('steady'), true, 'one that was stopped begins anew')
  t.equal(node.states['steady'], 'running')
  t.equal(await supervisor.start('short'), true, 'and so does one that was done')
  await until('it is done again', () => node.lines.filter(line => line === 'short ended').length === 2)
  await supervisor.close()
  t.same(node.states, { steady: 'ended', held: 'ended', short: 'ended', shaky: 'ended' })
  t.ok(node.lines.includes('a source failed and will be started again'))
})

test('a source that throws at once, rejects, or fails in a timer or a listener is started again, and what it left behind says nothing more', async t => {
  const attempts: Record<string, number> = {}
  const failing = (name: string, fail: (context: SourceContext) => Promise<void>): Source => make(name, context => {
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
  await until('each runs for the third time', () => Object.values(attempts).filter(count => count === 3).length === 5 && Object.values(node.states).every(state => state === 'running'))
  t.equal(node.lines.filter(line => line === 'a source failed and will be started again').length, 10)
  await t.rejects(leftover!.publish([message('timer')]), 'the attempt that failed is over')
})

test('a source runs on one node; when that one goes, the other goes on at once, with a higher token', async t => {
  const deployment = new Deployment(t)
  const [one, other] = [deployment.node([make('s', ticking('s'))]), deployment.node([make('s', ticking('s'))])]
  await one.supervisor.begin()
  await other.supervisor.begin()
  t.same([one.states, other.states], [{ s: 'running' }, { s: 'waiting' }])
  await until('it has said something', () => one.lines.length > 0)
  await one.supervisor.close()
  // Nobody waits for a lease to end here: the other is told.
  await until('the other runs it', () => other.states['s'] === 'running')
  t.match(await deployment.store.leases.look('s'), { holder: 'n2', switched: undefined })
  t.match(JSON.parse((await deployment.store.leases.look('s')).note), { name: 'node n2', token: deployment.tokens[1], since: Number })
  t.ok(deployment.tokens[1]! > deployment.tokens[0]!)
  let said: string[] = []
  for (; said.at(-1) !== 'n2 2'; await delay(5)) said = await deployment.said('s')
  t.same(speakers(said), ['n1 1', 'n2 2'])
})

test('who is done with a source is done for all; a start begins it anew, asked of a node that does not have it', async t => {
  const deployment = new Deployment(t)
  let runs = 0
  const source = (): Source => make('once', async ({ publish }) => { runs++; await publish([message('once')]) })
  const nodes = [deployment.node([source()]), deployment.node([source()]), deployment.node([])]
  for (const { supervisor } of nodes) await supervisor.begin()
  await until('all know', () => nodes.slice(0, 2).every(({ states }) => states['once'] === 'ended'))
  t.equal(runs, 1)
  t.equal(await nodes[2]!.supervisor.start('once'), true)
  await until('it ran again', () => runs === 2)
  await until('all know it again', () => nodes.slice(0, 2).every(({ states }) => states['once'] === 'ended'))
  t.equal(await nodes[2]!.supervisor.start('twice'), false, 'no node has it')
})

test('stopped by a node that does not run it: when that is answered its last message is in the log', async t => {
  const deployment = new Deployment(t)
  const nodes = [deployment.node([make('s', ticking('s'))]), deployment.node([make('s', ticking('s'))]), deployment.node([])]
  for (const { supervisor } of nodes) await supervisor.begin()
  for (const asked of [1, 2]) {
    t.equal(await nodes[asked]!.supervisor.stop('s'), true)
    const { length } = await deployment.said('s')
    t.ok(length > 0)
    t.match(await deployment.store.leases.look('s'), { holder: undefined, switched: false })
    await until('both know', () => nodes.slice(0, 2).every(({ states }) => states['s'] === 'ended'))
    t.equal((await deployment.said('s')).length, length)
    await nodes[asked]!.supervisor.start('s')
    await until('it runs', () => nodes.some(({ states }) => states['s'] === 'running'))
  }
  await nodes[0]!.supervisor.forget()
  t.equal((await deployment.store.leases.look('s')).switched, true, 'while others are there it is remembered')
})

test('the last node that goes has it forgotten what was switched', async t => {
  const deployment = new Deployment(t)
  const { supervisor } = deployment.node([make('s', untilStopped)])
  await supervisor.begin()
  await supervisor.stop('s')
  await supervisor.close()
  await supervisor.forget()
  t.equal((await deployment.store.leases.look('s')).switched, undefined)
})

test('a source that another has taken over: what it says is refused and counted, also where it takes no notice; then it begins anew', async t => {
  const deployment = new Deployment(t)
  const refusals: unknown[] = []
  const deaf: Source['run'] = async ({ publish, signal }) => {
    for (;;) {
      await publish([message('s')]).catch((error: unknown) => { refusals.push(error) })
      // What is refused after it was told to end does not reach the log.
      if (signal.aborted && refusals.length > 1) return
      await delay(1)
    }
  }
  const node = deployment.node([make('s', deaf)])
  await node.supervisor.begin()
  await deployment.log.raise('s')
  await until('it has begun anew', () => node.fenced === 1 && node.states['s'] === 'running')
  t.ok(refusals[0] instanceof StaleFence)
  t.match((refusals[0] as Error).message, `messages of the source s with the token ${deployment.tokens[0]!} are refused: another server has taken it over`)
  t.notOk(refusals[1] instanceof StaleFence, 'refused here')
  let said: string[] = []
  for (; said.at(-1) !== 'n1 2'; await delay(5)) said = await deployment.said('s')
  t.same(speakers(said), ['n1 1', 'n1 2'])
  t.ok(node.lines.includes('a source stopped: another server has taken it over, and the log refused its messages since'))
})

test('a lease that cannot be renewed: the source ends here before another may have it, and begins anew when it can', async t => {
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
  const [one, other] = [deployment.node([make('s', ticking('s'))], shaky), deployment.node([make('s', ticking('s'))])]
  await one.supervisor.begin()
  await other.supervisor.begin()
  away = true
  await until('it ended', () => one.states['s'] === 'waiting')
  t.equal((await leases.look('s')).holder, 'n1', 'before the lease was over')
  await until('the other has it', () => other.states['s'] === 'running')
  t.equal(one.fenced, 0, 'nothing was said too late')
  away = false
  await other.supervisor.close()
  await until('it has it again', () => one.states['s'] === 'running')
  let said: string[] = []
  for (; said.at(-1) !== 'n1 3'; await delay(5)) said = await deployment.said('s')
  t.same(speakers(said), ['n1 1', 'n2 2', 'n1 3'])
})

test('a process that was held up longer than its lease goes on where nobody has taken it', async t => {
  const deployment = new Deployment(t)
  let runs = 0
  const node = deployment.node([make('s', async context => { runs++; await ticking('s')(context) })])
  await node.supervisor.begin()
  const before = (await deployment.said('s')).length
  for (const end = performance.now() + LEASE_MS + 500; performance.now() < end;);
  t.equal((await deployment.store.leases.look('s')).holder, undefined, 'its lease was over')
  let { length } = await deployment.said('s')
  for (; length < before + 100; await delay(5)) length = (await deployment.said('s')).length
  t.match(await deployment.store.leases.look('s'), { holder: 'n1' })
  t.equal(runs, 1)
})

test('a lazy source runs where it is wanted, while anybody wants it and some time beyond', async t => {
  const LINGER_MS = 1500
  const deployment = new Deployment(t)
  const lazy = { channels: ['trades'], lingerMs: LINGER_MS }
  const nodes = Array.from({ length: 3 }, () => deployment.node([make('s', untilStopped, { lazy })])) as [Node, Node, Node]
  for (const { supervisor } of nodes) await supervisor.begin()
  const states = (): string[] => nodes.map(({ states }) => states['s']!)
  t.same(states(), ['waiting', 'waiting', 'waiting'])
  t.same(nodes.map(({ introduced }) => introduced), [['s'], ['s'], ['s']], 'what it would say is known')
  t.ok(nodes[0].supervisor.covers('s', 's') && nodes[0].supervisor.covers('s', 'M') && !nodes[0].supervisor.covers('s', 'other'))

  nodes[1].want('s', true)
  await until('it runs where it is wanted', () => states()[1] === 'running')
  nodes[2].want('s', true)
  nodes[1].want('s', false)
  t.same(nodes.map(({ supervisor }) => supervisor.wanted()), [[], ['s'], ['s']], 'one that has just gone is seen by the others still')
  await delay(3 * LINGER_MS)
  t.same(states(), ['waiting', 'running', 'waiting'], 'wanted elsewhere it goes on where it is')
  t.same(nodes.map(({ supervisor }) => supervisor.wanted()), [[], [], ['s']])

  const goneAt = performance.now()
  nodes[2].want('s', false)
  await until('it ends', () => states()[1] === 'waiting')
  t.ok(performance.now() - goneAt >= LINGER_MS - 1000 - 50, 'not before the holder had seen it wanted last, a second ago at most, and the time was over')
  await until('nobody has it', () => states().every(state => state === 'waiting'))
  t.equal((await deployment.store.leases.look('s')).holder, undefined)

  nodes[0].want('s', true)
  await until('it runs again', () => states()[0] === 'running')
  nodes[0].want('s', false)
  nodes[2].want('s', true)
  await nodes[0].supervisor.close()
  await until('the one who wants it takes it over', () => states()[2] === 'running')
  await nodes[1].supervisor.stop('s')
  await until('it is stopped', () => states()[2] === 'ended')
  nodes[1].want('s', true)
  await delay(100)
  t.same(states(), ['ended', 'ended', 'ended'], 'and does not run, whoever wants it')
  await nodes[1].supervisor.start('s')
  await until('it runs', () => states().includes('running'))
})
