import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Test, test } from 'tap'
import type { HeatRow } from '../../src/heatmap/heat-row.js'
import { type HeatSettings, openHeatDatabase } from '../../src/store/duckdb/heat-database.js'
import { runOnFile } from '../helpers/duckdb-file.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

async function open (t: Test, settings: HeatSettings): ReturnType<typeof openHeatDatabase> {
  const database = await openHeatDatabase(settings)
  t.teardown(() => { database.close() })
  return database
}

const heatRow = (price: string, fields: Partial<HeatRow> = {}): HeatRow => ({
  symbol: 'A',
  kind: 'liquidation',
  price,
  a: '1.5',
  b: '0',
  price_step: '0.000000000000000001',
  current_price: '64120.5',
  as_of: '2026-02-07T14:30:00.123Z',
  positions_created: 3,
  positions_consumed: null,
  ...fields
})

test('gives back what fills its own table, each topic for itself', async t => {
  const database = await open(t, {})
  t.equal(database.isOwn, true)
  t.same(await database.query('A', 'liquidation'), [])
  await database.fill('A', 'liquidation', [heatRow('1'), heatRow('0.000000000000000002')])
  await database.fill('B', 'liquidation', [heatRow('7', { symbol: "it's" })])
  t.equal((await database.query('A', 'liquidation')).length, 2)
  await database.fill('A', 'liquidation', [heatRow('64080')])
  t.match(await database.query('A', 'liquidation'), [{
    symbol: 'A',
    price: '64080',
    a: 1.5,
    b: 0,
    price_step: '0.000000000000000001',
    as_of: '2026-02-07T14:30:00.123Z',
    positions_created: '3',
    positions_consumed: null
  }])
  t.same(await database.query('A', 'book'), [])
})

test("asks a user's query for the symbol and the kind, of a user's file, to which others write between rounds", async t => {
  const path = join(temporaryFolder(t), 'own.duckdb')
  const table = 'create table levels (pair varchar, level decimal(18, 2), size double, seen timestamptz)'
  await runOnFile(path, table, "insert into levels values ('A', 10.50, 3, '2026-02-07 14:30:00+09'), ('B', 11, 4, null)")
  const query = 'select level as price, size as a, $kind as kind, seen as as_of from levels where pair = $symbol'
  const database = await open(t, { path, query })
  t.equal(database.isOwn, false)
  const found = await database.query('A', 'book')
  t.same(found, [{ price: '10.50', a: 3, kind: 'book', as_of: '2026-02-07T05:30:00.000Z' }])
  database.rest()
  await runOnFile(path, 'update levels set size = 5')
  t.match(await database.query('A', 'book'), [{ a: 5 }])
})

test('reads only: no statement changes a file, or reads another', async t => {
  const path = join(temporaryFolder(t), 'own.duckdb')
  await runOnFile(path, 'create table heatmap (symbol varchar, kind varchar)')
  const other = join(temporaryFolder(t), 'other.csv')
  writeFileSync(other, 'secret\n1\n')
  const cases: ReadonlyArray<readonly [string, RegExp]> = [
    ['delete from heatmap', /must be one SELECT/],
    ['insert into heatmap (symbol, kind) values ($symbol, $kind)', /must be one SELECT/],
    ["attach 'x.db'", /must be one SELECT/],
    ["copy heatmap to 'x.csv'", /must be one SELECT|Permission Error/],
    ['select 1; select 2', /multiple statements/],
    [`select * from read_csv('${other}')`, /Permission Error|disabled/i],
    [`select * from '${other}'`, /Permission Error|disabled|does not exist/i]
  ]
  for (const [query, reason] of cases) {
    for (const settings of [{ query, path }, { query }]) {
      await t.rejects((await open(t, settings)).query('A', 'book'), { message: reason }, query)
    }
  }
})

test('says why a query fails, and works again when it can', async t => {
  const cases: ReadonlyArray<readonly [HeatSettings, RegExp]> = [
    [{ query: 'selekt' }, /Parser Error/],
    [{ query: 'select * from nowhere' }, /nowhere does not exist/],
    [{ query: 'select $symbol, $period' }, /parameter \$period; its parameters are \$symbol and \$kind/],
    [{ query: 'select * from range(20000)' }, /more than 10000 rows/],
    [{ path: '/nowhere/at-all.duckdb' }, /DUCKDB_PATH: \/nowhere\/at-all\.duckdb cannot be read/]
  ]
  for (const [settings, reason] of cases) {
    const database = await open(t, settings)
    await t.rejects(database.query('A', 'book'), { message: reason })
    await t.rejects(database.query('A', 'book'), { message: reason }, 'also again')
  }
  const path = join(temporaryFolder(t), 'later.duckdb')
  writeFileSync(path, 'no database at all, but a text that is long enough to be taken for one. '.repeat(100))
  const database = await open(t, { path, query: 'select 1 as one' })
  await t.rejects(database.query('A', 'book'), { message: /not a valid DuckDB database/ })
  rmSync(path)
  await runOnFile(path, 'create table t (x int)')
  t.same(await database.query('A', 'book'), [{ one: 1 }])
  chmodSync(path, 0o600)
})

const SLOW = 'select count(*) from range(1000000000) a, range(1000000000) b where a.range + b.range = -1'

test('interrupts a query that takes too long', async t => {
  const database = await open(t, { query: SLOW, queryMs: 100 })
  await t.rejects(database.query('A', 'book'), { message: 'the query took longer than 100 ms' })
  await t.rejects(database.query('A', 'book'), { message: 'the query took longer than 100 ms' })
})

test('interrupts a query when it is asked to, wherever that is, and begins no other', async t => {
  for (const waitMs of [undefined, 0, 1, 50, 200]) {
    // Its deadline is beyond that of the test.
    const database = await open(t, { query: SLOW, queryMs: 600_000 })
    const failed = t.rejects(database.query('A', 'book'), { message: 'the query was interrupted' }, String(waitMs))
    if (waitMs !== undefined) await delay(waitMs)
    database.interrupt()
    await failed
    await t.rejects(database.query('A', 'book'), { message: 'the query was interrupted' })
  }
})
