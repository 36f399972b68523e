import { crc32 } from 'node:zlib'
import { test } from 'tap'
import { type Message, openClient, until } from '../helpers/clients.js'
import { Follower, needsRecordings } from '../helpers/naive-book.js'
import { startServer } from '../helpers/server.js'

/** The checksum of Kraken's documents, of a book that a client holds. */
function checksum (book: Follower['book']): number {
  const { bids, asks } = book.levels(10)
  return crc32([...asks, ...bids].map(level => level.map(text => text.replace('.', '').replace(/^0+/, '')).join('')).join(''))
}

test('the recorded session of Kraken: clients compute all its checksums from the books that they hold', needsRecordings, async t => {
  const server = await startServer(t, { SOURCES: `replay:${process.env['RECORDINGS']}/kraken-book-ws.txt?speed=max&start=manual` })
  const { symbols } = await (await fetch(`${server.origin}/v1/symbols?market=KRAKEN`)).json() as { symbols: Array<{ symbol: string }> }
  t.same(symbols.map(({ symbol }) => symbol).sort(), ['ADA-BTC', 'BTC-CHF', 'ETH-CHF', 'GRT-ETH', 'KSM-BTC', 'OCEAN-BTC', 'OMG-USD', 'SC-EUR', 'WAVES-EUR', 'XMR-USD'])
  const clients = (['ws-json', 'sse'] as const).map(transport => {
    const seen = { transport, messages: 0, right: 0, books: new Map<string, Follower>() }
    const take = ({ type, symbol, snapshot, data }: Message): void => {
      if (type !== 'book') return
      const follower = seen.books.get(symbol!) ?? new Follower()
      seen.books.set(symbol!, follower)
      follower.take({ ...(snapshot === true ? { snapshot } : {}), data: data as never })
      seen.messages++
      if (checksum(follower.book) === Number((data as { checksum?: string }).checksum)) seen.right++
    }
    return { ...seen, seen, client: openClient(transport, server.origin, 'subscribe=book:*', undefined, { onMessage: take, onCursor: () => {} }) }
  })
  await until('both are there', () => server.parts.connections.active === 2)
  await new Promise(resolve => setTimeout(resolve, 50))
  await fetch(`${server.origin}/v1/admin/sources/replay/start`, { method: 'POST', headers: { authorization: `Bearer ${server.token({ admin: true })}` } })
  await until('both have all', () => clients.every(({ seen }) => seen.messages >= 4279))
  for (const { transport, seen, client } of clients) {
    t.equal(seen.messages, 4279, `${transport}: with ten snapshots`)
    t.equal(seen.right, 4269, `${transport}: checksums`)
    client.cut()
  }
})
