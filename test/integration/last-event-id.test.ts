import { type Test, test } from 'tap'
import { RawHttp } from '../helpers/raw-http.js'
import { publish, startServer, type TestServer } from '../helpers/server.js'

/** Where an event stream continues, in each way in which clients say it. */

interface Answer {
  readonly status: number
  readonly code: unknown
  /** The sequences of the quotes that came. */
  readonly sequences: number[]
  readonly snapshots: number
}

/** Reads a stream until the first cursor, which follows what the stream begins with. */
async function ask (
  server: TestServer, query: string, headers: readonly string[], stream = true
): Promise<Answer> {
  const client = new RawHttp(Number(new URL(server.origin).port))
  const lines = ['Host: x', ...(stream ? ['Accept: text/event-stream'] : []), ...headers]
    .map(line => `${line}\r\n`)
    .join('')
  const answer = await client.send(
    `GET /v1/stream?subscribe=quotes:A${query} HTTP/1.1\r\n${lines}\r\n`,
    5000,
    text => text.includes('event: cursor')
  )
  client.close()
  if (typeof answer === 'string') throw new Error(answer)
  const text = answer.body.toString()
  if (answer.status !== 200) {
    return {
      status: answer.status,
      code: (JSON.parse(text) as { code: string }).code,
      sequences: [],
      snapshots: 0
    }
  }
  const messages = text.split('\n')
    .filter(line => line.includes('"channel":"quotes"') && line.includes('"sequence"'))
    .map(line => JSON.parse(line.slice(line.indexOf('{'))) as { sequence: number, snapshot?: boolean })
  return {
    status: 200,
    code: undefined,
    sequences: messages.map(({ sequence }) => sequence),
    snapshots: messages.filter(({ snapshot }) => snapshot === true).length
  }
}

/** Starts a server with three quotes. Returns the cursors after each of them, too. */
async function start (t: Test): Promise<{ server: TestServer, cursors: readonly [string, string, string] }> {
  const server = await startServer(t)
  const cursors: string[] = []
  for (const bid of ['1', '2', '3']) {
    await publish(server.app, 'quotes', 'A', { symbol: 'A', bid })
    const poll = await fetch(`${server.origin}/v1/stream?subscribe=quotes:A`)
    cursors.push((await poll.json() as { cursor: string }).cursor)
  }
  return { server, cursors: cursors as [string, string, string] }
}

test('takes the position of a polyfill from the query, as that of a browser from its header', async t => {
  const { server, cursors: [first, second, third] } = await start(t)
  const after = { status: 200, snapshots: 0 }
  t.match(await ask(server, `&lastEventId=${first}`, []), { ...after, sequences: [2, 3] })
  t.match(await ask(server, `&lastEventId=${encodeURIComponent(second)}`, []), { ...after, sequences: [3] })
  t.match(
    await ask(server, `&after=${first}&lastEventId=${second}`, []),
    { ...after, sequences: [3] },
    'it comes before `after`, which the page repeats'
  )
  t.match(
    await ask(server, `&lastEventId=${first}`, [`Last-Event-ID: ${second}`]),
    { ...after, sequences: [3] },
    'the header comes before it, because it is newer than a URL'
  )
  t.match(
    await ask(server, `;fresh&lastEventId=${second}`, []),
    { ...after, sequences: [3] },
    '`fresh` is ignored beside it'
  )
  t.match(
    await ask(server, `;fresh&after=${second}`, []),
    { status: 200, snapshots: 1 },
    'otherwise `fresh` begins with the state'
  )
  t.match(
    await ask(server, '&lastEventId=', []),
    { status: 200, sequences: [3], snapshots: 1 },
    'an empty one counts as none, as in the header'
  )
  t.match(await ask(server, `&lastEventId=&after=${second}`, []), { ...after, sequences: [3] })
  t.match(
    await ask(server, `&lastEventId=${first},${third}`, []),
    { ...after, sequences: [] },
    'of several the last one counts'
  )
})

test('takes the last of several ids in Last-Event-ID', async t => {
  const { server, cursors: [first, second, third] } = await start(t)
  for (const [headers, sequences] of [
    [[`Last-Event-ID: ${first}, ${second}`], [3]],
    [[`Last-Event-ID: ${second},${first}`], [2, 3]],
    [[`Last-Event-ID: ${first}`, `Last-Event-ID: ${second}`], [3]],
    [[`Last-Event-ID: nonsense*, ${third}`], []],
    [[`Last-Event-ID: ${second},`], [3]],
    [[`Last-Event-ID: , ,${second} , `], [3]]
  ] as const) {
    t.match(await ask(server, '', headers), { status: 200, sequences, snapshots: 0 }, headers.join(' '))
  }
  t.match(await ask(server, '', [`Last-Event-ID: ${first}, nonsense*`]), { status: 400, code: 'bad_cursor' })
  t.match(
    await ask(server, '', ['Last-Event-ID: ,']),
    { status: 200, sequences: [3], snapshots: 1 },
    'there is no id in it'
  )
})

test('takes lastEventId for event streams only, once, and only if it is a cursor', async t => {
  const { server, cursors: [first] } = await start(t)
  t.match(
    await ask(server, `&lastEventId=${first}`, [], false),
    { status: 400, code: 'bad_request' },
    'a poll has `after`'
  )
  const upgrade = [
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
  ]
  t.match(
    await ask(server, `&lastEventId=${first}`, upgrade),
    { status: 400, code: 'bad_request' },
    'a WebSocket has `after`, too'
  )
  t.match(await ask(server, `&lastEventId=${first}&lastEventId=${first}`, []), {
    status: 400,
    code: 'bad_request'
  })
  t.match(await ask(server, '&lastEventId=nonsense*', []), { status: 400, code: 'bad_cursor' })
  t.match(await ask(server, `&lastEventId=${'A'.repeat(600)}`, []), { status: 400, code: 'bad_cursor' })
  t.match(
    await ask(server, `&lasteventid=${first}`, []),
    { status: 400, code: 'bad_request' },
    'names of parameters are exact'
  )
})
