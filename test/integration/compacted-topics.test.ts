import { Type } from '@sinclair/typebox'
import { type ChannelDefinition, defineChannel } from '@tickwire/protocol'
import Fastify, { type FastifyInstance } from 'fastify'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { openStore } from '../../src/store/open-store.js'
import { tickwire } from '../../src/tickwire.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

/** What a server with a log in memory must not forget when it is restarted. */

const holdings = (schema = Type.Object({ cash: Type.String() })): ChannelDefinition => defineChannel({
  name: 'holdings',
  type: 'holding',
  description: 'What a server must not forget.',
  keyed: true,
  access: 'internal',
  schema,
  reduce: 'last',
  compacted: true
})

interface Server {
  readonly app: FastifyInstance
  readonly lines: Array<{ readonly msg: string, readonly topic?: string, readonly topics?: number }>
  /** The state of a holding. */
  cash (symbol: string): Promise<unknown>
}

async function start (t: Test, folder: string, channels: readonly ChannelDefinition[]): Promise<Server> {
  const lines: Server['lines'] = []
  const app = Fastify({ logger: { level: 'info', stream: { write: line => { lines.push(JSON.parse(line) as never) } } } })
  t.teardown(() => app.close())
  await app.register(tickwire, { channels, settings: { DATA_DIR: folder, LOG_SHARDS: 2 } })
  await app.ready()
  return {
    app,
    lines,
    async cash (symbol) {
      const state = await app.tickwire.parts.log.snapshot(`holdings:${symbol}`)
      return state === undefined ? undefined : JSON.parse(state.payload)
    }
  }
}

const publish = async ({ app }: Server, symbol: string, cash: string | null): Promise<unknown> =>
  (await app.tickwire.publishAll([{ channel: 'holdings', symbol, data: cash === null ? null : { cash } }]))[0]

test('a restarted server has the newest message of each compacted topic, and none of those that were removed', async t => {
  const folder = temporaryFolder(t)
  const first = await start(t, folder, [holdings()])
  for (const symbol of ['A', 'B', 'C', '삼성전자']) await publish(first, symbol, '1')
  await publish(first, 'A', '2')
  t.match(await publish(first, 'B', null), { sequence: 2 })
  t.match(await publish(first, 'C', null), { sequence: 2 })
  await publish(first, 'C', '3')
  await first.app.close()

  const second = await start(t, folder, [holdings()])
  t.same(await second.cash('A'), { cash: '2' })
  t.equal(await second.cash('B'), undefined)
  t.same(await second.cash('C'), { cash: '3' })
  t.same(await second.cash('삼성전자'), { cash: '1' })
  t.match(second.lines.find(({ msg }) => msg.includes('brought back')), { topics: 3 })
  await publish(second, 'A', '4')
  await publish(second, 'C', null)
  await second.app.close()

  const third = await start(t, folder, [holdings()])
  t.same(await third.cash('A'), { cash: '4' })
  t.equal(await third.cash('C'), undefined)
  t.same(await third.cash('삼성전자'), { cash: '1' }, 'what was not changed stays, too')
})

test('a clock that was set back between two starts keeps no new message from the store', async t => {
  const folder = temporaryFolder(t)
  const store = await openStore({ DATA_DIR: folder }, { isShared: false, log: () => {} })
  const tomorrow = Date.now() + 86_400_000
  store.write('states', { topic: 'holdings:A', channel: 'holdings', symbol: 'A', user_id: null, data: '{"cash":"1"}', epoch: 1, sequence: 9, timestamp: tomorrow })
  await store.close()
  const first = await start(t, folder, [holdings()])
  t.same(await first.cash('A'), { cash: '1' })
  await publish(first, 'A', '2')
  await publish(first, 'A', '3')
  await first.app.close()
  t.same(await (await start(t, folder, [holdings()])).cash('A'), { cash: '3' })
})

test('a clock that was set back keeps nothing new of a removed topic from the store, either', async t => {
  const folder = temporaryFolder(t)
  const store = await openStore({ DATA_DIR: folder }, { isShared: false, log: () => {} })
  const removed = { topic: 'holdings:A', channel: 'holdings', symbol: 'A', user_id: null, data: null }
  store.write('states', { ...removed, epoch: 1, sequence: 9, timestamp: Date.now() + 86_400_000 })
  await store.close()
  const first = await start(t, folder, [holdings()])
  t.equal(await first.cash('A'), undefined)
  await publish(first, 'A', '1')
  await first.app.close()
  t.same(await (await start(t, folder, [holdings()])).cash('A'), { cash: '1' })
})

test('an application whose sources are misspelt leaves no store open', async t => {
  const folder = temporaryFolder(t)
  await (await start(t, folder, [holdings()])).app.close()
  const misspelt = { channels: [holdings()], sources: 'simulatd', settings: { DATA_DIR: folder } }
  await t.rejects(async () => { await Fastify().register(tickwire, misspelt) }, { name: 'ConfigError' })
  await t.resolves(start(t, folder, [holdings()]), 'the file can be opened again')
})

test('a stored message that no longer fits its channel is named, and stays in the store', async t => {
  const folder = temporaryFolder(t)
  const first = await start(t, folder, [holdings()])
  await publish(first, 'A', '1')
  await publish(first, 'B', '2')
  await first.app.close()

  const changed = await start(t, folder, [holdings(Type.Object({ cash: Type.Literal('2') }) as never)])
  t.equal(await changed.cash('A'), undefined)
  t.same(await changed.cash('B'), { cash: '2' })
  t.same(changed.lines.filter(({ msg }) => msg.includes('cannot be brought back')).map(({ topic }) => topic), ['holdings:A'])
  await changed.app.close()

  const again = await start(t, folder, [holdings()])
  t.same(await again.cash('A'), { cash: '1' })
})

test('a server without compacted channels makes no file', async t => {
  const folder = join(temporaryFolder(t), 'data')
  const server = await start(t, folder, [])
  await server.app.close()
  t.notOk(existsSync(folder))
})

test('a store that cannot be used keeps the server from starting', async t => {
  const folder = temporaryFolder(t)
  await start(t, folder, [holdings()])
  await t.rejects(start(t, join(folder, 'tickwire.duckdb'), [holdings()]), { name: 'ConfigError' })
})

test('a channel that cannot be compacted is refused where it is defined', async t => {
  const { compacted: _, ...plain } = holdings()
  t.throws(() => defineChannel({ ...plain, compacted: true, access: 'public' }), /is compacted, but its access is not 'internal'/)
  const { reduce: __, ...history } = plain
  t.throws(() => defineChannel({ ...history, compacted: true }), /is compacted, but its reduce is not 'last'/)
  t.throws(() => defineChannel({ ...plain, compacted: 'yes' as never }), /has compacted 'yes'; it is true, 'log' or false/)
})
