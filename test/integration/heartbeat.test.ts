import { once } from 'node:events'
import { test } from 'tap'
import { WebSocket } from 'ws'
import { type Message, openClient, transportNames, until } from '../helpers/clients.js'
import { startNode } from '../helpers/node.js'
import { MemoryWire } from '../helpers/memory-wire.js'
import { startServer } from '../helpers/server.js'

/** PROTOCOL.md, One URL (`heartbeat=`) and Liveness. */

const streams = transportNames.filter(transport => transport !== 'poll')
const HOUR_MS = 3_600_000

test('heartbeat= makes the server send something where it would be silent for an hour', async t => {
  const server = await startServer(t, { HEARTBEAT_MS: HOUR_MS, IDLE_TIMEOUT_MS: HOUR_MS })
  const opened = streams.flatMap(transport => ['', '&heartbeat=5'].map(parameter => {
    const messages: Message[] = []
    const client = openClient(transport, server.origin, `subscribe=quotes:A${parameter}`, undefined, {
      onMessage: message => {
        messages.push(message)
      },
      onCursor: () => {}
    })
    t.teardown(() => { client.cut() })
    const beats = (): number => messages.filter(({ type }) => type === 'heartbeat').length
    return { transport, asked: parameter !== '', messages, beats }
  }))
  const socket = new WebSocket(`${server.origin.replace('http', 'ws')}/v1/stream?heartbeat=5`)
  t.teardown(() => { socket.terminate() })
  const ping = once(socket, 'ping')
  await until(
    'heartbeats have come',
    () => opened.every(({ asked, beats }) => !asked || beats() >= 2),
    60_000
  )
  await ping
  for (const { transport, asked, messages, beats } of opened) {
    t.equal(messages[0]?.['heartbeat_ms'], asked ? 5000 : HOUR_MS, `${transport}: welcome says it`)
    if (!asked) t.equal(beats(), 0, `${transport}: the others have the server's interval`)
  }
})

test('heartbeat= gives a connection fewer heartbeats, and does not cut it for its silence in between', async t => {
  const server = await startServer(t, { HEARTBEAT_MS: 100, IDLE_TIMEOUT_MS: 250 })
  for (const transport of streams) {
    let beats = 0
    const messages: Message[] = []
    let ended = false
    const seldom = openClient(transport, server.origin, 'subscribe=quotes:A&heartbeat=60', undefined, {
      onMessage: message => {
        messages.push(message)
      },
      onCursor: () => {}
    })
    void seldom.ended.then(() => { ended = true })
    const often = openClient(transport, server.origin, 'subscribe=quotes:A', undefined, {
      onMessage: ({ type }) => {
        if (type === 'heartbeat') beats++
      },
      onCursor: () => {}
    })
    await until('the other has got many heartbeats', () => beats >= 30)
    t.same(messages.map(({ type }) => type), ['welcome', 'subscribed'], transport)
    t.equal(messages[0]!['heartbeat_ms'], 60_000)
    t.equal(ended, false)
    seldom.cut()
    often.cut()
  }
})

test('heartbeat= takes 5 to 60 whole seconds, and is refused for polls', async t => {
  const server = await startServer(t)
  const ask = async (query: string, accept: string): Promise<[number, string]> => {
    const response = await fetch(`${server.origin}/v1/stream?subscribe=quotes:A&${query}`, {
      headers: { accept }
    })
    const { code, message } = await response.json() as { code: string, message: string }
    return [response.status, `${code}: ${message}`]
  }
  for (const value of ['4', '61', '5.5', '05', '', 'x']) {
    t.same(
      await ask(`heartbeat=${value}`, 'text/event-stream'),
      [400, "bad_request: 'heartbeat' is a whole number from 5 to 60"],
      value
    )
  }
  t.match(await ask('heartbeat=5&heartbeat=5', 'text/event-stream'), [400, /given twice/])
  t.same(await ask('heartbeat=5', 'application/json'), [
    400,
    "bad_request: 'heartbeat' is for WebSocket and event streams only"
  ])
  t.same(await ask('wait=5', 'text/event-stream'), [400, "bad_request: 'wait' is for polling only"])
})

test('sends a heartbeat before its time is over, even though the clock looks once a second only', async t => {
  const node = await startNode({ heartbeatMs: 5000 })
  t.teardown(async () => { await node.close() })
  const before = Date.now()
  const wire = new MemoryWire(true)
  const connection = node.connect(wire)
  connection.welcome()
  const after = Date.now()
  const beats = (): number => wire.messages.filter(({ type }) => type === 'heartbeat').length
  connection.tick(before + 3000, 0)
  t.equal(beats(), 0, 'the next look is soon enough')
  connection.tick(after + 4000, 0)
  t.equal(beats(), 1, 'the next look, a second later, would be too late')
})
