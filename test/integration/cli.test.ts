import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { until } from '../helpers/clients.js'
import { runCommand, startCommand } from '../helpers/command.js'
import { networkTo } from '../helpers/network.js'
import { publish, startServer, subscribers } from '../helpers/server.js'

const COMMANDS = ['start', 'tail', 'publish', 'nodes', 'token', 'check-config', 'certificate', 'sizing']
const quote = (symbol: string, bid: string): string => JSON.stringify({ channel: 'quotes', symbol, data: { symbol, bid } })

test('help for the command and for each of its commands, with an example', async t => {
  const { code, out } = await runCommand(['--help'])
  t.equal(code, 0)
  for (const name of COMMANDS) {
    t.match(out, name)
    const help = await runCommand([name, '--help'])
    t.equal(help.code, 0)
    t.match(help.out, new RegExp(`usage: tickwire ${name}`))
    t.match(help.out, /examples?:\n {2}/)
  }
  t.match((await runCommand(['--version'])).out, /^\d+\.\d+\.\d+\n$/)
})

test('what cannot be understood is said, with what there is, and ends with 2', async t => {
  const lines: ReadonlyArray<readonly [string[], RegExp]> = [
    [['tial'], /did you mean tail\?/],
    [['frobnicate'], /there are: start, tail/],
    [['tail', 'quotes:A', '--trasport', 'ws'], /did you mean --transport\?/],
    [['tail', 'quotes:A', '--transport', 'carrier-pigeon'], /one of ws, sse, poll/],
    [['tail'], /needs a topic/],
    [['tail', 'quotes:A', '-n', 'many'], /--number is a whole number/],
    [['tail', 'Quotes:A'], /quotes:AAPL/],
    [['tail', 'quotes:A', '--url', 'nowhere'], /--url is an address/],
    [['tail', 'quotes:A', '--token-file', '/nowhere/at/all'], /cannot be read/],
    [['token'], /needs --sub/],
    [['token', '--sub', 'a', '--ttl', 'soon'], /--ttl is a time/],
    [['nodes', 'all'], /takes flags only/],
    [['publish'], /needs either --data .* or --file/],
    [['publish', '--data', '{}'], /needs a channel/],
    [['publish', 'quotes', 'A', '--data', '{'], /--data is not JSON/],
    [['start', 'now'], /takes flags only/]
  ]
  await Promise.all(lines.map(async ([args, words]) => {
    const { code, err } = await runCommand(args, { JWT_SECRET: 'x' })
    t.equal(code, 2, args.join(' '))
    t.match(err, words)
    t.notMatch(err, /at .*\.js:/, 'no stack')
  }))
})

test('check-config: the values and where they are from, or what is wrong', async t => {
  const good = await runCommand(['check-config'], { PORT: '9000', JWT_SECRET: 'do not tell' })
  t.equal(good.code, 0)
  t.match(good.out, /PORT +9000 +environment/)
  t.match(good.out, /HOST +127\.0\.0\.1 +default/)
  t.notMatch(good.out, 'do not tell')
  for (const [env, words] of [
    [{ PORT: 'http' }, /PORT="http" cannot be used: a whole number/], [{ SOURCES: 'simulation' }, /'simulation' is not a source/], [{ NODE_ENV: 'production' }, /JWT_SECRET is needed/],
    [{ JWT_PUBLIC_KEY: '/nowhere.pem' }, /JWT_PUBLIC_KEY is neither a PEM nor the path/]
  ] as const) {
    const { code, err } = await runCommand(['check-config'], env)
    t.equal(code, 1)
    t.match(err, words)
  }
})

