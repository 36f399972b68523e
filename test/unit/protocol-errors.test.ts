import { type ClientPolicy, errorCodes, errorTable, ProtocolError } from '@tickwire/protocol'
import { test } from 'tap'

/** PROTOCOL.md, Errors and closing, written out, because clients outside this repository rely on it. */
const TABLE: ReadonlyArray<
  readonly [close: number, codes: readonly string[], status: number, client: ClientPolicy]
> = [
  [1001, ['going_away'], 503, 'reconnect'],
  [1009, ['message_too_big'], 413, 'stop'],
  [
    4400,
    [
      'bad_request',
      'invalid_json',
      'invalid_message',
      'unknown_channel',
      'unknown_symbol',
      'bad_cursor',
      'not_throttleable'
    ],
    400,
    'stop'
  ],
  [4401, ['unauthorized'], 401, 'renew'],
  [4403, ['forbidden'], 403, 'stop'],
  [4404, ['not_found'], 404, 'stop'],
  [4408, ['idle_timeout'], 408, 'reconnect'],
  [4410, ['disabled'], 503, 'stop'],
  [4409, ['replaced', 'conflict'], 409, 'stop'],
  [4413, ['too_many_subscriptions'], 429, 'stop'],
  [4429, ['rate_limited', 'too_many_connections'], 429, 'reconnect'],
  [4500, ['internal'], 500, 'backoff'],
  [4503, ['overloaded', 'log_unavailable'], 503, 'reconnect']
]

test('has exactly the codes of the protocol, with their close codes, statuses and policies', async t => {
  const codes = TABLE.flatMap(([, codes]) => codes)
  t.equal(new Set(codes).size, codes.length)
  t.same([...errorCodes].sort(), [...codes].sort(), 'exactly these codes')
  for (const [close, codes, status, client] of TABLE) {
    for (const code of codes) {
      const { message, ...entry } = errorTable[code as keyof typeof errorTable]
      t.same(entry, { close, status, client }, code)
      t.match(message, /^[\x20-\x7e]+$/, `${code} has a message`)
    }
  }
})

test('gives all codes of a close code the same policy and status', async t => {
  for (const { close, client, status } of Object.values(errorTable)) {
    const others = Object.values(errorTable).filter(entry => entry.close === close)
    t.ok(others.every(entry => entry.client === client && entry.status === status), String(close))
    t.ok(
      close === 1001 || close === 1009 || (close >= 4000 && close < 5000),
      `a WebSocket may use the close code ${close}`
    )
  }
})

test('takes the message of an error from the table unless another is given', async t => {
  t.match(new ProtocolError('bad_cursor'), {
    name: 'ProtocolError',
    code: 'bad_cursor',
    message: errorTable.bad_cursor.message,
    retryAfterMs: undefined
  })
  t.match(new ProtocolError('overloaded', 'full', 1500), {
    code: 'overloaded',
    message: 'full',
    retryAfterMs: 1500
  })
  t.ok(new ProtocolError('internal') instanceof Error)
})
