import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { test } from 'tap'
import type { Database, DatabaseOptions } from '../../src/store/database.js'
import { openStore as openFor } from '../../src/store/open-store.js'
import { openPostgres } from '../../src/store/postgres/postgres-database.js'
import { openStore, rowsOf, sorted, state, states } from '../contract/stores.js'
import { eventually } from '../helpers/eventually.js'
import { postgresProgram, PostgresServer } from '../helpers/postgres.js'

const skip = postgresProgram === undefined ? 'no PostgreSQL that a test may stop' : false
const MEBIBYTE = 1024 * 1024

interface Place {
  readonly name: string
  readonly open: () => Promise<Database>
}

test('a store on PostgreSQL', { skip }, async t => {
  const server = await PostgresServer.start({ isDurable: true })
  t.teardown(() => server.close())
  const place = async (options: DatabaseOptions = {}): Promise<Place> => {
    const name = await server.createDatabase()
    return { name, open: () => openPostgres(server.url(name), options) }
  }

  t.test('lets rows wait while a lock is held, and ends statements that wait for it', async t => {
    const { name, open } = await place({ statementMs: 500 })
    const { store, lines } = await openStore(t, { open })
    store.write('states', states(10))
    t.ok(await store.flush())
    const holder = await server.client(name)
    t.teardown(() => holder.end())
    await holder.query('begin; lock table states in access exclusive mode')
    for (let version = 2; version <= 20; version++) store.write('states', states(10, version))
    await eventually('statements were ended several times', () => store.health().state === 'unavailable')
    t.match(store.health().error, /timeout/)
    await new Promise(resolve => { setTimeout(resolve, 3000) })
    const connections = `select pid from pg_stat_activity where datname = '${name}'`
    const waiting = await server.ask(`${connections} and wait_event_type = 'Lock'`)
    t.ok(waiting.length <= 2, 'retries do not pile up')
    await holder.query('rollback')
    t.ok(await store.flush())
    t.strictSame(await rowsOf(store), states(10, 20))
    const { written, ...none } = store.health().tables.states
    t.ok(written >= 20)
    t.same(none, { waiting: 0, waitingBytes: 0, dropped: 0, refused: 0 })
    const said = (what: string): number => lines.filter(({ level }) => level === what).length
    t.ok(said('info') >= 1 && said('warn') <= 2 * said('info'), 'not for each attempt')
  })

  t.test('gives up a connection that does not answer, and writes over another', async t => {
    const { name, open } = await place({ statementMs: 500 })
    const { store } = await openStore(t, { open })
    store.write('states', states(10))
    t.ok(await store.flush())
    const connections = `select pid from pg_stat_activity
      where datname = '${name}' and application_name = 'tickwire'`
    const backends = (await server.ask(connections)).map(({ pid }) => Number(pid))
    t.equal(backends.length, 1)
    for (const pid of backends) process.kill(pid, 'SIGSTOP')
    store.write('states', states(10, 2))
    t.ok(await store.flush(30_000))
    t.strictSame(await rowsOf(store), states(10, 2))
    for (const pid of backends) process.kill(pid, 'SIGCONT')
  })

  t.test('writes what waited when a killed server is back, and loses nothing that was flushed', async t => {
    const { open } = await place()
    const { store, lines } = await openStore(t, { open })
    store.write('states', states(1000))
    t.ok(await store.flush())
    await server.kill()
    const waiting = Array.from({ length: 1000 }, (_, index) => state(2000 + index))
    store.write('states', waiting)
    await eventually('the store sees it', () => store.health().state === 'unavailable')
    await t.rejects(rowsOf(store))
    t.notOk(await store.flush(50))
    t.equal(store.health().tables.states.waiting, 1000)
    await server.start()
    t.ok(await store.flush(30_000))
    t.equal(store.health().state, 'available')
    t.strictSame(await rowsOf(store), sorted([...states(1000), ...waiting]))
    t.match(lines[0], { level: 'warn', fields: { event: 'store' }, message: /^the store cannot write/ })
    t.match(lines.at(-1), { level: 'info', message: 'the store writes again' })
    t.ok(lines.length <= 3, 'not for each attempt')
  })

  t.test('says what it could not write when it is closed', async t => {
    const { open } = await place()
    const { store, lines } = await openStore(t, { open })
    await server.kill()
    store.write('states', states(10))
    t.same(await store.close(100), { states: 10 })
    const fields = { table: 'states', rows: 10 }
    t.match(lines.at(-1), { level: 'error', fields, message: /^the store was closed before/ })
    await server.start()
  })

  t.test('goes on when a full disk has room again', async t => {
    const { open } = await place()
    const { store } = await openStore(t, { open })
    store.write('states', states(10))
    t.ok(await store.flush())
    // A disk is full for new connections: those that are there have the limit that they began with.
    server.limitFiles(MEBIBYTE)
    await server.ask(`select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = 'tickwire'`)
    const large = Array.from({ length: 3000 }, (_, index) => (
      state(index, 2, { data: JSON.stringify(randomBytes(700).toString('hex')) })))
    store.write('states', large)
    const isFull = (): boolean => /could not extend file|File too large/.test(store.health().error ?? '')
    await eventually('it is full', isFull)
    t.ok(store.health().tables.states.waiting > 0)
    server.limitFiles('unlimited')
    t.ok(await store.flush(30_000))
    t.strictSame(await rowsOf(store), sorted(large))
    t.equal(store.health().tables.states.dropped + store.health().tables.states.refused, 0)
  })

  t.test('writes the others where a key is too large for the index', async t => {
    const { open } = await place()
    const { store } = await openStore(t, { open })
    store.write('states', [...states(50), state(randomBytes(5000).toString('hex'))])
    t.notOk(await store.flush())
    t.strictSame(await rowsOf(store), sorted(states(50)))
    t.equal(store.health().tables.states.refused, 1)
  })

  t.test('is shared by servers that write the same rows at once', async t => {
    const { open } = await place()
    const stores = await Promise.all([1, 2, 3, 4].map(async () => await openStore(t, { open })))
    for (let version = 1; version <= 20; version++) {
      for (const [index, { store }] of stores.entries()) {
        const rows = states(400, version)
        store.write('states', index % 2 === 0 ? rows : rows.reverse())
      }
      await Promise.all(stores.map(async ({ store }) => { t.ok(await store.flush()) }))
    }
    t.strictSame(await rowsOf(stores[0]!.store), sorted(states(400, 20)))
    t.same(stores.flatMap(({ lines }) => lines), [], 'no deadlock')
  })

  t.test('migrates once where several servers start at once', async t => {
    const { name, open } = await place()
    const databases = await Promise.all(Array.from({ length: 6 }, open))
    t.same(
      await server.ask('select name from tickwire_migrations order by name', name),
      [{ name: '0001-states' }, { name: '0002-recording' }, { name: '0003-trading' }, { name: '0004-monitor' }]
    )
    await Promise.all(databases.map(database => database.close()))
  })

  t.test('ends a reader that takes too long', async t => {
    const database = await (await place({ statementMs: 1000 })).open()
    await t.rejects(sql`select pg_sleep(20)`.execute(database.reader), /statement timeout/)
    t.same((await sql`select 1 as one`.execute(database.reader)).rows, [{ one: 1 }])
    await database.close()
  })

  t.test('is closed although a reader waits', async t => {
    const { name, open } = await place()
    const { store, database } = await openStore(t, { open })
    const reading = t.rejects(sql`select pg_sleep(20)`.execute(database.reader))
    const sleeping = `select 1 from pg_stat_activity where datname = '${name}' and query like '%sleep%'`
    await eventually('it reads', async () => (await server.ask(sleeping)).length > 0)
    t.same(await store.close(), {})
    await reading
  })

  t.test('says why a database cannot be used, and shows no password', async t => {
    const { name, open } = await place()
    await (await open()).close()
    const empty = await server.createDatabase()
    const latin = await server.createDatabase("encoding 'LATIN1' template template0")
    await server.ask('create role reader login')
    await server.ask('grant select on all tables in schema public to reader', name)
    const to = (database: string, user: string): string => server.url(database, `${user}:hunter2`)
    const cases: ReadonlyArray<readonly [url: string, message: RegExp]> = [
      ['postgres://me:hunter2@127.0.0.1:1/mine', /at 127\.0\.0\.1:1, database mine cannot be used: .*REF/],
      ['postgres://me:hunter2@no.host.invalid/mine', /at no\.host\.invalid:5432, database mine cannot be/],
      [to('nothing', 'admin'), /there is no such database; make it with: createdb nothing$/],
      [to(name, 'nobody_there'), /does not let the user nobody_there in/],
      [to(empty, 'reader'), /the user reader may not make or read its tables .*GRANT CREATE/],
      [to(name, 'reader'), /the user reader may not (read and write the table states: GRANT|make or read)/],
      [to(latin, 'admin'), /has the encoding LATIN1: make one with the encoding UTF8$/]
    ]
    for (const [url, message] of cases) {
      const opening = openFor({ DATABASE_URL: url, DATA_DIR: '/nowhere' }, { isShared: true, log: () => {} })
      const error = await opening.then(() => undefined, (error: unknown) => error as Error)
      t.match(error, { name: 'ConfigError', message }, String(message))
      t.notMatch(error?.message, 'hunter2')
    }
    const without = openFor({ DATA_DIR: '/nowhere' }, { isShared: true, log: () => {} })
    await t.rejects(without, /^DATABASE_URL is needed where several servers share a log/)
  })
})
