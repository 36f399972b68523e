import { generateKeyPairSync } from 'node:crypto'
import { test } from 'tap'
import { providePython, PythonDriver, runPython } from '../helpers/python-client.js'
import { publish, startServer } from '../helpers/server.js'

const python = await providePython()
const skip = 'missing' in python ? python.missing : false
const program = 'program' in python ? python.program : ''

/** What the program has found. */
interface Found {
  readonly published: ReadonlyArray<{ readonly rejected: ReadonlyArray<{ message?: string }> }>
  readonly statuses: readonly string[]
  readonly genuine: readonly boolean[]
}

test('publishes, trades with signatures, and reads with threads', { skip }, async t => {
  const server = generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' })
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const { origin, token } = await startServer(t, {
    ORDER_SIGNING_KEY: String(server), ORDER_SIGNING: 'required', ORDER_WINDOW_MS: 60_000
  })
  const { kty, crv, x } = publicKey.export({ format: 'jwk' })
  const { stdout } = await runPython(program, ['tests/live_requests.py'], JSON.stringify({
    url: origin, token: token({ trade: true, order_key: { kty, crv, x } }), key: privateKey.export({ format: 'jwk' })
  }))
  const { published, statuses, genuine, ...rest } = JSON.parse(stdout) as Found
  for (const answer of published) for (const item of answer.rejected) delete item.message
  t.strictSame(published, [
    { accepted: 1, rejected: [], sequences: [1] },
    { accepted: 1, rejected: [{ index: 1, code: 'unknown_channel' }], sequences: [1, null] }
  ], 'the second time under the same key adds nothing')
  t.equal(statuses.at(-1), 'canceled')
  t.equal(genuine.length, statuses.length)
  t.ok(genuine.every(Boolean), 'the server has signed each')
  t.strictSame(rest, {
    same_order: true,
    quantity: '8',
    forged: false,
    acknowledged: true,
    states: ['1', '1'],
    granted: [['A'], ['A'], ['A'], ['A']],
    again: [null],
    latest: '2'
  })
})

test('follows sets, throttled topics and options that change, on every transport', { skip }, async t => {
  const { app, origin } = await startServer(t)
  const quote = async (symbol: string, bid: number): Promise<void> => {
    await publish(app, 'quotes', symbol, { symbol, bid: String(bid) })
  }
  for (const symbol of ['A', 'B']) await quote(symbol, 1)
  for (const transport of ['websocket', 'event-stream', 'polling']) {
    const driver = PythonDriver.start(t, program)
    driver.do({ do: 'connect', url: origin, transports: [transport] })
    driver.do({ do: 'subscribe', channel: 'quotes', symbols: ['*'] })
    await driver.seen({ event: 'message', snapshot: true }, 2)
    driver.do({ do: 'subscribe', channel: 'quotes', symbols: ['A'], throttle_ms: 250 })
    driver.do({ do: 'subscribe', channel: 'quotes', symbols: ['A'], throttle_ms: 100 })
    await driver.seen({ event: 'subscribed' }, 2)
    driver.do({ do: 'unsubscribe', channel: 'quotes', symbols: ['*'] })
    // Until the set is gone, B goes on; the numbers tell what came of it.
    let bid = 1
    await driver.until('B comes no more', () => {
      void quote('A', ++bid)
      void quote('B', bid)
      const [ofA, ofB] = [driver.numbers('quotes', 'A').at(-1), driver.numbers('quotes', 'B').at(-1)]
      return Number(ofA) > Number(ofB) + 100
    })
    t.equal(await driver.close(), 0)
    t.same(driver.all({ event: 'gap' }), [], transport)
    for (const symbol of ['A', 'B']) {
      const bids = driver.numbers('quotes', symbol).map(Number)
      t.ok(bids.length > 0 && bids.every((each, at) => at === 0 || each >= bids[at - 1]!), `${symbol} never goes back`)
    }
    for (const symbol of ['A', 'B']) await quote(symbol, 1)
  }
})
