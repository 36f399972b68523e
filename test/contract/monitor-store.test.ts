import { test, type Test } from 'tap'
import { ConnectionLedger, type Observed } from '../../src/connection/connection-ledger.js'
import { ConnectionRecord } from '../../src/connection/connection-record.js'
import { LimitedCallers } from '../../src/connection/limited-callers.js'
import { WHOLE } from '../../src/hub/conflation/view.js'
import { makeSelector } from '../../src/hub/audience/selector.js'
import { Counters } from '../../src/metrics/counters.js'
import { Inspection } from '../../src/monitor/inspection.js'
import { MonitorStore } from '../../src/monitor/monitor-store.js'
import { Past } from '../../src/monitor/past.js'
import { MonitorRecorder } from '../../src/monitor/recorder.js'
import { accessTo } from '../../src/store/store.js'
import { monitorTableNames } from '../../src/store/monitor-tables.js'
import type { Database } from '../../src/store/database.js'
import type { WriterLimits } from '../../src/store/writer/writer.js'
import { standardChannels } from '@tickwire/protocol'
import { MemoryCoordination } from '../../src/coordination/memory/memory-coordination.js'
import { eventually } from '../helpers/eventually.js'
import { makePlace, type OpenedStore, openStore, QUICK, type StoreBackend, storeBackends } from './stores.js'

/** What the monitor keeps in the store, and what it says of it when the store was away. */
const MINUTE_MS = 60_000
const START = Math.floor(1_790_000_000_000 / MINUTE_MS) * MINUTE_MS
const NODE = { id: 'n1', name: 'one' }
const iso = (minutes: number): string => new Date(START + minutes * MINUTE_MS).toISOString()

class World {
  time = START + 15_000
  readonly ledger = new ConnectionLedger()
  readonly counters = new Counters()
  readonly limited = new LimitedCallers(() => this.time)
  readonly recorder: MonitorRecorder
  readonly past: Past
  readonly inspection: Inspection

  private constructor (t: Test, private readonly opened: OpenedStore, store: MonitorStore) {
    const now = (): number => this.time
    const { ledger, counters, limited } = this
    const onError = (error: unknown): void => { t.fail(String(error)) }
    this.recorder = new MonitorRecorder({
      store, ledger, counters, limited, node: NODE, started: START, onError, now
    })
    const nodes = async (): Promise<[typeof NODE & { started: string }]> => [{ ...NODE, started: iso(0) }]
    this.past = new Past(store, nodes, now)
    const coordination = new MemoryCoordination()
    this.inspection = new Inspection({
      coordination, ledger, node: NODE, nodes, store, isAcknowledged: () => false, openOf: async () => 0
    })
    t.teardown(() => {
      this.recorder.close()
      this.inspection.close()
      return coordination.close()
    })
  }

  static async open (
    t: Test, backend: StoreBackend, limits: WriterLimits = QUICK, wrap?: (database: Database) => Database
  ): Promise<World> {
    const opened = await openStore(t, await makePlace(t, backend), { limits, ...wrap && { wrap } })
    const settings = { MONITOR_DAYS: 30, DATA_DIR: '/nowhere' }
    const options = { isShared: false, log: () => {} }
    const store = await MonitorStore.open(settings, options, [accessTo(opened.store)])
    return new World(t, opened, store!)
  }

  get store (): OpenedStore['store'] {
    return this.opened.store
  }

  /** Lets minutes pass: in each, some messages of a channel are sent. */
  pass (minutes: number, messages: number): void {
    for (let minute = 0; minute < minutes; minute++) {
      for (const counted of [this.counters.channel('quotes'), this.counters.transport('websocket')]) {
        counted.messages += messages
        counted.bytes += 100 * messages
      }
      this.counters.delay('quotes', 2)
      this.time += MINUTE_MS
      this.recorder.tick()
    }
  }

  async metrics (from: number, to: number, channel?: string): ReturnType<Past['metrics']> {
    return await this.past.metrics({
      from: START + from * MINUTE_MS, to: START + to * MINUTE_MS, channel, limit: 1000
    })
  }
}

function connection (id: string, user: string | undefined, at: number): Observed & { heardAt: number } {
  return {
    id,
    transportName: 'websocket',
    address: '192.0.2.1',
    identity: { admin: false, ...user === undefined ? {} : { user } },
    openedAt: at,
    heardAt: at,
    streamState: 'live',
    unsent: 0,
    record: new ConnectionRecord()
  }
}

