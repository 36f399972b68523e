import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { test } from 'tap'
import { ConfigSchema } from '../../src/config.js'
import { CertificateFiles, makeCertificate } from '../helpers/certificate.js'
import { until } from '../helpers/clients.js'
import { runCommand, startCommand } from '../helpers/command.js'
import { startServer } from '../helpers/server.js'

/** What the command says about flags, variables and addresses. */

test('the help of start says what each flag means, its default and its unit', async t => {
  const { out } = await runCommand(['start', '--help'])
  const line = (start: string): string => out.split('\n').find(line => line.trim().startsWith(start)) ?? `no line begins with ${start}`
  t.match(line('--port <number>'), /the port to listen on; 0: any free port \(default 8080\)$/)
  t.match(line('--heartbeat-ms <ms>'), /how often .* \(default 25000 ms\)$/)
  t.match(line('--retention-seconds <seconds>'), /\(default 3600 seconds\)$/)
  t.match(line('--retention-bytes <bytes>'), /\(default 268435456 bytes\)$/)
  t.match(line('--flush-ms <ms>'), /\(default auto\)$/)
  t.match(line('--compression <on|off>'), /\(default on\)$/)
  t.match(line('--auth <optional|required>'), /\(default optional; in production required\)$/)
  for (const [name, { description }] of Object.entries<{ description?: string }>(ConfigSchema.properties)) {
    t.ok(description !== undefined && out.includes(description), `${name} is described`)
  }
  t.match(
    out,
    /environment variables, since everybody on this machine can read a command line:\n\n( .*\n)* {2}REDIS_URL +the Redis/
  )
  t.notMatch(out, /--redis-url|--jwt-secret/)
})

test('refuses a secret as a flag, and names the environment variable that takes it', async t => {
  for (const [flag, variable] of [['--redis-url', 'REDIS_URL'], ['--jwt-secret', 'JWT_SECRET']] as const) {
    const { code, err } = await runCommand(['start', flag, 'hunter2'])
    t.equal(code, 2)
    const advice = `start has no flag ${flag}, since everybody on this machine can read a command line; ` +
      `set the environment variable ${variable}\n`
    t.match(err, new RegExp(advice))
    t.notMatch(err, 'hunter2')
  }
})

test('check-config and start remark on what is hardly meant', async t => {
  const env = { NODE_ENV: 'prod', JWT_SECRT: 'hunter2', ALLOWED_ORIGINS: 'app.example', HOST: '0.0.0.0' }
  const remarks = [
    /NODE_ENV=\\?"prod\\?" is not production/,
    /JWT_SECRT is not read; did you mean JWT_SECRET/,
    /no page has the origin/,
    /HOST=0\.0\.0\.0 is open to the network/
  ]
  const checked = await runCommand(['check-config'], env)
  t.equal(checked.code, 0)
  const server = startCommand(['start', '--port', '0', '--sources', 'none'], env)
  t.teardown(() => { server.child.kill('SIGKILL') })
  // The server writes its log beside what it prints, in no order.
  await until('the server has logged that it listens', () =>
    server.lines.some(line => line.includes('Server listening'))
  )
  for (const remark of remarks) {
    t.match(checked.err, remark)
    t.equal(
      server.lines.filter(line => remark.test(line) && line.includes('"level":40')).length,
      1,
      String(remark)
    )
  }
  t.notMatch(checked.err + server.lines.join(), 'hunter2')
})

test('publish fills in the symbol that stands before the data', async t => {
  const server = await startServer(t)
  const send = async (...args: string[]): Promise<string> => {
    const { out, err } = await runCommand(
      ['publish', ...args, '--url', server.origin],
      { TICKWIRE_TOKEN: server.token() },
      '{"bid":"2"}\n{"symbol":"AAPL","bid":"3"}\n'
    )
    return out + err
  }
  t.equal(await send('quotes', 'AAPL', '--data', '{"bid":"1"}'), '1 accepted, 0 rejected\n')
  t.equal(await send('quotes', 'AAPL', '--file', '-'), '2 accepted, 0 rejected\n')
  t.equal(await send('market', 'KOSPI', '--data', '{"status":"open"}'), '1 accepted, 0 rejected\n')
  t.match(
    await send('quotes', 'AAPL', '--data', '{"symbol":"MSFT","bid":"1"}'),
    /data\.symbol differs from symbol/,
    'a given symbol is not changed'
  )
  const history = (await (await fetch(`${server.origin}/v1/history?topic=quotes:AAPL`)).json()) as {
    messages: Array<{ data: object }>
  }
  t.same(history.messages.map(({ data }) => data), ['1', '2', '3'].map(bid => ({ symbol: 'AAPL', bid })))
  t.match(await (await fetch(`${server.origin}/v1/snapshot?topic=market:KOSPI`)).json(), {
    data: { market: 'KOSPI', status: 'open' }
  })
})

test('asks about the other scheme at plain HTTP on a TLS port, and at TLS on a plain one', { timeout: 200_000 }, async t => {
  const secure = await startServer(t, new CertificateFiles(t, makeCertificate('localhost')).settings)
  const plain = await startServer(t)
  const http = secure.origin.replace('https', 'http')
  const answer = await fetch(`${http}/v1/stream?subscribe=news`)
  t.equal(answer.status, 400)
  t.match(await answer.json(), {
    type: 'error',
    code: 'bad_request',
    message: 'this port speaks TLS: does the address begin with https:// or wss://?'
  })
  const https = plain.origin.replace('http', 'https')
  // A TLS server other than ours says nothing.
  const mute = createServer(socket => {
    socket
      .on('error', () => {})
      .once('data', () => {
        socket.destroy()
      })
  }).listen(0, '127.0.0.1')
  t.teardown(() => { mute.close() })
  await once(mute, 'listening')
  const silent = `http://127.0.0.1:${(mute.address() as AddressInfo).port}`
  const env = { TICKWIRE_TOKEN: 'a.b.c' }
  for (const args of [['tail', 'news', '-t', 'ws'], ['publish', 'news', '--data', '{}']]) {
    const said = async (url: string): Promise<string> => (await runCommand([...args, '--url', url], env)).err
    t.match(await said(http), /this port speaks TLS: does the address begin with https:\/\/ or wss:\/\/\?/)
    t.match(await said(https), /https:\S+ does not speak TLS; does its address begin with http:\/\/\?/)
    t.match(
      await said(silent),
      /ends the connection without an answer .*; does its address begin with https:\/\/\?/
    )
  }
})
