import { test } from 'tap'
import { Events } from '../../src/connection/events.js'

interface Line { readonly level: 'info' | 'debug', readonly fields: Record<string, unknown> }

function recordEvents (): { events: Events, lines: Line[], clock: { now: number } } {
  const lines: Line[] = []
  const clock = { now: 1_000_000 }
  const take =
    (level: Line['level']) =>
      (fields: object): void => {
        lines.push({ level, fields: fields as Record<string, unknown> })
      }
  return { events: new Events({ info: take('info'), debug: take('debug') }, () => clock.now), lines, clock }
}

const alice = { transport: 'sse', address: '127.0.0.1', user: 'alice', connection: 'c1' }
const stranger = { transport: 'http', address: '2001:db8::1' }

test('logs what every client does at debug', async t => {
  const { events, lines } = recordEvents()
  events.connected(alice)
  events.authenticated(alice)
  events.subscribed(alice, 3, 1)
  events.unsubscribed(alice, 2)
  events.polled(alice, 1, 20)
  events.closed(alice, undefined, 1, 5000)
  events.closed(alice, 'going_away', 1, 5000)
  t.same(
    lines.map(({ level, fields }) => [level, fields['event']]),
    ['connect', 'authenticate', 'subscribe', 'unsubscribe', 'poll', 'close', 'close'].map(event => [
      'debug',
      event
    ])
  )
  t.same(lines[2]!.fields, {
    event: 'subscribe',
    connection: 'c1',
    user: 'alice',
    address: '127.0.0.1',
    transport: 'sse',
    selectors: 3,
    rejected: 1
  })
  t.same(lines[6]!.fields, {
    event: 'close',
    connection: 'c1',
    user: 'alice',
    address: '127.0.0.1',
    transport: 'sse',
    code: 'going_away',
    selectors: 1,
    open_ms: 5000
  })
})

test('logs refusals and faults at info, and counts those of a flood instead', async t => {
  const { events, lines, clock } = recordEvents()
  for (let n = 0; n < 25; n++) events.refused(stranger, 'unauthorized')
  events.closed(alice, 'bad_request', 0, 1)
  const levels = (): string => lines.map(({ level }) => level[0]).join('')
  t.equal(levels(), 'i'.repeat(10) + 'd'.repeat(16))
  clock.now += 999
  events.refused(stranger, 'forbidden')
  clock.now += 1
  events.refused(stranger, 'forbidden')
  events.closed(alice, 'unauthorized', 2, 60_000)
  t.equal(levels().slice(26), 'dii')
  t.same(lines.at(-2)!.fields, {
    event: 'refuse',
    address: '2001:db8::1',
    transport: 'http',
    code: 'forbidden',
    omitted: 17
  })
  t.notOk('omitted' in lines.at(-1)!.fields, 'the count is logged once')
})

test('logs every batch and every operator at info', async t => {
  const { events, lines } = recordEvents()
  for (let n = 0; n < 100; n++) {
    events.published(
      alice,
      new Map([
        ['news', { accepted: 2, rejected: 1 }],
        ['quotes', { accepted: 1, rejected: 0 }]
      ])
    )
  }
  events.administered(alice, 'POST', '/v1/admin/sources/:name/stop', 204)
  t.ok(lines.every(({ level }) => level === 'info'))
  t.match(lines[99]!.fields, {
    event: 'publish',
    user: 'alice',
    accepted: 3,
    rejected: 1,
    channels: { news: { accepted: 2, rejected: 1 }, quotes: { accepted: 1, rejected: 0 } }
  })
  t.match(lines[100]!.fields, {
    event: 'admin',
    user: 'alice',
    method: 'POST',
    route: '/v1/admin/sources/:name/stop',
    status: 204
  })
})

test('does not repeat an address that is none', async t => {
  const { events, lines } = recordEvents()
  events.connected({ ...alice, address: 'what a header of a client says' })
  t.equal(lines[0]!.fields['address'], 'unreadable')
})
