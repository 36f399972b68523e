import { test } from 'tap'
import { until } from '../helpers/clients.js'
import { CutClient } from '../helpers/cut-client.js'
import { coinbaseRecording, difference, expectedLines, receivedLines } from '../helpers/recorded-session.js'
import { startServer } from '../helpers/server.js'

const CUTS = 50
const SEEDS = Number(process.env['CUT_SEEDS'] ?? 20)
const FIRST_SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000)

test('clients that are cut again and again end with exactly the recorded messages', {
  skip: coinbaseRecording === undefined ? 'RECORDINGS is not set' : false, timeout: 240_000
}, async t => {
  t.comment(`seeds ${FIRST_SEED} to ${FIRST_SEED + SEEDS - 1}; repeat with SEED=${FIRST_SEED}`)
  const expected = expectedLines(coinbaseRecording!)
  const total = [...expected.values()].reduce((sum, lines) => sum + lines.length, 0)
  const server = await startServer(t, { SOURCES: `replay:${coinbaseRecording}?speed=2&start=manual`, RETENTION_MESSAGES: 100_000 })
  const clients = Array.from({ length: SEEDS }, (_, index) => (
    new CutClient(server.origin, FIRST_SEED + index, CUTS)
  ))
  for (const client of clients) client.open()
  await until('all have their first cursor', () => clients.every(client => client.connected), 30_000)
  await fetch(`${server.origin}/v1/admin/sources/replay/start`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.token({ admin: true })}` }
  })
  await until('all have everything, and have been cut often enough', () => (
    clients.every(({ follower, cutsMade }) => follower.accepted.length >= total && cutsMade === CUTS)
  ), 200_000)

  for (const [index, client] of clients.entries()) {
    const name = `seed ${FIRST_SEED + index}`
    const { follower, made } = client
    t.comment(
      `${name}: cuts ${JSON.stringify(made)}, connections ${JSON.stringify(Object.fromEntries(client.used))}, duplicates ${follower.duplicates}`
    )
    t.same(follower.gaps, [], `${name}: no gap`)
    t.same(follower.resets, [], `${name}: no reset`)
    t.equal(
      difference(expected, receivedLines(follower.accepted)),
      undefined,
      `${name}: exactly the same messages`
    )
    t.equal(client.cutsMade, CUTS, `${name}: cut ${CUTS} times`)
    t.ok(made['catch-up'] >= 10, `${name}: at least 10 cuts during a catch-up`)
    t.ok(made['before-cursor'] >= 10, `${name}: at least 10 cuts between a message and its cursor`)
    client.close()
  }
})
