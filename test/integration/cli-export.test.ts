import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'tap'
import { runCommand, startCommand } from '../helpers/command.js'
import { freePort } from '../helpers/free-port.js'
import { eventually } from '../helpers/eventually.js'
import { startServer } from '../helpers/server.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

const trade = (id: number): object => (
  { symbol: 'A', price: '1.50', size: '2', timestamp: '2026-01-01T00:00:00Z', trade_id: String(id) })
const publications = (count: number): Array<{ channel: string, symbol: string, data: object }> =>
  Array.from({ length: count }, (_, index) => ({ channel: 'trades', symbol: 'A', data: trade(index + 1) }))

test('export writes a history in each format', async t => {
  const folder = temporaryFolder(t)
  const server = await startServer(t, { RECORD: 'trades', DATA_DIR: folder })
  await server.app.tickwire.publishAll(publications(12_000))
  const run = async (...args: string[]): ReturnType<typeof runCommand> =>
    await runCommand(['export', ...args, '--url', server.origin])
  const lines = await run('trades', 'A')
  t.equal(lines.code, 0, lines.err)
  type Line = { readonly sequence: number, readonly data: object }
  const messages = lines.out.trimEnd().split('\n')
    .map(line => JSON.parse(line) as Line)
  const all = Array.from({ length: 12_000 }, (_, index) => index + 1)
  t.strictSame(messages.map(({ sequence }) => sequence), all)
  t.strictSame(messages[11_999]!.data, trade(12_000))
  t.match(lines.err, /^tickwire: 12000 messages, up to 2\d{3}-\S+ \(\d+\.\d s, \d+ a second\)\n$/)
  const table = await run('trades', 'A', '--format', 'csv', '--quiet')
  t.equal(table.err, '')
  const rows = table.out.split('\r\n')
  t.equal(rows[0], 'sequence,log_timestamp,symbol,price,size,timestamp,exchange,side,trade_id,corrects,received_at')
  t.equal(rows.length, 12_002)
  const array = await run('trades', 'A', '--format', 'json', '--from', '2026-01-01T00:00:00Z')
  t.equal((JSON.parse(array.out) as object[]).length, 12_000)
  for (const [format, out] of [['json', '[\n]\n'], ['ndjson', ''], ['csv', `${rows[0]}\r\n`]] as const) {
    t.equal((await run('trades', 'NONE', '--format', format)).out, out, format)
  }
})

test('export says what is wrong', async t => {
  const server = await startServer(t, { AUTH: 'required' })
  const run = async (...args: string[]): ReturnType<typeof runCommand> => await runCommand(['export', ...args])
  const url = ['--url', server.origin]
  t.match(await run(), { code: 2, err: /export takes a channel/ })
  t.match(await run('trades', 'A', '--format', 'xml'), { code: 2, err: /--format is one of ndjson, csv, json, not 'xml'/ })
  t.match(await run('trades', 'A', ...url), { code: 1, out: '', err: /unauthorized: .*TICKWIRE_TOKEN/ })
  const token = { TICKWIRE_TOKEN: server.token() }
  t.match(await runCommand(['export', 'nothing', ...url], token), { code: 1, err: /unknown_channel/ })
  t.match(await runCommand(['export', 'trades', 'A', '--from', 'today', ...url], token), { code: 1, err: /'from' must be a real date/ })
  t.match(await run('trades', 'A', '--url', `http://127.0.0.1:${await freePort()}`), { code: 1, err: /^tickwire: no server listens[^\n]*\n$/ })
  t.match(await run('--help'), { code: 0, out: /--format <ndjson\|csv\|json>/ })
})

test('export goes on after failures, and says where it was when it is interrupted', async t => {
  let requests = 0
  const place = (page: number): string => `place-${page}`
  const server = createServer((request, response) => {
    const page = Number(/after=place-(\d+)/.exec(request.url!)?.[1] ?? 0) + 1
    requests++
    if (page === 2 && requests === 2) response.destroy()
    else if (page === 2 && requests === 3) response.writeHead(503).end('{"type":"error","code":"log_unavailable","message":"later"}')
    // The fourth page never comes.
    else if (page < 4) response.end(JSON.stringify({ messages: [{ type: 'trade', sequence: page, timestamp: '2026-01-01T00:00:00.000Z', data: trade(page) }], next: place(page), more: true }))
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const running = startCommand(['export', 'trades', 'A', '--url', url])
  t.teardown(() => { running.child.kill('SIGKILL') })
  await eventually('three pages are written', () => running.lines.length === 3)
  running.child.kill('SIGINT')
  const { code, out, err } = await running.finished
  t.equal(code, 130)
  t.strictSame(out.trimEnd().split('\n').map(line => (JSON.parse(line) as { sequence: number }).sequence), [1, 2, 3])
  t.match(err, /3 messages, .*\ntickwire: to go on: --after place-3\n$/)
})
