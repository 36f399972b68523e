import { test } from 'tap'
import { type Message, openClient, transportNames, until } from '../helpers/clients.js'
import {
  coinbaseRecording,
  counts,
  difference,
  expectedLines,
  receivedLines
} from '../helpers/recorded-session.js'
import { startServer } from '../helpers/server.js'

test('delivers the recorded session whole and in order over every transport and subprotocol', {
  skip: coinbaseRecording === undefined ? 'RECORDINGS is not set' : false
}, async t => {
  const expected = expectedLines(coinbaseRecording!)
  t.match(counts(expected), { quote: 107, trade: 107, snapshot: 10, update: 9719 })
  const server = await startServer(t, {
    SOURCES: `replay:${coinbaseRecording}?speed=max&start=manual`,
    UNKNOWN_SYMBOLS: 'reject'
  })
  const total = 107 + 107 + 10 + 9719

  const received = new Map(transportNames.map(name => [name, [] as Message[]]))
  let cursors = 0
  const clients = transportNames.map(name =>
    openClient(name, server.origin, 'subscribe=quotes:*&subscribe=trades:*&subscribe=book:*', undefined, {
      onMessage: message => {
        if (message.sequence !== undefined || message.type === 'reset') received.get(name)!.push(message)
      },
      onCursor: () => {
        cursors++
      }
    })
  )
  // A poll without a position begins at the present only once it is held; the streams begin with their first
  // cursor.
  await until('the streams have their first cursor', () => cursors >= 3)
  await until('the poll is held', () => server.parts.connections.active === 4)
  await new Promise(resolve => setTimeout(resolve, 50))

  const start = await fetch(`${server.origin}/v1/admin/sources/replay/start`, {
    method: 'POST', headers: { authorization: `Bearer ${server.token({ admin: true })}` }
  })
  t.equal(start.status, 204)
  await until('all have everything', () => [...received.values()].every(messages => messages.length >= total))

  for (const [name, messages] of received) {
    t.equal(messages.length, total, `${name}: as many messages as in the recording`)
    t.equal(difference(expected, receivedLines(messages)), undefined, `${name}: the same messages`)
    const last = new Map<string, number>()
    let broken = 0
    for (const { channel, symbol, sequence } of messages) {
      const topic = `${channel}:${symbol}`
      if (sequence !== (last.get(topic) ?? 0) + 1) broken++
      last.set(topic, sequence!)
    }
    t.equal(broken, 0, `${name}: contiguous per topic`)
  }
  for (const client of clients) client.cut()
})