test('certificate: two files that a server serves TLS with, and that are not overwritten', async t => {
  const folder = join(mkdtempSync(join(tmpdir(), 'tickwire-')), 'tls')
  const made = await runCommand(['certificate', '--out', folder])
  t.equal(made.code, 0)
  t.match(made.out, 'localhost, 127.0.0.1, ::1')
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')] as const
  t.equal(statSync(key).mode & 0o777, 0o600, 'nobody else reads the key')
  const parsed = new X509Certificate(readFileSync(cert))
  t.ok(parsed.checkHost('localhost') !== undefined && parsed.checkIP('127.0.0.1') !== undefined && parsed.checkIP('::1') !== undefined)
  const server = startCommand(['start', '--port', '0', '--sources', 'none'], { TLS_CERT: cert, TLS_KEY: key, LOG_LEVEL: 'error' })
  await until('it listens', () => server.lines.some(line => line.includes('listens on https:')))
  const origin = /https:\S+/.exec(server.lines.join())![0]
  const read = await runCommand(['tail', 'system', '-n', '1', '--transport', 'poll', '--after', 'nonsense', '--url', origin], { NODE_EXTRA_CA_CERTS: cert })
  t.match(read.err, /bad_cursor/, 'a client that is given the certificate trusts it')
  server.child.kill('SIGTERM')
  await server.finished

  const again = await runCommand(['certificate', '--out', folder])
  t.equal(again.code, 1)
  t.match(again.err, /are there already: delete that first/)
  t.equal((await runCommand(['certificate', '--out', folder, '--keep'])).code, 0)
  t.equal(readFileSync(cert, 'utf8'), parsed.toString(), 'it is as it was')
  for (const [args, words] of [[['no such host'], /neither a host's name nor an address/], [['--days', '9999'], /--days is from 1 to 825/]] as const) {
    const { code, err } = await runCommand(['certificate', ...args])
    t.equal(code, 2)
    t.match(err, words)
  }
})

test('start listens, takes its flags, and ends with 0 on SIGTERM; a bad setting is a sentence', async t => {
  const server = startCommand(['start', '--port', '0', '--sources', 'none'], { LOG_LEVEL: 'error' })
  await until('it listens', () => server.lines.some(line => line.includes('listens on')))
  const origin = /http:\S+/.exec(server.lines.join())![0]
  t.equal((await fetch(`${origin}/healthz`)).status, 200)
  const second = await runCommand(['start', '--port', new URL(origin).port], { LOG_LEVEL: 'error' })
  t.equal(second.code, 1, 'a second one ends, sources and all')
  t.match(second.err, /is taken; stop what listens there, or choose another/)
  server.child.kill('SIGTERM')
  t.equal((await server.finished).code, 0)
  const { code, err } = await runCommand(['start', '--port', 'eighty'])
  t.equal(code, 1)
  t.match(err, /PORT="eighty" cannot be used/)
})

test('token: signed for the server, with what it permits', async t => {
  const server = await startServer(t)
  const env = { JWT_SECRET: 'a secret for tests only, long enough' }
  const { code, out } = await runCommand(['token', '--sub', 'alice', '--publish', 'quotes:*', '--ttl', '5m'], env)
  t.equal(code, 0)
  const sent = await runCommand(['publish', 'quotes', 'A', '--data', '{"symbol":"A","bid":"1"}', '--url', server.origin], { TICKWIRE_TOKEN: out.trim() })
  t.same([sent.code, sent.out, sent.err], [0, '1 accepted, 0 rejected\n', ''])
  const { token, claims } = JSON.parse((await runCommand(['token', '--sub', 'a', '--admin', '--ttl', '1h', '--json'], env)).out) as { token: string, claims: { exp: number, iat: number } }
  t.match(claims, { sub: 'a', admin: true })
  t.equal(claims.exp - claims.iat, 3600)
  t.match(token, /^[\w-]+\.[\w-]+\.[\w-]+$/)
  const without = await runCommand(['token', '--sub', 'a'])
  t.equal(without.code, 1)
  t.match(without.err, /JWT_SECRET is not set/)
  for (const elsewhere of [{ JWT_PUBLIC_KEY: '/etc/keys/tokens.pem' }, { JWT_JWKS_URL: 'https://id.example/keys' }]) {
    const { code, err } = await runCommand(['token', '--sub', 'a'], elsewhere)
    t.equal(code, 1)
    t.match(err, /is set: whoever has the private key signs the tokens of that server/)
  }
})

test('publish: a file, stdin, an array; what is refused is named, and the rest stands', async t => {
  const server = await startServer(t)
  const env = { TICKWIRE_TOKEN: server.token() }
  const url = ['--url', server.origin]
  const file = join(mkdtempSync(join(tmpdir(), 'tickwire-')), 'messages.ndjson')
  const lines = Array.from({ length: 1200 }, (_, index) => quote('A', String(index + 1)))
  writeFileSync(file, [...lines.slice(0, 700), 'not JSON', JSON.stringify({ channel: 'quotes', symbol: 'A', data: { symbol: 'A', bid: 1 } }), '', ...lines.slice(700)].join('\n'))
  const mixed = await runCommand(['publish', '--file', file, ...url], env)
  t.equal(mixed.code, 1)
  t.equal(mixed.out, '1200 accepted, 2 rejected\n')
  t.match(mixed.err, /message 701: invalid_json/)
  t.match(mixed.err, /message 702: invalid_message/)
  const history = await (await fetch(`${server.origin}/v1/history?topic=quotes:A&after=0&limit=2000`)).json() as { messages: Array<{ data: { bid: string } }> }
  t.same(history.messages.map(({ data }) => data.bid), lines.map((_, index) => String(index + 1)), 'in order, each once')

  const array = await runCommand(['publish', '--file', '-', ...url], env, `[\n${quote('B', '1')},\n${quote('B', '2')}\n]`)
  t.equal(array.out, '2 accepted, 0 rejected\n')
  const data = await runCommand(['publish', 'quotes', 'C', '--file', '-', ...url], env, '{"symbol":"C","bid":"1"}\n{"symbol":"C","bid":"2"}\n')
  t.equal(data.out, '2 accepted, 0 rejected\n')

  for (const [args, moreEnv, words] of [
    [['publish', '--file', '/nowhere/at/all', ...url], env, /cannot be read/],
    [['publish', 'quotes', 'A', '--data', '{"symbol":"A"}', ...url], {}, /unauthorized: .*TICKWIRE_TOKEN/],
    [['publish', 'quotes', 'A', '--data', '{"symbol":"A"}', ...url], { TICKWIRE_TOKEN: server.token({ publish: [] }) }, /forbidden/],
    [['publish', 'quotes', 'A', '--data', '{"symbol":"A"}', '--url', 'http://127.0.0.1:2'], env, /no server listens at .*npx tickwire start/]
  ] as const) {
    const { code, err } = await runCommand(args, moreEnv)
    t.equal(code, 1)
    t.match(err, words)
  }
})

for (const transport of ['ws', 'sse', 'poll']) {
  test(`tail over ${transport}: through cuts, each message once and in order`, async t => {
    const server = await startServer(t)
    const network = await networkTo(t, Number(new URL(server.origin).port))
    const tail = startCommand(['tail', 'quotes:A', '--transport', transport, '--json', '--url', network.origin])
    t.teardown(() => { tail.child.kill() })
    await publish(server.app, 'quotes', 'A', { symbol: 'A', bid: '1' })
    const sequences = (): number[] => tail.lines.map(line => JSON.parse(line) as { sequence?: number }).flatMap(({ sequence }) => sequence ?? [])
    await until('the first', () => sequences().includes(1))
    for (let bid = 2; bid <= 40; bid++) {
      await publish(server.app, 'quotes', 'A', { symbol: 'A', bid: String(bid) })
      if (bid % 10 === 0) {
        network.take()
        await until('it has noticed', () => tail.errors.some(line => line.includes('the connection ended')))
        tail.errors.length = 0
        network.giveBack()
        await until('it has come back', () => sequences().at(-1) === bid)
      }
    }
    await until('the last', () => sequences().at(-1) === 40)
    t.same(sequences(), Array.from({ length: 40 }, (_, index) => index + 1))
    tail.child.kill('SIGINT')
    const { code, err } = await tail.finished
    t.equal(code, 130)
    t.match(err, /to go on: --after \S+/)
    const cursor = /--after (\S+)/.exec(err)![1]!
    await publish(server.app, 'quotes', 'A', { symbol: 'A', bid: '41' })
    const again = await runCommand(['tail', 'quotes:A', '--transport', transport, '--json', '-n', '1', '--url', server.origin, '--after', cursor])
    t.equal(again.code, 0)
    t.match(again.out, '"sequence":41', 'another goes on where it ended')
  })
}

for (const transport of ['ws', 'sse', 'poll']) {
  test(`tail over ${transport}: an interrupt waits for the cursor that covers what tail has shown`, async t => {
    const server = await startServer(t)
    const tail = startCommand(['tail', 'trades:A', '--transport', transport, '--json', '--url', server.origin])
    t.teardown(() => { tail.child.kill() })
    const trade = async (price: string): Promise<void> => { await publish(server.app, 'trades', 'A', { symbol: 'A', price, size: '1', timestamp: '2026-01-01T00:00:00Z' }) }
    const shows = async (price: number): Promise<void> => {
      await trade(String(price))
      await until(`it shows ${price}`, () => tail.lines.some(line => line.includes(`"price":"${price}"`)))
    }
    await until('it is subscribed', () => subscribers(server, 'trades:A') > 0)
    // Over WebSocket a cursor comes at most once a second: it does not cover the last of these when they are shown.
    for (let price = 1; price <= 5; price++) await shows(price)
    tail.child.kill('SIGINT')
    const { code, err } = await tail.finished
    t.equal(code, 130)
    const [, cursor = ''] = /to go on: --after (\S+)$/m.exec(err) ?? []
    await trade('6')
    const again = await runCommand(['tail', 'trades:A', '--transport', transport, '--json', '-n', '1', '--url', server.origin, '--after', cursor])
    t.match(again.out, '"price":"6"', 'another goes on where it ended')
  })
}

test('tail: an end that comes before the cursor says what is shown again', async t => {
  const server = await startServer(t)
  for (const bid of ['1', '2', '3']) await publish(server.app, 'quotes', 'A', { symbol: 'A', bid })
  const { cursor } = await (await fetch(`${server.origin}/v1/stream?subscribe=quotes:A`)).json() as { cursor: string }
  for (const bid of ['4', '5', '6']) await publish(server.app, 'quotes', 'A', { symbol: 'A', bid })
  const { code, err } = await runCommand(['tail', 'quotes:A', '--transport', 'poll', '-n', '2', '--url', server.origin, '--after', cursor])
  t.equal(code, 0)
  t.match(err, `to go on: --after ${cursor} (it shows the last 2 messages again)\n`)
})

test('tail: a limit that waiting cannot lift ends it with a sentence', async t => {
  const server = await startServer(t, { MAX_SUBSCRIPTIONS: 2 })
  await Promise.all(['ws', 'sse', 'poll'].map(async transport => {
    const { child, errors, finished } = startCommand(['tail', 'quotes:A', 'quotes:B', 'quotes:C', '--transport', transport, '--url', server.origin])
    t.teardown(() => { child.kill() })
    await until('it says something', () => errors.length > 0)
    t.match(errors[0], /too_many_subscriptions: a connection has at most 2 subscriptions; a set/, transport)
    child.kill()
    t.equal((await finished).code, 1, `${transport}: it has ended by itself`)
  }))
})

test('tail: for people, and what cannot be helped ends it with a sentence', async t => {
  const server = await startServer(t, { UNKNOWN_SYMBOLS: 'reject' })
  await publish(server.app, 'quotes', 'A', { symbol: 'A', bid: '185.50', ask: '185.52' })
  const shown = await runCommand(['tail', 'quotes:A', '-n', '1', '--url', server.origin])
  t.match(shown.out, /^\d\d:\d\d:\d\d\.\d{3} {2}quotes:A +1 \* {2}bid 185\.50 {2}ask 185\.52\n$/)
  t.equal(shown.code, 0)
  await Promise.all(['ws', 'sse', 'poll'].map(async transport => {
    for (const [args, words] of [
      [['tail', 'quotes:UNHEARD'], /unknown_symbol: .*\/v1\/symbols/],
      [['tail', 'orders'], /unauthorized: .*TICKWIRE_TOKEN/],
      [['tail', 'quotes:A', '--after', 'nonsense'], /bad_cursor/]
    ] as const) {
      const { code, err } = await runCommand([...args, '--transport', transport, '--url', server.origin])
      t.equal(code, 1)
      t.match(err, words, transport)
    }
    t.match((await runCommand(['tail', 'quotes:A', '--transport', transport, '--url', 'http://127.0.0.1:2'])).err, /no server listens/)
  }))
})
