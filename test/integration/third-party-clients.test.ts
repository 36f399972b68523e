import { test } from 'tap'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { thirdPartyClients } from '../clients/clients.js'
import { exitCode, prepareContests } from '../clients/contests.js'
import { table } from '../clients/report.js'
import { run } from '../clients/run.js'
import { programInTree, versionOf } from '../clients/toolchains.js'

/** On each wire the clients whose packages this project has anyway; `npm run clients` runs all. */
const NAMES = ['ws', 'undici-websocket', 'undici-eventsource', 'eventsource', 'fetch']

test('gives third-party clients everything through a cut, a disconnect and a restart, without a reset', {
  skip: redisProgram === undefined ? 'there is no Redis' : false, timeout: 200_000
}, async t => {
  const redis = await RedisServer.start()
  t.teardown(async () => { await redis.close() })
  const contests = NAMES.map(name => {
    const client = thirdPartyClients.find(each => each.language === 'npm' && each.name === name)!
    return { client, program: programInTree(client) }
  })
  const results = await run({
    redisUrl: redis.url,
    contests,
    rate: 50,
    calmMs: 500,
    quietMs: 0,
    say: line => {
      t.comment(line)
    }
  })
  for (const line of table(results, [])) t.comment(line)
  for (const { client, faults, byLibrary, byProgram } of results) {
    t.same(faults, [], `${client.name} got everything`)
    t.ok(byLibrary + byProgram > 0, `${client.name} came back`)
  }
})

test('says that clients without their language did not run, and does not call that a success', async t => {
  const path = process.env['PATH']
  t.teardown(() => { process.env['PATH'] = path })
  process.env['PATH'] = '/nowhere'
  const clients = thirdPartyClients.filter(({ language }) => language === 'Go')
  const { contests, notRun } = await prepareContests(clients, t.testdir(), () => {})
  t.same(contests, [])
  t.same(notRun, clients.map(client => ({ client, reason: 'no go on PATH' })))
  t.equal(exitCode(0, 0, clients.length), 1, 'if nothing ran')
  t.equal(exitCode(3, 0, clients.length), 3, 'if the others hold')
  t.equal(exitCode(3, 1, clients.length), 1, 'if one of the others fails')
  t.equal(exitCode(3, 0, 0), 0)
})

test('gives each client a version, so that its manifest names its library', async t => {
  for (const client of thirdPartyClients) t.not(versionOf(client), 'unknown', client.name)
})
