/**
 * How many rows a second the writer of the store brings into DuckDB and into PostgreSQL, and what the event
 * loop pays for it.
 *
 *   npm run bench -- store [--seconds 2] [--keys 5000] [--clients 100] [--rate 200]
 *
 * New: each row has a key of its own. Again: rows of `keys` keys are replaced. Rows are written as fast as
 * they are taken. By values: the same statements with a parameter for each value, as the query builder makes
 * them, without the writer. PostgreSQL is started if it is found (TEST_POSTGRES, or Debian's), with its disk
 * as it is.
 *
 * Then what clients of the stream notice of it: 99 % of the trades come within the p99, while the store is as
 * it should be, and while it is stopped, says nothing, or has no room.
 */
import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { sql } from 'kysely'
import { BufferedStore } from '../dist/src/store/buffered-store.js'
import { openDuckDB } from '../dist/src/store/duckdb/duckdb-database.js'
import { openPostgres } from '../dist/src/store/postgres/postgres-database.js'
import { WRITER_LIMITS } from '../dist/src/store/writer/writer.js'
import { options, reportTable } from './report.js'
import { measureStreaming, signalAll } from './store/streaming.js'

const { seconds, keys, clients, rate } = options({ seconds: 2, keys: 5000, clients: 100, rate: 200 })
/** A p99 needs more time than a rate of rows. */
const STREAM_SECONDS = 3 * seconds
/** What a file may grow to on a full disk. */
const NO_ROOM = 4096

/** Rows that are handed over at a time: a few statements. */
const STEP = 2000

/** A row of an open order, of some 330 bytes. @param {number} key @param {number} version */
const row = (key, version) => ({
  topic: `open-orders:${String(key).padStart(8, '0')}`,
  channel: 'open-orders',
  symbol: null,
  user_id: `user-${key % 1000}`,
  data: JSON.stringify({
    order_id: `o${key}`.padEnd(32, '0'),
    symbol: '005930',
    side: 'buy',
    order_type: 'limit',
    status: 'open',
    quantity: '100',
    filled_qty: '0',
    limit_price: '71200',
    created_at: '2026-11-29T00:00:00.000Z',
    version
  }),
  epoch: 4_000_000_000,
  sequence: version,
  timestamp: 1_790_000_000_000 + version
})

/**
 * @param {string} name
 * @param {import('../dist/src/store/database.js').Database} database
 */
async function measure (name, database) {
  const store = new BufferedStore(database, { log: (...line) => { console.error(...line) } })
  let [next, version] = [0, 1]
  const take = (/** @type {number} */ count, /** @type {boolean} */ isNew) => (
    Array.from({ length: count }, () => row(isNew ? next++ : next++ % keys, version)))
  const ways = {
    new: async () => await write(take(STEP, true)),
    again: async () => await write(take(STEP, false)),
    'again, by values': async () => {
      const { rows } = WRITER_LIMITS.batch
      await byValues(database, take(rows, false))
      return rows
    }
  }
  /** @param {ReturnType<typeof row>[]} rows */
  async function write (rows) {
    store.write('states', rows)
    if (!await store.flush()) throw new Error('not all rows were written')
    return rows.length
  }
  const results = []
  for (const [way, step] of Object.entries(ways)) {
    const loop = monitorEventLoopDelay({ resolution: 1 })
    const cpu = process.cpuUsage()
    const began = performance.now()
    let written = 0
    loop.enable()
    while (performance.now() - began < seconds * 1000) {
      version++
      written += await step()
    }
    loop.disable()
    const took = (performance.now() - began) / 1000
    const { user, system } = process.cpuUsage(cpu)
    results.push({
      database: name,
      rows: way,
      'rows/s': Math.round(written / took),
      'CPU µs a row': Number(((user + system) / written).toFixed(1)),
      'loop delay ms, p99': Number((loop.percentile(99) / 1e6).toFixed(1))
    })
  }
  await store.close()
  return results
}

/**
 * @param {import('../dist/src/store/database.js').Database} database
 * @param {ReturnType<typeof row>[]} rows
 */
