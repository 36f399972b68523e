import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { record } from '../../src/sources/live/record.js'
import { kraken } from '../../src/sources/venues/kraken/index.js'
import { type Message, openClient, until } from '../helpers/clients.js'
import { runCommand, startCommand } from '../helpers/command.js'
import { startServer } from '../helpers/server.js'
import { silentLogger } from '../helpers/silent-logger.js'
import { startVenue } from '../helpers/small-venue.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

test('record writes what a venue sends, with whole lines until Ctrl-C, and a server replays it', async t => {
  const venue = await startVenue(t, {
    onRequest: ({ url = '' }) => url.startsWith('/api/v3/depth')
      ? [200, '{"lastUpdateId":7,\n"bids":[["1","1"]],"asks":[["2","7"]]}']
      : [200, { symbols: [] }],
    onMessage ({ id }: { id: number }, venue) {
      if (id !== 1) return
      venue.send({ result: null, id })
      venue.send('{"stream":"abusdt@depth@100ms",\r\n"data":{"e":"depthUpdate","s":"ABUSDT","U":7,"u":8,"b":[],"a":[["2","8"]]}}')
    }
  })
  const folder = temporaryFolder(t)
  const answers = join(folder, 'answers.txt')
  const flags = [...venue.options.split('&').flatMap(option => [`--${option}`]), '--answers', answers]
  const recording = startCommand(['record', 'binance', 'AB-USDT', ...flags])
  await until('the snapshot is asked for', () => venue.asked.some(path => path.includes('depth')))
  venue.send({ stream: 'abusdt@depth@100ms', data: { e: 'depthUpdate', s: 'ABUSDT', U: 9, u: 9, b: [], a: [['2', '9']] } })
  await until('it is written', () => recording.lines.some(line => line.includes('"u":9')))
  await until('the answer is written', () => readFileSync(answers, 'utf8').includes('lastUpdateId'))
  recording.child.kill('SIGINT')
  const { code, out, err } = await recording.finished
  t.equal(code, 0)
  t.match(err, /tickwire: \d+ lines, \d+ answers in \d+ s\n$/)
  t.match(out.split('\n'), [
    /^wss:\/\/stream\.binance\.com:9443\/stream\?timeUnit=MICROSECOND <-> \d+\.\d{6}$/,
    /^wss:\/\/stream\.binance\.com:9443\/stream\?timeUnit=MICROSECOND <- \d+\.\d{6}: \{"method":"SUBSCRIBE"/,
    /^\d+\.\d{6}: \{"result":null,"id":1\}$/,
    /^\d+\.\d{6}: .*"u":8/,
    /^\d+\.\d{6}: .*"u":9/,
    /^$/
  ])
  t.match(readFileSync(answers, 'utf8'), /^https:\/\/api\.binance\.com\/api\/v3\/\S+ -> \d+\.\d{6}: \{/)

  const file = join(folder, 'session.txt')
  writeFileSync(file, out)
  const server = await startServer(t, { SOURCES: `replay:${file}?speed=max&start=manual&answers=${answers}` })
  const { symbols } = await (await fetch(`${server.origin}/v1/symbols`)).json() as { symbols: object[] }
  t.match(symbols, [{ symbol: 'AB-USDT', market: 'BINANCE' }])
  const messages: Message[] = []
  const client = openClient('ws-json', server.origin, 'subscribe=book:AB-USDT', undefined,
    { onMessage: message => { messages.push(message) }, onCursor: () => {} })
  t.teardown(() => { client.cut() })
  await until('it is subscribed', () => messages.some(({ type }) => type === 'subscribed'))
  await server.parts.sources.start('replay')
  await until('the book is there', () => messages.some(({ data }) =>
    (data as { venue_sequence?: number } | undefined)?.venue_sequence === 9))
})

test('record fails, and says why, when what it records cannot be written', async t => {
  const venue = await startVenue(t, { onRequest: () => [200, { symbols: [] }] })
  const flags = venue.options.split('&').flatMap(option => [`--${option}`])
  // A device on which no space is left.
  const { code, err } = await runCommand(['record', 'binance', 'AB-USDT', ...flags, '--answers', '/dev/full'])
  t.equal(code, 1)
  t.match(err, /tickwire: the recording failed: \/dev\/full cannot be written: ENOSPC/)

  for (const at of [1, 2, 3]) {
    const quiet = await startVenue(t, { onConnected: venue => { venue.send('{"channel":"heartbeat"}') } })
    let lines = 0
    const recording = record({
      venue: kraken,
      venueSymbols: ['A/B'],
      url: quiet.url,
      rest: undefined,
      signal: new AbortController().signal,
      logger: silentLogger,
      write () { if (++lines === at) throw new Error('the output is too slow') }
    })
    await t.rejects(recording, /the output is too slow/, `line ${at}`)
    t.equal(lines, at, 'nothing more is written')
  }
})

test('record says what it cannot understand, and ends by itself after a time', async t => {
  const lines: ReadonlyArray<readonly [string[], RegExp]> = [
    [['record'], /needs a venue and symbols/],
    [['record', 'krakn', 'BTC-USD'], /'krakn' is not a venue; did you mean 'kraken'\?/],
    [['record', 'kraken', 'BTCUSD'], /tickwire: 'BTCUSD' is not a symbol of kraken/],
    [['record', 'kraken', 'BTC-USD', '--seconds', 'x'], /--seconds is a whole number/],
    [['record', 'kraken', 'BTC-USD', '--url', 'x'], /kraken's url is an address that begins with ws/]
  ]
  for (const [args, words] of lines) {
    const { code, err } = await runCommand(args)
    t.equal(code, 2, args.join(' '))
    t.match(err, words)
  }
  const venue = await startVenue(t, { onConnected: venue => { venue.send('{"channel":"heartbeat"}') } })
  const { code, out } = await runCommand(['record', 'kraken', 'BTC-USD', '--seconds', '2', '--url', venue.url])
  t.equal(code, 0)
  t.match(out, /heartbeat"\}\n$/)
})
