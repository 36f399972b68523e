import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { runCommand } from '../helpers/command.js'
import { startServer } from '../helpers/server.js'

const quote = (symbol: string, bid: string): string =>
  JSON.stringify({ channel: 'quotes', symbol, data: { symbol, bid } })

test('publish: sends a file, stdin or an array, names what is refused, and the rest stands', async t => {
  const server = await startServer(t)
  const env = { TICKWIRE_TOKEN: server.token() }
  const url = ['--url', server.origin]
  const file = join(mkdtempSync(join(tmpdir(), 'tickwire-')), 'messages.ndjson')
  const lines = Array.from({ length: 1200 }, (_, index) => quote('A', String(index + 1)))
  writeFileSync(
    file,
    [
      ...lines.slice(0, 700),
      'not JSON',
      JSON.stringify({ channel: 'quotes', symbol: 'A', data: { symbol: 'A', bid: 1 } }),
      '',
      ...lines.slice(700)
    ].join('\n')
  )
  const mixed = await runCommand(['publish', '--file', file, ...url], env)
  t.equal(mixed.code, 1)
  t.equal(mixed.out, '1200 accepted, 2 rejected\n')
  t.match(mixed.err, /message 701: invalid_json/)
  t.match(mixed.err, /message 702: invalid_message/)
  const history = (await (
    await fetch(`${server.origin}/v1/history?topic=quotes:A&after=0&limit=2000`)
  ).json()) as { messages: Array<{ data: { bid: string } }> }
  t.same(
    history.messages.map(({ data }) => data.bid),
    lines.map((_, index) => String(index + 1)),
    'in order, each once'
  )

  const array = await runCommand(
    ['publish', '--file', '-', ...url],
    env,
    `[\n${quote('B', '1')},\n${quote('B', '2')}\n]`
  )
  t.equal(array.out, '2 accepted, 0 rejected\n')
  const data = await runCommand(
    ['publish', 'quotes', 'C', '--file', '-', ...url],
    env,
    '{"symbol":"C","bid":"1"}\n{"symbol":"C","bid":"2"}\n'
  )
  t.equal(data.out, '2 accepted, 0 rejected\n')

  const arrays = await runCommand(
    ['publish', '--file', '-', ...url],
    env,
    `[${quote('D', '1')},${quote('D', '2')}]\n[${quote('D', '3')},${quote('D', '4')}]\n`
  )
  t.equal(arrays.out, '4 accepted, 0 rejected\n')
  const both = (await (await fetch(`${server.origin}/v1/history?topic=quotes:D`)).json()) as {
    messages: Array<{ data: { bid: string } }>
  }
  t.same(
    both.messages.map(({ data }) => data.bid),
    ['1', '2', '3', '4'],
    'a second array is not taken for a repetition of the first'
  )

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
