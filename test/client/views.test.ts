import { openBars } from '@tickwire/client/bars'
import { isCrossed, krakenChecksum, openBook } from '@tickwire/client/book'
import type { AddressInfo } from 'node:net'
import { test } from 'tap'
import { until } from '../helpers/clients.js'
import { networkTo } from '../helpers/network.js'
import { publish, startServer, type TestServer } from '../helpers/server.js'
import { clientTransports, openTickwire } from '../helpers/tickwire-client.js'

const SOON = { random: () => Math.random() / 10 }

async function book (
  server: TestServer, bids: string[][], asks: string[][], extra: object = {}
): Promise<void> {
  await publish(server.app, 'book', 'A', { symbol: 'A', bids, asks }, extra)
}

for (const transport of clientTransports) {
  test(`${transport}: a book is the server's, for each view to its depth, also after a cut`, async t => {
    const server = await startServer(t)
    const { port } = server.app.server.address() as AddressInfo
    const network = await networkTo(t, port)
    await book(server, [['10', '1'], ['9.5', '2'], ['9', '3']], [['10.25', '1'], ['11', '2']], { snapshot: true })
    const client = openTickwire(t, network.origin, { transports: [transport], environment: SOON })
    const whole = openBook(client, 'A')
    let changes = 0
    whole.onChange(() => { changes++ })
    await until('it has come', () => !whole.snapshot().stale)
    t.same(whole.snapshot().bids, [['10', '1'], ['9.5', '2'], ['9', '3']])
    t.equal(whole.snapshot().spread, '0.25')
    t.equal(whole.snapshot(), whole.snapshot(), 'it is the same object until it changes')
    const best = openBook(client, 'A', { depth: 1 })
    await until('the other view has it, too', () => !best.snapshot().stale)
    t.same(best.snapshot().bids, [['10', '1']])
    await book(server, [['10', '0'], ['9.75', '4']], [])
    await until('it has changed', () => whole.snapshot().bids[0]?.[0] === '9.75')
    t.same(whole.snapshot().bids, [['9.75', '4'], ['9.5', '2'], ['9', '3']])
    network.take()
    await book(server, [], [['10.25', '0'], ['10.5', '7']])
    network.giveBack()
    await until('it is the server\'s again', () => whole.snapshot().asks[0]?.[0] === '10.5')
    t.same(whole.snapshot().asks, [['10.5', '7'], ['11', '2']])
    t.same(best.snapshot().asks, [['10.5', '7']])
    t.equal(isCrossed(whole.snapshot()), false)
    t.ok(changes >= 3, `${changes} changes`)
    const before = changes
    whole.close()
    await book(server, [['9.8', '1']], [])
    await until('the other view goes on', () => best.snapshot().bids[0]?.[0] === '9.8')
    t.equal(changes, before, 'a closed view is told nothing')
    best.close()
  })

  test(`${transport}: bars follow the stream, and a revised bar replaces the former one`, async t => {
    const server = await startServer(t)
    const bar = async (start: string, close: string, revision?: number): Promise<void> => {
      await publish(server.app, 'bars.1m', 'A', {
        symbol: 'A',
        interval: '1m',
        start: `2026-02-07T14:${start}:00Z`,
        open: '1',
        high: '9',
        low: '1',
        close,
        volume: '1',
        vwap: '1',
        trades: 1,
        closed: revision !== undefined,
        ...(revision === undefined ? {} : { revision }),
        through: 1
      })
    }
    for (const [start, close] of [['30', '1'], ['31', '2'], ['32', '3']] as const) await bar(start, close, 0)
    const client = openTickwire(t, server.origin, { transports: [transport], environment: SOON })
    const view = openBars(client, 'A', '1m', { limit: 2 })
    await until('the bars so far have come', () => view.bars().length === 2)
    await bar('32', '4', 1)
    await bar('33', '5')
    await until('the new bar has come', () => view.bars().length === 3)
    t.same(view.bars().map(({ start, close }) => [start.slice(14, 16), close]), [['31', '2'], ['32', '4'], ['33', '5']])
    await bar('31', '6', 1)
    await until('a late revision has come', () => view.bars()[0]?.close === '6')
    t.equal(await view.older(), 1)
    t.same(view.bars().map(({ close }) => close), ['1', '6', '4', '5'])
    t.equal(view.loading(), false)
    view.close()
  })
}

test('bars of what the server refuses say why', async t => {
  const server = await startServer(t, { UNKNOWN_SYMBOLS: 'reject' })
  const client = openTickwire(t, server.origin)
  const view = openBars(client, 'NOPE', '1m')
  await until('the view says why', () => view.error() !== undefined)
  t.match(view.error(), /no such symbol/)
})

test("the checksum of a venue is the client's, too", t => {
  const sized = (prices: number[]): Array<[string, string]> => prices.map(price => [price.toFixed(5), '0.00000500'])
  const asks = sized(Array.from({ length: 10 }, (_, at) => 0.05005 + at * 0.00005))
  const bids = sized([0.05, 0.04995, 0.0499, 0.0498, 0.04975, 0.0497, 0.04965, 0.0496, 0.04955, 0.0495])
  t.equal(krakenChecksum({ bids, asks }), 974947235)
  t.equal(krakenChecksum({ bids: [...bids, ['0.04', '1']], asks: [...asks, ['0.06', '1']] }), 974947235, 'of ten levels')
  t.not(krakenChecksum({ bids: [['0.05', '1']], asks }), 974947235)
  t.end()
})
