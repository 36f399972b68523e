import { TickwireClient, type Transport } from '@tickwire/client'
import { TestServer } from '@tickwire/client/testing'
import { test } from 'tap'
import { until } from '../helpers/clients.js'
import { readAll } from '../helpers/tickwire-client.js'

const trade = { symbol: 'A', price: '1', size: '1', timestamp: '2026-01-01T00:00:00Z' }

test('a subscription that is refused for now is resumed from where it was, whatever cursor comes meanwhile', async t => {
  const server = new TestServer()
  let refusals = 0
  const transport: Transport = {
    ...server.transport,
    open: (request, events, environment) => {
      const link = server.transport.open(request, events, environment)
      const send = (action: object): void => {
        const { action: name, channel, id } = action as Record<string, unknown>
        if (refusals === 0 || name !== 'subscribe' || channel !== 'trades') return link.send!(action)
        refusals--
        const error = { type: 'error', id, code: 'log_unavailable', message: 'not now', retry_after_ms: 50 }
        queueMicrotask(() => { events.onMessage(error) })
      }
      return { ...link, send }
    }
  }
  const client = new TickwireClient({ ...server.options, transports: [transport] })
  t.teardown(() => { client.close() })
  const trades = readAll(client.subscribe('trades', ['A']))
  const quotes = readAll(client.subscribe('quotes', ['A']))
  await until('the client is live', () => client.state.name === 'live')
  server.emit('trades', 'A', trade)
  server.cut({ stays: true })
  server.emit('trades', 'A', trade)
  server.emit('quotes', 'A', { symbol: 'A', bid: '1' })
  refusals = 1
  server.mend()
  await until('the other subscription is resumed', () => quotes.messages.length === 1)
  await until('the client is live', () => client.state.name === 'live')
  server.emit('trades', 'A', trade)
  t.equal(refusals, 0)
  t.same(trades.order, [1, 2, 3])
  t.equal(client.inspect().gaps, 0)
})