async function byValues ({ writer }, rows) {
  const unique = [...new Map(rows.map(row => [row.topic, row])).values()]
  const newer = /** @type {import('kysely').RawBuilder<boolean>} */ (
    sql`(excluded.timestamp, excluded.sequence) > (states.timestamp, states.sequence)`)
  const insert = writer.insertInto('states').values(unique)
  await insert.onConflict(conflict => conflict.column('topic').doUpdateSet(({ ref }) => ({
    channel: ref('excluded.channel'),
    symbol: ref('excluded.symbol'),
    user_id: ref('excluded.user_id'),
    data: ref('excluded.data'),
    epoch: ref('excluded.epoch'),
    sequence: ref('excluded.sequence'),
    timestamp: ref('excluded.timestamp')
  })).where(newer)).execute()
}

function findPostgres () {
  if (process.env.TEST_POSTGRES !== undefined) return process.env.TEST_POSTGRES
  const root = '/usr/lib/postgresql'
  if (!existsSync(root)) return undefined
  return readdirSync(root).map(version => join(root, version, 'bin/postgres')).filter(existsSync).pop()
}

/**
 * @typedef {object} Server
 * @property {() => number} pid
 * @property {() => Promise<void>} stop
 * @property {() => Promise<void>} start
 *
 * @param {string} program
 * @param {(url: string, server: Server) => Promise<void>} use
 */
async function withPostgres (program, use) {
  const folder = mkdtempSync('/tmp/tickwire-bench-')
  // It refuses to run as root.
  const id = (/** @type {string} */ flag) => Number(execFileSync('id', [flag, 'postgres']).toString())
  const owner = process.getuid?.() === 0 ? { uid: id('-u'), gid: id('-g') } : {}
  if (owner.uid !== undefined) chownSync(folder, owner.uid, owner.gid)
  chmodSync(folder, 0o700)
  const data = join(folder, 'data')
  const as = /** @type {const} */ ({ ...owner, cwd: '/', stdio: 'ignore' })
  const settings = ['-U', 'admin', '--auth', 'trust', '--encoding', 'UTF8', '--locale', 'C', '--no-sync']
  execFileSync(join(dirname(program), 'initdb'), ['--pgdata', data, ...settings], as)
  /** @type {import('node:child_process').ChildProcess} */
  let server
  const start = async () => {
    server = spawn(program, ['-D', data, '-k', folder, '-c', 'listen_addresses='], as)
    while (!existsSync(join(folder, '.s.PGSQL.5432'))) await delay(50)
    await delay(500)
  }
  const stop = async () => {
    server.kill('SIGINT')
    await new Promise(resolve => { server.once('exit', resolve) })
  }
  await start()
  try {
    const url = `postgres://admin@/postgres?host=${encodeURIComponent(folder)}`
    await use(url, { pid: () => server.pid ?? 0, stop, start })
  } finally {
    await stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

const folder = mkdtempSync('/tmp/tickwire-bench-')
const results = await measure('DuckDB', await openDuckDB(join(folder, 'bench.duckdb')))
const stream = { seconds: STREAM_SECONDS, clients, rate }
/** What DuckDB cannot write must not end the process. */
process.on('SIGXFSZ', () => {})
const limit = (/** @type {string} */ bytes) => {
  execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:`])
}
const streaming = await measureStreaming('DuckDB', { DATA_DIR: join(folder, 'data') }, [
  { name: 'full', begin () { limit(String(NO_ROOM)) }, end () { limit('unlimited') } }
], stream)
rmSync(folder, { recursive: true, force: true })
const program = findPostgres()
if (program === undefined) console.error('PostgreSQL is not installed')
else {
  await withPostgres(program, async (url, server) => {
    results.push(...await measure('PostgreSQL', await openPostgres(url)))
    streaming.push(...await measureStreaming('PostgreSQL', { DATABASE_URL: url }, [
      { name: 'stopped', begin: server.stop, end: server.start },
      {
        name: 'silent',
        begin () { signalAll(server.pid(), 'SIGSTOP') },
        end () { signalAll(server.pid(), 'SIGCONT') }
      }
    ], stream))
  })
}
reportTable('store', { seconds, keys, step: STEP }, results)
reportTable('store-streaming', stream, streaming)
process.exit()
