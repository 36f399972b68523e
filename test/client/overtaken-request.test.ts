import { TickwireClient, type Transport } from '@tickwire/client'
import { test } from 'tap'
import { until } from '../helpers/clients.js'
import { readAll } from '../helpers/tickwire-client.js'

const trade = (sequence: number): { type: string } & Record<string, unknown> => ({
  type: 'trade', channel: 'trades', symbol: 'A', sequence, timestamp: '2026-01-01T00:00:00Z', data: {}
})
const cursor = (text: string): { type: string, cursor: string } => ({ type: 'cursor', cursor: text })

test('a connection that was asked for before the first cursor came is asked for again, from that cursor', async t => {
  const links: Array<{ query: string, say: (...messages: Array<{ type: string }>) => void }> = []
  const transport: Transport = {
    name: 'event-stream',
    duplex: false,
    isStream: true,
    probeAfterMs: Infinity,
    deadAfterMs: Infinity,
    open: ({ query }, { onMessage }) => {
      links.push({ query, say: (...messages) => { for (const message of messages) onMessage(message) } })
      return { close: () => {} }
    }
  }
  const client = new TickwireClient({ url: 'http://localhost', transports: [transport] })
  t.teardown(() => { client.close() })
  const link = async (number: number): Promise<typeof links[number]> => {
    await until(`there are ${number} connections`, () => links.length === number)
    return links[number - 1]!
  }
  const trades = readAll(client.subscribe('trades', ['A']))
  const first = await link(1)
  first.say({ type: 'welcome' })
  client.subscribe('quotes', ['A']).onMessage(() => {})
  const second = await link(2)
  t.equal(second.query, 'subscribe=trades:A&subscribe=quotes:A')
  first.say(trade(1), cursor('c1'))
  // The server began it behind the second trade, which is still on its way over the first connection.
  second.say({ type: 'welcome' }, cursor('c2'), trade(3))
  const third = await link(3)
  t.equal(third.query, 'subscribe=trades:A&subscribe=quotes:A;fresh&after=c1')
  third.say({ type: 'welcome' }, trade(2), trade(3), cursor('c3'))
  t.same(trades.order, [1, 2, 3])
  const { gaps, resets } = client.inspect()
  t.same({ gaps, resets }, { gaps: 0, resets: 0 })
})
