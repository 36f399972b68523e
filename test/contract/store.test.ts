import { deepStrictEqual as deepEqual, strictEqual as equal } from 'node:assert'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import fc from 'fast-check'
import { type Kysely, sql } from 'kysely'
import { test } from 'tap'
import type { Database } from '../../src/store/database.js'
import { migrations } from '../../src/store/migrations/index.js'
import { openStore as openFor } from '../../src/store/open-store.js'
import { forgetRemoved, readStates, type State } from '../../src/store/states.js'
import { recordingTables, type Row, tableNames, tables } from '../../src/store/tables.js'
import type { Bounds } from '../../src/store/writer/waiting-rows.js'
import { eventually } from '../helpers/eventually.js'
import { ROOT } from '../helpers/root.js'
import {
  makePlace, type OpenedStore, openStore, QUICK, rowsOf, sorted, state, states, storeBackends
} from './stores.js'

const HOUR_MS = 3_600_000

/** Any text that a database can hold: no NUL, no half of a surrogate pair. */
const text = fc.string({ unit: 'binary' }).map(value => value.replaceAll('\0', ''))
const oddText = fc.oneof(text, fc.constantFrom(
  '', "'", '"', '\\', '$1', '{}', 'null', '삼성전자', '\u{1F4C8}', '\r\n\t', '\u2028', '--', ' ', '\\u0000', 'NaN'
))
const nullable = fc.option(oddText)
const integer = fc.oneof(fc.maxSafeInteger(), fc.constantFrom(
  0, -1, 2 ** 31, 2 ** 32 - 1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER
))
const anyState: fc.Arbitrary<Row<'states'>> = fc.record({
  topic: oddText,
  channel: oddText,
  symbol: nullable,
  user_id: nullable,
  data: fc.option(fc.json()),
  epoch: integer,
  sequence: integer,
  timestamp: integer
}, { noNullPrototype: true })

/** Records how many rows each statement writes. */
const counting = (counts: number[]) => (database: Database): Database => ({
  ...database,
  async write (table, rows) {
    counts.push(rows.length)
    await database.write(table, rows)
  }
})

async function pagesOf (reading: AsyncIterable<readonly State[]>): Promise<(readonly State[])[]> {
  const pages: (readonly State[])[] = []
  for await (const page of reading) pages.push(page)
  return pages
}

/** The names of all tables, and of their columns. */
async function schemaOf (db: Kysely<never>): Promise<Record<string, string[]>> {
  const columns = sql<{ table_name: string, column_name: string }>`
    select table_name, column_name from information_schema.columns
    where table_schema in ('main', 'public') order by table_name, ordinal_position`
  const { rows } = await columns.execute(db)
  const schema: Record<string, string[]> = {}
  for (const { table_name: table, column_name: column } of rows) (schema[table] ??= []).push(column)
  return schema
}

