import { test, type Test } from 'tap'
import type { Config } from '../../src/config.js'
import { askJson } from '../helpers/ask-json.js'
import { openClient, RuleFollower, until } from '../helpers/clients.js'
import { eventually } from '../helpers/eventually.js'
import { limitFiles } from '../helpers/file-limit.js'
import { postgresProgram, PostgresServer } from '../helpers/postgres.js'
import { publish, startServer, subscribers, type TestServer } from '../helpers/server.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

/** What clients and operators notice of a store that is stopped or full: the stream goes on. */
const MESSAGES = 500
const GUESTS = 30
const NEWS = { headline: 'h', source: 's', symbols: [], timestamp: '2026-01-01T00:00:00Z' }

interface Trouble {
  begin (): Promise<void> | void
  end (): Promise<void> | void
}

/** Connects clients that leave at once, and so have rows to be written. */
async function receiveGuests (t: Test, server: TestServer): Promise<void> {
  const guests = Array.from({ length: GUESTS }, () => {
    const follower = { isSubscribed: false }
    const client = openClient('ws-json', server.origin, `subscribe=news&token=${server.token({ sub: 'guest' })}`, undefined, {
      onMessage: ({ type }) => { if (type === 'subscribed') follower.isSubscribed = true },
      onCursor: () => {}
    })
    t.teardown(() => { client.cut() })
    return { follower, client }
  })
  await until('all have come', () => guests.every(({ follower }) => follower.isSubscribed))
  for (const { client } of guests) client.cut()
  await until('all have left', () => [...server.parts.connections.ledger.ended].length >= GUESTS)
}

async function streamOn (t: Test, settings: Partial<Config>, trouble: Trouble): Promise<void> {
  // No file may grow while there is no room: so its log is kept in none.
  const server = await startServer(t, { MONITOR_DAYS: 1, ...settings }, { lines: { write () {} } })
  const { store } = server.parts.monitoring
  const follower = new RuleFollower()
  const client = openClient('ws-json', server.origin, 'subscribe=news', undefined, {
    onMessage: message => { follower.take(message) }, onCursor: () => {}
  })
  t.teardown(() => { client.cut() })
  await until('it is subscribed', () => subscribers(server, 'news') === 1)
  await eventually('its row is written', () => (store!.current?.health().tables.websocket_connections.written ?? 0) > 0)

  await trouble.begin()
  await receiveGuests(t, server)
  await eventually('the store sees it', () => store!.current!.health().state === 'unavailable')
  for (let count = 0; count < MESSAGES; count++) await publish(server.app, 'news', undefined, NEWS)
  await until('all have come', () => follower.accepted.length === MESSAGES)
  t.same(follower.gaps, [])
  t.ok(store!.counts.waiting > 0)
  t.match(await askJson(server, 'GET', '/v1/admin/connections', undefined, { admin: true }), { status: 200, body: { total: 1, complete: true } })

  await trouble.end()
  await eventually('all is written', () => store!.counts.waiting === 0 && store!.current!.health().state === 'available')
  t.equal(store!.lost, 0)
  const ended = await askJson(server, 'GET', `/v1/admin/connections?ended=true&user=guest&limit=${GUESTS}`, undefined, { admin: true })
  t.match(ended.body, { total: GUESTS, complete: true })
  const stored = async (): Promise<number> => (await store!.current!.query.selectFrom('websocket_connections').selectAll()
    .where('user_id', '=', 'guest').where('disconnected_at', 'is not', null).execute()).length
  await eventually('each of them is in the store', async () => await stored() === GUESTS)
}

test('the stream goes on while a store in a file has no room, and then all rows are written', async t => {
  // The signal beside a refused write would end the process; a full disk sends none.
  process.on('SIGXFSZ', () => {})
  t.teardown(() => { limitFiles(process.pid, 'unlimited') })
  await streamOn(t, { DATA_DIR: temporaryFolder(t) }, {
    begin () { limitFiles(process.pid, 4096) },
    end () { limitFiles(process.pid, 'unlimited') }
  })
})

const skip = postgresProgram === undefined ? 'no PostgreSQL that a test may stop' : false

test('the stream goes on while a PostgreSQL is gone, and then all rows are written', { skip }, async t => {
  const postgres = await PostgresServer.start({ isDurable: true })
  t.teardown(() => postgres.close())
  const DATABASE_URL = postgres.url(await postgres.createDatabase())
  await streamOn(t, { DATABASE_URL }, {
    begin: () => postgres.kill(),
    end: () => postgres.start()
  })
})
