import { test } from 'tap'
import { type Message, transportNames, until } from '../helpers/clients.js'
import { CutClient } from '../helpers/cut-client.js'
import { krakenV2Recording } from '../helpers/kraken-v2.js'
import { needsRecordings } from '../helpers/naive-book.js'
import { startServer } from '../helpers/server.js'
import { krakenChecksum } from '../venues/protocols/kraken.js'
import { type Sides, TrueBook } from '../venues/true-book.js'

const CUTS = 30
/** The recorded session has ten snapshots, and so many updates, each with a checksum. */
const SNAPSHOTS = 10
const CHECKSUMS = 4269
const FIRST_SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000)

/** Rebuilds the books from their messages, and counts the checksums that are those of the rebuilt book. */
function rightChecksums (messages: readonly Message[]): number {
  const books = new Map<string, TrueBook>()
  let right = 0
  for (const { symbol, snapshot, data } of messages) {
    const book = books.get(symbol!) ?? new TrueBook()
    books.set(symbol!, book)
    const sides = data as Sides & { readonly checksum?: string | number }
    if (snapshot === true) book.replace(sides)
    else {
      for (const name of ['bids', 'asks'] as const) for (const level of sides[name]) book.set(name, level)
      if (krakenChecksum(book) === Number(sides.checksum)) right++
    }
  }
  return right
}

for (const version of [1, 2] as const) {
  test(`clients that are cut ${CUTS} times compute all checksums of Kraken, version ${version}, over each transport`, {
    ...needsRecordings, timeout: 280_000
  }, async t => {
    t.comment(`repeat with SEED=${FIRST_SEED}`)
    const file = version === 1 ? `${process.env['RECORDINGS']}/kraken-book-ws.txt` : krakenV2Recording(t)
    const server = await startServer(t, { SOURCES: `replay:${file}?speed=8&start=manual`, RETENTION_MESSAGES: 100_000 })
    const clients = transportNames.map((transport, at) =>
      new CutClient(server.origin, FIRST_SEED + at, CUTS, [transport]))
    for (const client of clients) client.open()
    await until('all have their first cursor', () => clients.every(client => client.connected), 30_000)
    await fetch(`${server.origin}/v1/admin/sources/replay/start`, {
      method: 'POST', headers: { authorization: `Bearer ${server.token({ admin: true })}` }
    })
    await until('all have everything, and have been cut often enough', () => clients.every(
      ({ follower, cutsMade }) => follower.accepted.length >= SNAPSHOTS + CHECKSUMS && cutsMade === CUTS
    ), 250_000)
    for (const [at, client] of clients.entries()) {
      const { follower, made, cutsMade } = client
      const name = transportNames[at]!
      t.same(follower.gaps, [], `${name}: no gap`)
      t.same(follower.resets, [], `${name}: no reset`)
      t.equal(follower.accepted.length, SNAPSHOTS + CHECKSUMS, `${name}: each message once`)
      t.equal(rightChecksums(follower.accepted), CHECKSUMS, `${name}: all checksums`)
      t.equal(cutsMade, CUTS, `${name}: ${JSON.stringify(made)}`)
      client.close()
    }
  })
}