for (const backend of storeBackends) {
  test(backend.name, async t => {
    t.test('gives rows back as they were written', async t => {
      const { store, database } = await openStore(t, await makePlace(t, backend))
      const anyRows = fc.uniqueArray(anyState, { selector: ({ topic }) => topic, maxLength: 40 })
      await fc.assert(fc.asyncProperty(anyRows, async rows => {
        await database.writer.deleteFrom('states').execute()
        store.write('states', rows)
        equal(await store.flush(), true)
        deepEqual(sorted(await rowsOf(store)), sorted(rows))
      }), { numRuns: 30 })
    })

    t.test('keeps the newest row of a key, in whichever order and however often they come', async t => {
      const limits = { ...QUICK, batch: { rows: 3, bytes: 1e6 } }
      const { store, database } = await openStore(t, await makePlace(t, backend), { limits })
      const writes = fc.array(fc.oneof(
        fc.record({ key: fc.nat(4), timestamp: fc.nat(3), sequence: fc.nat(3) }),
        fc.constant('flush' as const)), { maxLength: 30 })
      await fc.assert(fc.asyncProperty(writes, async writes => {
        await database.writer.deleteFrom('states').execute()
        const newest = new Map<number, Row<'states'>>()
        for (const write of writes) {
          if (write === 'flush') {
            await store.flush()
            continue
          }
          const { key, timestamp, sequence } = write
          const row = state(key, 1, { timestamp, sequence, data: JSON.stringify(newest.size) })
          const { timestamp: time, sequence: last } = newest.get(key) ?? { timestamp: -1, sequence: -1 }
          if (timestamp > time || (timestamp === time && sequence > last)) newest.set(key, row)
          store.write('states', row)
        }
        equal(await store.flush(), true)
        deepEqual(await rowsOf(store), sorted([...newest.values()]))
      }), { numRuns: 30 })
    })

    t.test('writes bounded statements: by rows, and by bytes', async t => {
      const byRows: number[] = []
      const byBytes: number[] = []
      const place = await makePlace(t, backend)
      const open = async (counts: number[], batch: Bounds): Promise<OpenedStore> => (
        await openStore(t, place, { wrap: counting(counts), limits: { ...QUICK, batch } }))
      const first = await open(byRows, { rows: 7, bytes: 1e6 })
      first.store.write('states', states(30))
      t.ok(await first.store.flush())
      t.same(byRows, [7, 7, 7, 7, 2])
      await first.store.close()
      const second = await open(byBytes, { rows: 1000, bytes: 10_000 })
      const sizes = [4000, 4000, 4000, 4000, 4000, 20_000]
      const large = sizes.map((size, index) => state(index, 2, { data: JSON.stringify('x'.repeat(size)) }))
      second.store.write('states', large)
      t.ok(await second.store.flush())
      t.same(byBytes, [2, 2, 1, 1], 'one that is larger goes alone')
      t.equal(second.store.health().tables.states.written, 6)
    })

    t.test('writes once what changes while it waits', async t => {
      const counts: number[] = []
      const { store } = await openStore(t, await makePlace(t, backend), { wrap: counting(counts) })
      for (let version = 1; version <= 100; version++) store.write('states', states(3, version))
      t.ok(await store.flush())
      t.same(counts, [3])
      t.strictSame(await rowsOf(store), states(3, 100))
    })

    t.test('does not bring back a removed topic, and forgets it after a day', async t => {
      const { store, database } = await openStore(t, await makePlace(t, backend))
      store.write('states', [state('kept'), state('removed'), state('removed', 3, { data: null })])
      await store.flush()
      store.write('states', state('removed', 2))
      t.ok(await store.flush())
      const topics = async (): Promise<string[]> => (
        (await pagesOf(readStates(store))).flat().map(({ symbol }) => symbol!))
      t.same(await topics(), ['kept'])
      const removedAt = state('removed', 3).timestamp
      await forgetRemoved(database.writer, removedAt + 23 * HOUR_MS)
      t.equal((await rowsOf(store)).length, 2)
      await forgetRemoved(database.writer, removedAt + 25 * HOUR_MS)
      t.strictSame(await rowsOf(store), [state('kept')])
      store.write('states', state('removed', 4))
      t.ok(await store.flush())
      t.same(await topics(), ['kept', 'removed'], 'a new message makes it anew')
    })

    t.test('reads states in pages', async t => {
      const { store } = await openStore(t, await makePlace(t, backend))
      t.same(await pagesOf(readStates(store)), [])
      store.write('states', states(12).map((row, index) => index % 3 === 1 ? { ...row, data: null } : row))
      await store.flush()
      for (const pageRows of [1, 4, 5, 12, 100]) {
        const pages = await pagesOf(readStates(store, pageRows))
        t.ok(pages.every(({ length }) => length > 0 && length <= pageRows))
        const kept = states(12).filter((_, index) => index % 3 !== 1)
        t.strictSame(pages.flat(), sorted(kept), `${pageRows} a page`)
      }
    })

    t.test('writes all rows but those that the database refuses, and says which', async t => {
      const counts: number[] = []
      const { store, lines } = await openStore(t, await makePlace(t, backend), { wrap: counting(counts) })
      // The types forbid it; the database does, too.
      const refused = [
        state(3, 1, { channel: null as unknown as string }),
        state(70, 1, { epoch: null as unknown as number })
      ]
      const never = [
        state('nul', 1, { topic: 'a\0b' }),
        state('half', 1, { symbol: '\ud800' }),
        state('large', 1, { epoch: 2 ** 60 }),
        state('long', 1, { data: 'x'.repeat(2 ** 21) })
      ]
      const rows = states(100).filter((_, index) => index !== 3 && index !== 70)
      store.write('states', [...rows, ...refused, ...never])
      t.notOk(await store.flush())
      t.strictSame(await rowsOf(store), sorted(rows))
      const { written, refused: count, waiting } = store.health().tables.states
      t.same({ written, count, waiting }, { written: 98, count: 6, waiting: 0 })
      t.ok(counts.length <= 4 * Math.ceil(Math.log2(102)), `${counts.length} statements`)
      await store.close()
      const said = lines.filter(({ message }) => message.startsWith('the database refuses rows'))
      t.equal(said.reduce((sum, { fields }) => sum + Number(fields['rows']), 0), 6)
      t.ok(said.length <= 2, 'the first at once, the others together')
      t.same(said.map(({ fields }) => fields['table']), said.map(() => 'states'))
      t.match(said[0]?.fields['key'], /^open-orders:long$/)
    })

    t.test('has all rows when it is opened again', async t => {
      const place = await makePlace(t, backend)
      const first = await openStore(t, place)
      first.store.write('states', states(1234))
      t.same(await first.store.close(), {}, 'closing writes what waits')
      first.store.write('states', state('late'))
      t.equal(first.store.health().tables.states.dropped, 1)
      t.equal(first.store.health().state, 'closed')
      t.notOk(await first.store.flush(10).then(() => false), 'nothing waits')
      const second = await openStore(t, place)
      t.strictSame(await rowsOf(second.store), sorted(states(1234)))
    })

    t.test('reads numbers exactly, or not at all', async t => {
      const { store, database } = await openStore(t, await makePlace(t, backend))
      store.write('states', [state(1, 1, { epoch: Number.MAX_SAFE_INTEGER }), state(2, 1, { epoch: 2 })])
      await store.flush()
      const { count, sum, price } = await store.query.selectFrom('states').select(({ fn }) => [
        fn.countAll().as('count'),
        fn.sum('epoch').as('sum'),
        sql<string>`cast('0.10000001' as decimal(20, 8))`.as('price')
      ]).executeTakeFirstOrThrow()
      t.strictSame({ count, sum, price }, { count: 2, sum: '9007199254740993', price: '0.10000001' })
      const symbols = store.query.selectFrom('states').select('symbol')
      t.same(await symbols.where('epoch', '=', Number.MAX_SAFE_INTEGER).limit(5).execute(), [{ symbol: '1' }])
      await sql`update states set epoch = 9007199254740993`.execute(database.writer)
      await t.rejects(rowsOf(store), /9007199254740993, which a number cannot hold exactly/)
    })

    t.test('makes the tables of tables.ts, once', async t => {
      const place = await makePlace(t, backend)
      const first = await place.open()
      const schema = await schemaOf(first.reader as unknown as Kysely<never>)
      for (const name of tableNames) t.same(schema[name], Object.keys(tables[name].columns), name)
      for (const [name, columns] of Object.entries(recordingTables)) {
        t.same(schema[name]?.sort(), Object.keys(columns).sort(), name)
      }
      const executed = sql<{ name: string }>`select * from tickwire_migrations order by name`
      const { rows: before } = await executed.execute(first.reader)
      t.same(before.map(({ name }) => name), Object.keys(migrations))
      await first.close()
      const second = await place.open()
      t.strictSame((await executed.execute(second.reader)).rows, before)
      await second.close()
    })

    t.test('refuses a schema that is newer than the program', async t => {
      const place = await makePlace(t, backend)
      const create = sql`create table later (x integer)`
      const later = { up: async (db: Kysely<unknown>) => { await create.execute(db) } }
      const newer = await place.open({ schema: { ...migrations, '9999-later': later } })
      await newer.close()
      await t.rejects(place.open(), /has a newer schema than this version of the server \(9999-later\)/)
    })

    t.test('leaves everything as it was if a migration fails, and names it', async t => {
      const place = await makePlace(t, backend)
      const { store } = await openStore(t, place)
      store.write('states', states(10))
      await store.close()
      const broken = {
        ...migrations,
        '9998-good': {
          async up (db: Kysely<unknown>) {
            await sql`create table good (x integer)`.execute(db)
          }
        },
        '9999-broken': {
          async up (db: Kysely<unknown>) {
            await sql`alter table states add column more text`.execute(db)
            await sql`insert into nowhere values (1)`.execute(db)
          }
        }
      }
      const opening = place.open({ schema: broken })
      await t.rejects(opening, /the migration 9999-broken failed, and nothing was changed: .*nowhere/)
      const again = await place.open()
      const tables = Object.keys(await schemaOf(again.reader as unknown as Kysely<never>))
      const own = [...tableNames, ...Object.keys(recordingTables)].sort()
      t.same(tables, [...own, 'tickwire_migrations', 'tickwire_migrations_lock'].sort())
      t.strictSame(await rowsOf({ query: again.reader }), states(10))
      await again.close()
    })

    t.test('is opened by the settings of a server', async t => {
      const { settings } = await makePlace(t, backend)
      const store = await openFor(settings, { isShared: settings.DATABASE_URL !== undefined, log: () => {} })
      store.write('states', state(1))
      t.same(await store.close(), {})
    })

    t.test('has every flushed row after its process was killed', async t => {
      const place = await makePlace(t, backend)
      const args = [join(ROOT, 'dist/test/helpers/store-process.js'), JSON.stringify(place.settings)]
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
      t.teardown(() => child.kill('SIGKILL'))
      let flushed = 0
      for await (const line of createInterface(child.stdout)) {
        flushed = Number(line)
        if (flushed >= 5000) break
      }
      child.kill('SIGKILL')
      await once(child, 'exit')
      const { store } = await openStore(t, place)
      const rows = await rowsOf(store)
      const there = new Set(rows.map(({ topic }) => topic))
      t.ok(flushed >= 5000)
      t.same(states(flushed).filter(({ topic }) => !there.has(topic)), [])
      t.same(rows.filter(row => row.data !== state(0).data), [])
      store.write('states', states(10, 2))
      t.ok(await store.flush(), 'and can be written to')
    })

    t.test('drops the oldest rows beyond its bound while the database is slow, and no others', async t => {
      let open = (): void => {}
      const gate = new Promise<void>(resolve => { open = resolve })
      const { store, lines } = await openStore(t, await makePlace(t, backend), {
        limits: { ...QUICK, batch: { rows: 10, bytes: 1e6 }, waiting: { rows: 50, bytes: 1e6 } },
        wrap: database => ({
          ...database,
          async write (table, rows) {
            await gate
            await database.write(table, rows)
          }
        })
      })
      store.write('states', states(10))
      await eventually('a batch is under way', () => store.health().tables.states.waitingBytes > 0)
      await new Promise(resolve => { setTimeout(resolve, 20) })
      const later = Array.from({ length: 100 }, (_, index) => state(`later-${1000 + index}`))
      store.write('states', later)
      t.equal(store.health().tables.states.dropped, 50)
      t.ok(store.health().tables.states.waiting <= 60)
      open()
      t.ok(await store.flush())
      t.strictSame(await rowsOf(store), sorted([...states(10), ...later.slice(50)]))
      await store.close()
      const dropped = lines.filter(({ message }) => message.startsWith('the store has dropped rows'))
      t.equal(dropped.reduce((sum, { fields }) => sum + Number(fields['rows']), 0), 50)
      t.ok(dropped.length <= 2)
    })
  })
}