const quotes = (symbol: string, throttleMs = 0): ReturnType<typeof makeSelector> =>
  makeSelector(standardChannels.get('quotes')!, symbol, undefined, { view: throttleMs === 0 ? WHOLE : { throttleMs, depth: 0 } })

for (const backend of storeBackends) {
  test(backend.name, async t => {
    t.test('keeps connections and what they subscribed to, each minute and at their end', async t => {
      const world = await World.open(t, backend)
      const { ledger, recorder, store } = world
      const one = connection('c1', 'alice', world.time)
      ledger.add(one)
      one.record.subscribe('s1', 'quotes', [quotes('A', 250), quotes('B', 250)], world.time)
      recorder.tick()
      recorder.tick()
      t.ok(await store.flush())
      const rows = async (): Promise<object[]> => await store.query.selectFrom('websocket_connections').selectAll().execute()
      const groups = async (): Promise<object[]> => await store.query.selectFrom('websocket_subscriptions').selectAll().orderBy('since').execute()
      t.match(await rows(), [{ connection_id: 'c1', user_id: 'alice', node: 'n1', last_heartbeat: START + 15_000, messages_sent: 0, disconnected_at: null }])
      t.match(await groups(), [{ subscription_id: 's1', channel: 'quotes', symbols: '["A","B"]', throttle_ms: 250, until: null }])

      one.record.messagesSent = 7
      one.heardAt = world.time + 50_000
      world.time += MINUTE_MS
      recorder.tick()
      t.ok(await store.flush())
      t.match(await rows(), [{ messages_sent: 7, last_heartbeat: START + 65_000 }])

      world.time += 10
      ledger.subscriptionsEnded(one, one.record.unsubscribe([quotes('A'), quotes('B')]), world.time)
      one.record.subscribe('s2', 'news', [makeSelector(standardChannels.get('news')!, undefined, undefined)], world.time)
      ledger.end(one, 1001, 'going_away', world.time + 5)
      recorder.tick()
      t.ok(await store.flush())
      t.match(await rows(), [{ connection_id: 'c1', disconnected_at: world.time + 5, disconnect_code: 1001, disconnect_reason: 'going_away' }])
      t.match(await groups(), [{ subscription_id: 's1', until: world.time }, { subscription_id: 's2', symbols: null, until: world.time + 5 }])
    })

    t.test('shows ended connections of the store beside those of memory, and those of a node that is gone', async t => {
      const world = await World.open(t, backend)
      const { ledger, recorder, store, inspection } = world
      for (const [index, user] of ['alice', 'bob', undefined].entries()) {
        const ended = connection(`c${index}`, user, world.time + index)
        ledger.add(ended)
        ledger.end(ended, 1000, null, world.time + 100 - index)
      }
      recorder.tick()
      const row = {
        user_id: 'alice', transport: 'sse', node_name: 'gone', address: '192.0.2.9', connected_at: START, last_heartbeat: START, disconnect_code: null, disconnect_reason: null, messages_sent: 1, bytes_sent: 2, messages_received: 3, bytes_received: 4, updated_at: START
      }
      store.write('websocket_connections', [
        { ...row, connection_id: 'lost', node: 'n0', disconnected_at: null },
        { ...row, connection_id: 'old', node: 'n0', disconnected_at: START + 1 },
        { ...row, connection_id: 'open', node: 'n1', disconnected_at: null }
      ])
      store.write('websocket_subscriptions', { connection_id: 'lost', subscription_id: 's1', channel: 'quotes', symbols: '["A"]', throttle_ms: 0, depth: 5, since: START, until: null, updated_at: START })
      t.ok(await store.flush())
      const ids = async (more: object = {}): Promise<string[]> => (await inspection.connections({
        sort: 'disconnected_at', descending: true, limit: 10, ended: true, ...more
      })).connections.map(({ connection_id: id }) => id)
      t.same(await ids(), ['c0', 'c1', 'c2', 'old', 'lost'], 'each once, and none that is open')
      t.same(await ids({ descending: false, limit: 2 }), ['old', 'c2'])
      t.same(await ids({ user: 'alice' }), ['c0', 'old', 'lost'])
      t.same(await ids({ node: 'gone', transport: 'sse', address: '192.0.2.9' }), ['old', 'lost'])
      t.same(await ids({ sort: 'connected_at', limit: 1 }), ['c2'])
      t.match(await inspection.connection('lost'), { state: 'lost', disconnected_at: null, subscriptions: [{ symbols: ['A'], depth: 5 }], events: [] })
      t.match(await inspection.connection('c1'), { state: 'ended', user_id: 'bob', events: [{ event: 'close', code: 1000 }] })
      t.equal(await inspection.connection('none'), undefined)
    })

    t.test('keeps the figures of each minute and who was limited, and forgets what is old', async t => {
      const world = await World.open(t, backend)
      world.limited.note('requests', 'user alice', 100, 1000)
      world.limited.note('requests', 'user alice', 100, 1000)
      world.limited.note('connections', 'address 2001:db8:0:1', 200, 0)
      world.limited.note('messages', 'address some text', 50, 1000)
      world.pass(3, 60)
      t.ok(await world.store.flush())
      const answer = await world.metrics(0, 3)
      t.match(answer, { complete: true, incomplete: [], more: false, from: iso(0), to: iso(3) })
      const sent = answer.minutes.map(({ minute, channel, messages }) => [minute, channel, messages])
      t.same(sent, [0, 1, 2].flatMap(minute => [[iso(minute), '*', 60], [iso(minute), 'quotes', 60]]))
      t.match(answer.minutes[1], { node: 'n1', name: 'one', bytes: 6000, complete: true })
      const { p50_ms: p50 } = answer.minutes[1]!
      t.ok(p50! >= 2 && p50! < 2.05, `${p50} ms`)
      t.equal((await world.metrics(1, 3, 'quotes')).minutes.length, 2)
      const cut = await world.past.metrics({ from: START, to: world.time, limit: 3 })
      t.match(cut, { more: true, minutes: [{ minute: iso(2) }, { minute: iso(2) }] })
      t.equal(cut.minutes.length, 2, 'whole minutes')
      t.match(await world.store.query.selectFrom('rate_limits').selectAll().orderBy('kind').execute(), [
        { kind: 'connections', key_kind: 'address', key_value: '2001:db8:0:1', count: 1, max: 200, window_ms: 0 },
        { kind: 'messages', key_value: 'unreadable', count: 1 },
        { kind: 'requests', key_kind: 'user', key_value: 'alice', count: 2, max: 100, window_ms: 1000, last_at: START + 15_000 }
      ])
      t.equal(await world.store.forgetMonitored(START + 2 * MINUTE_MS), 4 + 3)
      t.equal((await world.metrics(2, 3)).minutes.length, 2)
      for (const table of monitorTableNames) await world.store.query.selectFrom(table).selectAll().execute()
    })

    t.test('goes on while the store is away; then says which minutes were dropped', async t => {
      let isAway = false
      const wrap = (database: Database): Database => ({
        ...database,
        async write (table, rows) {
          if (isAway) throw new Error('the database is away')
          await database.write(table, rows)
        }
      })
      const limits = { ...QUICK, waiting: { rows: 6, bytes: 1e6 } }
      const world = await World.open(t, backend, limits, wrap)
      world.pass(2, 10)
      t.ok(await world.store.flush())
      isAway = true
      world.pass(5, 10)
      await eventually('the store sees it', () => world.store.health().state === 'unavailable')
      t.match(await world.metrics(0, 7), { complete: false, incomplete: [{ node: 'n1', from: iso(2), to: iso(7) }] }, 'what has not been written')
      isAway = false
      await eventually('all is written', () => world.store.health().tables.websocket_metrics.waiting === 0)
      world.pass(1, 10)
      t.ok(await world.store.flush())
      const answer = await world.metrics(0, 8)
      t.equal(answer.complete, false)
      const { dropped } = world.store.health().tables.websocket_metrics
      t.equal(dropped, 4)
      t.match(answer.incomplete[0], { node: 'n1', name: 'one', from: iso(2), to: iso(4) }, 'the oldest two minutes that waited')
      const whole = answer.minutes.filter(({ channel }) => channel === '*')
      t.same(whole.map(({ minute }) => minute), [0, 1, 4, 5, 6, 7].map(iso))
      t.same(whole.map(({ messages }) => messages), whole.map(() => 10), 'the others are exact')
      t.ok(answer.incomplete.slice(1).every(({ from }) => Date.parse(from) >= START + 5 * MINUTE_MS), 'and in which minutes rows were dropped')
      t.match(await world.metrics(0, 2), { complete: true })
    })
  })
}
