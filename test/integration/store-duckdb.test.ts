import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { sql } from 'kysely'
import { test, type Test } from 'tap'
import type { Database, DatabaseOptions } from '../../src/store/database.js'
import { openDuckDB } from '../../src/store/duckdb/duckdb-database.js'
import { openStore as openFor } from '../../src/store/open-store.js'
import type { Store } from '../../src/store/store.js'
import { openStore, rowsOf, sorted, state, states } from '../contract/stores.js'
import { eventually } from '../helpers/eventually.js'
import { limitFiles } from '../helpers/file-limit.js'
import { ROOT } from '../helpers/root.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

const PROGRAM = join(ROOT, 'dist/test/helpers/store-process.js')
const MEBIBYTE = 1024 * 1024

interface Place {
  readonly folder: string
  readonly file: string
  readonly open: () => Promise<Database>
}

function place (t: Test, options: DatabaseOptions = {}): Place {
  const folder = temporaryFolder(t)
  const file = join(folder, 'tickwire.duckdb')
  return { folder, file, open: () => openDuckDB(file, options) }
}

/** A process that writes into the store of a folder. */
function writerIn (t: Test, folder: string): ChildProcessByStdio<null, Readable, null> {
  const args = [PROGRAM, JSON.stringify({ DATA_DIR: folder })]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  return child
}

test('a store in a file goes on when a full disk has room again', async t => {
  const { open } = place(t)
  const { store } = await openStore(t, { open })
  store.write('states', states(100))
  t.ok(await store.flush())
  // The signal beside a refused write would end the process; a full disk sends none.
  process.on('SIGXFSZ', () => {})
  limitFiles(process.pid, 4 * MEBIBYTE)
  t.teardown(() => { limitFiles(process.pid, 'unlimited') })
  const large = Array.from({ length: 8000 }, (_, index) => (
    state(index, 2, { data: JSON.stringify(randomBytes(700).toString('hex')) })))
  store.write('states', large)
  await eventually('it is full', () => store.health().state === 'unavailable')
  t.match(store.health().error, /Could not write|File too large|invalidated/)
  t.ok(store.health().tables.states.waiting > 0)
  limitFiles(process.pid, 'unlimited')
  t.ok(await store.flush(30_000))
  t.strictSame(await rowsOf(store), sorted(large))
  t.equal(store.health().tables.states.dropped + store.health().tables.states.refused, 0)
})

test('a file that another process has open is refused, and free when that one was killed', async t => {
  const { folder, file, open } = place(t)
  const child = writerIn(t, folder)
  await once(child.stdout, 'data')
  const message = `${file} is in use by another process (${child.pid}), and DuckDB allows one: ` +
    'stop the other server, give this one a DATA_DIR of its own, or share a PostgreSQL with DATABASE_URL'
  await t.rejects(open(), { name: 'ConfigError', message })
  child.kill('SIGKILL')
  await once(child, 'exit')
  await (await open()).close()
})

test('a file is free for another process when its store was closed', async t => {
  const { folder, open } = place(t)
  const { store } = await openStore(t, { open })
  store.write('states', states(1000))
  t.same(await store.close(), {})
  const child = writerIn(t, folder)
  const [line] = await once(child.stdout, 'data') as [Buffer]
  t.match(line.toString(), /^500\n/)
  child.kill('SIGKILL')
  await once(child, 'exit')
})

test('a file is opened once in a process, by whichever name', async t => {
  const { folder, open } = place(t)
  const database = await open()
  symlinkSync(folder, `${folder}-link`)
  t.teardown(() => { rmSync(`${folder}-link`) })
  await t.rejects(open(), /is open in this process already: each server needs a DATA_DIR of its own/)
  await t.rejects(openDuckDB(join(`${folder}-link`, 'tickwire.duckdb')), /is open in this process already/)
  await database.close()
  await (await open()).close()
})

test('what is no database is refused, and left as it is', async t => {
  const { file, folder, open } = place(t)
  writeFileSync(file, 'no database'.repeat(2000))
  await t.rejects(open(), {
    name: 'ConfigError',
    message: /tickwire\.duckdb is no database of this version of DuckDB; move it away, or choose another/
  })
  const openIn = async (folder: string): Promise<Store> => (
    await openFor({ DATA_DIR: folder }, { isShared: false, log: () => {} }))
  const below = { name: 'ConfigError', message: /^DATA_DIR: the folder .* cannot be made/ }
  await t.rejects(openIn(join(file, 'below')), below)
  rmSync(file)
  await (await openIn(join(folder, 'a/b'))).close()
})

test('without DuckDB the store says what to install', async t => {
  const { folder } = place(t)
  const without = `import Module from 'node:module'
    const resolve = Module._resolveFilename
    Module._resolveFilename = (name, ...rest) => {
      if (name === '@duckdb/node-api') throw new Error('not found')
      return resolve(name, ...rest)
    }`
  const args = ['--import', `data:text/javascript,${encodeURIComponent(without)}`, PROGRAM, JSON.stringify({ DATA_DIR: folder })]
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  t.equal(status, 1)
  t.match(stderr, /ConfigError: without DATABASE_URL the store needs DuckDB, .*npm install @duckdb\/node-api/)
})

test('a row that another transaction has changed is written when that one has ended', async t => {
  const { open } = place(t)
  const { store, database, lines } = await openStore(t, { open })
  store.write('states', states(10))
  t.ok(await store.flush())
  await database.reader.transaction().execute(async transaction => {
    await sql`update states set symbol = 'held' where topic = ${state(3).topic}`.execute(transaction)
    store.write('states', states(10, 2))
    await eventually('the store sees it', () => store.health().state === 'unavailable')
    t.match(store.health().error, /Conflict/)
  })
  t.ok(await store.flush())
  t.strictSame(await rowsOf(store), states(10, 2))
  t.match(lines.at(-1), { message: 'the store writes again' })
})

test('readers are ended where they take too long, and when the store is closed', async t => {
  const endless = sql`select sum(a.range * b.range) from range(100000000) a, range(100000000) b`
  const bounded = await place(t, { statementMs: 1000 }).open()
  await t.rejects(endless.execute(bounded.reader), /INTERRUPT/i)
  t.same((await sql`select 1 as one`.execute(bounded.reader)).rows, [{ one: 1 }])
  await bounded.close()
  const { store, database } = await openStore(t, place(t))
  const reading = t.rejects(endless.execute(database.reader), /INTERRUPT/i)
  store.write('states', states(100))
  t.ok(await store.flush(), 'it writes beside a reader')
  t.same(await store.close(), {})
  await reading
  await t.rejects(rowsOf(store), /the store is closed/)
})
