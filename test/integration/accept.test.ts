import { test } from 'tap'
import { RawHttp } from '../helpers/raw-http.js'
import { startServer } from '../helpers/server.js'

test('Accept chooses between an event stream and a poll by whole types and weights', async t => {
  const server = await startServer(t)
  for (const [accept, type] of [
    ['text/event-stream', 'text/event-stream'],
    ['TEXT/Event-Stream', 'text/event-stream'],
    ['text/event-stream-bogus', 'application/json'],
    ['text/event-stream;q=0, application/json', 'application/json'],
    ['text/event-stream;q=0.5, application/json;q=0.9', 'application/json'],
    ['application/json, text/event-stream', 'text/event-stream'],
    ['*/*', 'application/json'],
    ['*/*, text/event-stream', 'text/event-stream']
  ] as const) {
    const client = new RawHttp(Number(new URL(server.origin).port))
    const answer = await client.send(
      `GET /v1/stream?subscribe=quotes:A HTTP/1.1\r\nHost: x\r\nAccept: ${accept}\r\n\r\n`,
      5000,
      () => true
    )
    client.close()
    t.equal(
      typeof answer === 'string' ? answer : answer.headers['content-type'],
      `${type}; charset=utf-8`,
      accept
    )
  }
})

test('parameters of polls are refused on an event stream, by the same reading of Accept', async t => {
  const server = await startServer(t)
  for (const [accept, status] of [['TEXT/Event-Stream', 400], ['text/event-stream;q=0', 200]] as const) {
    const answer = await fetch(`${server.origin}/v1/stream?subscribe=quotes:A&wait=0`, {
      headers: { accept }
    })
    t.equal(answer.status, status, `wait is for polls only: ${accept}`)
    await answer.text()
  }
})
