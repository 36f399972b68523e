import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { until } from '../helpers/clients.js'
import { runCommand, startCommand } from '../helpers/command.js'
import { startServer } from '../helpers/server.js'

const COMMANDS = ['start', 'tail', 'publish', 'record', 'nodes', 'token', 'check-config', 'certificate', 'sizing']

test('prints help for the command and each of its commands, with an example', async t => {
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

test('says what it cannot understand and what there is, and ends with 2', async t => {
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

test('check-config: prints the values and where they come from, or what is wrong', async t => {
  const good = await runCommand(['check-config'], { PORT: '9000', JWT_SECRET: 'do not tell' })
  t.equal(good.code, 0)
  t.match(good.out, /PORT +9000 +environment/)
  t.match(good.out, /HOST +127\.0\.0\.1 +default/)
  t.notMatch(good.out, 'do not tell')
  for (const [env, words] of [
    [{ PORT: 'http' }, /PORT="http" cannot be used: a whole number/], [{ SOURCES: 'simulation' }, /'simulation' is not a source/], [{ NODE_ENV: 'production' }, /JWT_SECRET is needed/],
    [{ JWT_PUBLIC_KEY: '/nowhere.pem' }, /JWT_PUBLIC_KEY is neither a PEM nor the path/],
    [{ ORDER_KEYS: '/nowhere.json' }, /ORDER_KEYS is not the path of a file/],
    [{ ORDER_SIGNING_KEY: '/nowhere.pem' }, /ORDER_SIGNING_KEY is neither a PEM nor the path/]
  ] as const) {
    const { code, err } = await runCommand(['check-config'], env)
    t.equal(code, 1)
    t.match(err, words)
  }
})

test('certificate: makes two files that a server can use for TLS, and overwrites none', async t => {
  const folder = join(mkdtempSync(join(tmpdir(), 'tickwire-')), 'tls')
  const made = await runCommand(['certificate', '--out', folder])
  t.equal(made.code, 0)
  t.match(made.out, 'localhost, 127.0.0.1, ::1')
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')] as const
  t.equal(statSync(key).mode & 0o777, 0o600, 'nobody else reads the key')
  const parsed = new X509Certificate(readFileSync(cert))
  t.ok(
    parsed.checkHost('localhost') !== undefined &&
      parsed.checkIP('127.0.0.1') !== undefined &&
      parsed.checkIP('::1') !== undefined
  )
  const server = startCommand(['start', '--port', '0', '--sources', 'none'], {
    TLS_CERT: cert,
    TLS_KEY: key,
    LOG_LEVEL: 'error'
  })
  await until('the server listens', () => server.lines.some(line => line.includes('listens on https:')))
  const origin = /https:\S+/.exec(server.lines.join())![0]
  const read = await runCommand(
    ['tail', 'system', '-n', '1', '--transport', 'poll', '--after', 'nonsense', '--url', origin],
    { NODE_EXTRA_CA_CERTS: cert }
  )
  t.match(read.err, /bad_cursor/, 'a client that has the certificate trusts it')
  server.child.kill('SIGTERM')
  await server.finished

  const again = await runCommand(['certificate', '--out', folder])
  t.equal(again.code, 1)
  t.match(again.err, /are there already: delete that first/)
  t.equal((await runCommand(['certificate', '--out', folder, '--keep'])).code, 0)
  t.equal(readFileSync(cert, 'utf8'), parsed.toString(), 'it is as it was')
  for (const [args, words] of [
    [['no such host'], /neither a host's name nor an address/],
    [['--days', '9999'], /--days is from 1 to 825/]
  ] as const) {
    const { code, err } = await runCommand(['certificate', ...args])
    t.equal(code, 2)
    t.match(err, words)
  }
})

test('start: listens, takes its flags, ends with 0 on SIGTERM, and names a bad setting in a sentence', async t => {
  const server = startCommand(['start', '--port', '0', '--sources', 'none'], { LOG_LEVEL: 'error' })
  await until('the server listens', () => server.lines.some(line => line.includes('listens on')))
  const origin = /http:\S+/.exec(server.lines.join())![0]
  t.equal((await fetch(`${origin}/healthz`)).status, 200)
  const second = await runCommand(['start', '--port', new URL(origin).port], { LOG_LEVEL: 'error' })
  t.equal(second.code, 1, 'a second server ends, sources and all')
  t.match(second.err, /is taken; stop what listens there, or choose another/)
  server.child.kill('SIGTERM')
  t.equal((await server.finished).code, 0)
  const { code, err } = await runCommand(['start', '--port', 'eighty'])
  t.equal(code, 1)
  t.match(err, /PORT="eighty" cannot be used/)
})

test('token: signs for the server what the flags permit', async t => {
  const server = await startServer(t)
  const env = { JWT_SECRET: 'a secret for tests only, long enough' }
  const { code, out } = await runCommand(
    ['token', '--sub', 'alice', '--publish', 'quotes:*', '--ttl', '5m'],
    env
  )
  t.equal(code, 0)
  const sent = await runCommand(
    ['publish', 'quotes', 'A', '--data', '{"symbol":"A","bid":"1"}', '--url', server.origin],
    { TICKWIRE_TOKEN: out.trim() }
  )
  t.same([sent.code, sent.out, sent.err], [0, '1 accepted, 0 rejected\n', ''])
  const { token, claims } = JSON.parse(
    (await runCommand(['token', '--sub', 'a', '--admin', '--ttl', '1h', '--json'], env)).out
  ) as { token: string, claims: { exp: number, iat: number } }
  t.match(claims, { sub: 'a', admin: true })
  t.equal(claims.exp - claims.iat, 3600)
  t.match(token, /^[\w-]+\.[\w-]+\.[\w-]+$/)
  const pair = generateKeyPairSync('ed25519')
  const folder = t.testdir({ 'key.pem': pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), 'text.pem': 'hello' })
  const claimsWith = async (...flags: string[]): Promise<{ order_key?: unknown }> =>
    (JSON.parse((await runCommand(['token', '--sub', 'a', '--json', ...flags], env)).out) as { claims: { order_key?: unknown } }).claims
  t.strictSame((await claimsWith('--order-key', join(folder, 'key.pem'))).order_key, pair.publicKey.export({ format: 'jwk' }), 'the public part')
  t.equal((await claimsWith('--order-kid', 'desk-7')).order_key, 'desk-7')
  const other = await runCommand(['token', '--sub', 'a', '--order-key', join(folder, 'text.pem')], env)
  t.equal(other.code, 1)
  t.match(other.err, /is not the PEM file of a key for Ed25519/)
  for (const [flags, trade] of [[['--trade', 'AAPL', '--trade', 'MSFT'], ['AAPL', 'MSFT']], [['--trade', '*'], true], [[], undefined]] as const) {
    const signed = await runCommand(['token', '--sub', 'a', '--json', ...flags], env)
    t.same((JSON.parse(signed.out) as { claims: { trade?: unknown } }).claims.trade, trade)
  }
  const without = await runCommand(['token', '--sub', 'a'])
  t.equal(without.code, 1)
  t.match(without.err, /JWT_SECRET is not set/)
  for (const elsewhere of [{ JWT_PUBLIC_KEY: '/etc/keys/tokens.pem' }, { JWT_JWKS_URL: 'https://id.example/keys' }]) {
    const { code, err } = await runCommand(['token', '--sub', 'a'], elsewhere)
    t.equal(code, 1)
    t.match(err, /is set: only the owner of the private key can sign tokens for that server/)
  }
})
