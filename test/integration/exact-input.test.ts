import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import { type Message, openWebSocket, until } from '../helpers/clients.js'
import { runCommand } from '../helpers/command.js'
import { startServer, type TestServer } from '../helpers/server.js'

/** PROTOCOL.md, Text and numbers: what comes in is stored as it is written, or refused, by every way in. */

const NDJSON = 'application/x-ndjson'
const BOM = '\ufeff'
/** 삼성전자 as Windows in Korea writes it by default. */
const CP949 = Buffer.of(0xbb, 0xef, 0xbc, 0xba, 0xc0, 0xfc, 0xc0, 0xda)
const BROKEN = Buffer.of(0x41, 0xf0, 0x9f, 0x98, 0x42)

const news = (headline: string): object => ({
  channel: 'news',
  data: { headline, source: 's', symbols: [], timestamp: '2026-01-01T00:00:00Z' }
})
/** Makes a message whose headline is some bytes. */
const newsOf = (bytes: Buffer): Buffer => {
  const [before = '', after = ''] = JSON.stringify(news('HERE')).split('HERE')
  return Buffer.concat([Buffer.from(before), bytes, Buffer.from(after)])
}
const book = (sequence: string, symbol = 'A'): string => {
  const data = `{"symbol":"${symbol}","bids":[],"asks":[],"venue_sequence":${sequence}}`
  return `{"channel":"book","symbol":"${symbol}","snapshot":true,"data":${data}}`
}

interface Answer {
  readonly status: number
  readonly body: Record<string, unknown>
}

/**
 * Publishes a body. @param pieces parts of the body; several are sent one by one with a pause, as chunks of
 * no stated length
 */
async function post (
  server: TestServer,
  pieces: ReadonlyArray<string | Buffer>,
  type = 'application/json'
): Promise<Answer> {
  async function * chunks (): AsyncGenerator<Buffer> {
    for (const piece of pieces) {
      yield Buffer.from(piece)
      if (pieces.length > 1) await delay(5)
    }
  }
  const response = await fetch(`${server.origin}/v1/publish`, {
    method: 'POST',
    body: pieces.length === 1 ? Buffer.from(pieces[0]!) : chunks(),
    duplex: 'half',
    headers: { authorization: `Bearer ${server.token()}`, 'content-type': type }
  } as RequestInit)
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

/** Cuts bytes into pieces so short that most characters beyond ASCII lie in two of them. */
const inPieces = (bytes: Buffer): Buffer[] =>
  Array.from({ length: Math.ceil(bytes.length / 8) }, (_, index) => bytes.subarray(8 * index, 8 * index + 8))

async function stored (server: TestServer, topic: string): Promise<unknown[]> {
  const { messages = [] } = (await (await fetch(`${server.origin}/v1/history?topic=${topic}`)).json()) as {
    messages?: Message[]
  }
  return messages.map(({ data }) => data)
}

test('refuses an inexact integer where it is published, and takes the rest of its batch', async t => {
  const server = await startServer(t)
  const bad = book('1718000000123456789')
  const refused = {
    code: 'invalid_message',
    message: 'the number 1718000000123456789 cannot be held exactly; integers can, up to 9007199254740991'
  }
  t.match(
    await post(server, [bad]),
    { status: 200, body: { accepted: 0, rejected: [{ index: 0, ...refused }], sequences: [null] } },
    'one message'
  )
  t.match(
    await post(server, [`[${book('1')},${bad},${book('9007199254740991')}]`]),
    { status: 200, body: { accepted: 2, rejected: [{ index: 1, ...refused }], sequences: [1, null, 2] } },
    'an array'
  )
  t.match(
    await post(server, [[book('2'), bad, book('3')].join('\n')], NDJSON),
    { status: 200, body: { accepted: 2, rejected: [{ index: 1, ...refused }], sequences: [3, null, 4] } },
    'lines'
  )
  t.match(
    await post(server, [book('"1718000000123456789"')]),
    { status: 200, body: { accepted: 1 } },
    'a string of digits is exact'
  )
  for (const text of ['"x"', '""', '"-1"', '"1.5"', `"${'1'.repeat(65)}"`, '1e400', '9007199254740992.5']) {
    t.match(
      await post(server, [book(text)]),
      { status: 200, body: { accepted: 0, rejected: [{ code: 'invalid_message' }] } },
      text
    )
  }
  t.same(
    ((await stored(server, 'book:A')) as Array<{ venue_sequence: unknown }>).map(
      ({ venue_sequence: sequence }) => sequence
    ),
    [1, 9007199254740991, 2, 3, '1718000000123456789']
  )
})

test('refuses an inexact integer of a client, in a message and in a query', async t => {
  const server = await startServer(t)
  const messages: Message[] = []
  const client = openWebSocket(server.origin, '', 'tickwire.v1.json', {
    onMessage: message => {
      messages.push(message)
    },
    onCursor: () => {}
  })
  await until('welcome', () => messages.length > 0)
  const answerTo = async (text: string): Promise<Message> => {
    const before = messages.length
    client.send(text)
    await until('it is answered', () => messages.length > before)
    return messages.at(-1)!
  }
  t.same(await answerTo('{"action":"ping","id":9007199254740993}'), {
    type: 'error',
    code: 'invalid_message',
    message: 'the number 9007199254740993 cannot be held exactly; integers can, up to 9007199254740991'
  })
  t.match(await answerTo('{"action":"ping","id":9007199254740991}'), { type: 'pong', id: 9007199254740991 })
  t.match(await answerTo('{"action":"ping","id":1e400}'), {
    type: 'error',
    code: 'invalid_message',
    message: /1e400/
  })
  for (const after of ['9007199254740993', '{"A":9007199254740993}', '1e400']) {
    t.match(
      await answerTo(
        `{"action":"subscribe","channel":"trades","symbols":["A"],"after":${after},"epoch":"AAAAAA"}`
      ),
      { type: 'error', code: 'invalid_message', message: /cannot be held exactly/ },
      after
    )
  }
  t.match(
    await answerTo(`${BOM}{"action":"ping","id":"marked"}`),
    { type: 'pong', id: 'marked' },
    'a byte order mark is dropped'
  )
  t.match(
    await answerTo('{"action":"ping","id":"\\ud83d"}'),
    { type: 'error', code: 'invalid_json' },
    'half of a character'
  )
  client.cut()
  for (const [path, words] of [
    ['/v1/history?topic=news&after=9007199254740993', /'after' is a whole number from 0 to 9007199254740991/],
    ['/v1/history?topic=news&after=1e400', /'after'/],
    ['/v1/history?topic=news&limit=9007199254740993', /'limit'/],
    ['/v1/stream?subscribe=news&wait=9007199254740993', /'wait'/],
    ['/v1/stream?subscribe=news;last=9007199254740993', /'last'/]
  ] as const) {
    t.match(await (await fetch(server.origin + path)).json(), { code: 'bad_request', message: words }, path)
  }
})

test('refuses bytes that are not UTF-8, however they come, and stores nothing of their body', async t => {
  const server = await startServer(t)
  const good = JSON.stringify(news('good'))
  for (const bytes of [BROKEN, CP949, Buffer.of(0xf0, 0x9f, 0x98)]) {
    const bad = newsOf(bytes)
    for (const [name, pieces, type] of [
      ['one', [bad], 'application/json'],
      ['an array', [`[${good},`, bad, ']'], 'application/json'],
      ['lines', [`${good}\n`, bad, `\n${good}`], NDJSON],
      ['in chunks', inPieces(bad), 'application/json'],
      ['lines in chunks', inPieces(bad), NDJSON]
    ] as const) {
      t.match(
        await post(server, pieces, type),
        { status: 400, body: { type: 'error', code: 'invalid_json', message: 'the text is not UTF-8' } },
        `${name}: ${bytes.toString('hex')}`
      )
    }
  }
  const halved = '{"headline":"\\ud83d","source":"s","symbols":[],"timestamp":"2026-01-01T00:00:00Z"}'
  t.match(
    await post(server, [`{"channel":"news","data":${halved}}`]),
    { status: 400, body: { code: 'invalid_json' } },
    'half of a character, escaped'
  )
  t.same(await stored(server, 'news'), [])
  const whole = Buffer.from(JSON.stringify(news('삼성 😀')))
  for (const type of ['application/json', NDJSON]) {
    t.match(
      await post(server, inPieces(whole), type),
      { status: 200, body: { accepted: 1 } },
      'a character that lies in two chunks'
    )
  }
  t.match(await stored(server, 'news'), [{ headline: '삼성 😀' }, { headline: '삼성 😀' }])
  const user = Buffer.concat([Buffer.from('{"user_id":"'), BROKEN, Buffer.from('"}')])
  const disconnect = await fetch(`${server.origin}/v1/admin/disconnect`, {
    method: 'POST',
    body: user,
    headers: { authorization: `Bearer ${server.token({ admin: true })}`, 'content-type': 'application/json' }
  })
  t.match(
    { status: disconnect.status, ...((await disconnect.json()) as object) },
    { status: 400, code: 'invalid_json' },
    'also of an operator'
  )
})

test('closes a WebSocket for a message that is not UTF-8, and says why before', async t => {
  const server = await startServer(t)
  for (const protocol of ['tickwire.v1.json', 'tickwire.v1.batch']) {
    const messages: Message[] = []
    const client = openWebSocket(server.origin, '', protocol, {
      onMessage: message => {
        messages.push(message)
      },
      onCursor: () => {}
    })
    await until('welcome', () => messages.length > 0)
    const closed = new Promise<number>(resolve => { client.socket.on('close', resolve) })
    client.socket.send(Buffer.concat([Buffer.from('{"action":"ping","id":"'), BROKEN, Buffer.from('"}')]), {
      binary: false
    })
    t.equal(await closed, 4400, protocol)
    t.match(messages.at(-1), { type: 'closing', code: 'invalid_json' }, protocol)
  }
})

test('drops a byte order mark at the start of a body or a line', async t => {
  const server = await startServer(t)
  const line = (headline: string): string => JSON.stringify(news(headline))
  t.match(await post(server, [BOM + line('one')]), { status: 200, body: { accepted: 1 } })
  t.match(await post(server, [`${BOM}[${line('two')}]`]), { status: 200, body: { accepted: 1 } })
  t.match(await post(server, [`${BOM}${line('three')}\n${BOM}${line('four')}\r\n${BOM}\n`], NDJSON), {
    status: 200,
    body: { accepted: 2, rejected: [] }
  })
  t.match(
    await post(server, [Buffer.of(0xef), Buffer.of(0xbb), Buffer.of(0xbf), line(`${BOM}five`)], NDJSON),
    { status: 200, body: { accepted: 1 } }
  )
  t.same(
    ((await stored(server, 'news')) as Array<{ headline: string }>).map(({ headline }) => headline),
    ['one', 'two', 'three', 'four', `${BOM}five`]
  )
})

test('lets the command read files and standard input as the server reads bodies', async t => {
  const server = await startServer(t)
  const env = { TICKWIRE_TOKEN: server.token() }
  const url = ['--url', server.origin]
  const folder = mkdtempSync(join(tmpdir(), 'tickwire-'))
  const line = (headline: string): string => JSON.stringify(news(headline))
  const cases: ReadonlyArray<readonly [name: string, content: string | Buffer, out: string, err: RegExp]> = [
    ['lines after a byte order mark', `${BOM}${line('one')}\n${BOM}${line('two')}\r\n`, '2 accepted, 0 rejected\n', /^$/],
    ['an array over several lines', `${BOM}[\n${line('three')},\n${line('four')}\n]`, '2 accepted, 0 rejected\n', /^$/],
    ['a line end of JavaScript that is none in JSON', line('five\u2028six'), '1 accepted, 0 rejected\n', /^$/],
    [
      'a line that is not UTF-8',
      Buffer.concat([Buffer.from(`${line('seven')}\n`), newsOf(CP949), Buffer.from(`\n${line('eight')}`)]),
      '2 accepted, 1 rejected\n', /^message 2: invalid_json: the text is not UTF-8\n$/
    ],
    [
      'the first line is not UTF-8', Buffer.concat([newsOf(CP949), Buffer.from(`\n${line('nine')}`)]),
      '1 accepted, 1 rejected\n', /^message 1: invalid_json: the text is not UTF-8\n$/
    ],
    [
      'an array that is not UTF-8', Buffer.concat([Buffer.from('[\n'), newsOf(CP949), Buffer.from('\n]')]),
      '0 accepted, 1 rejected\n', /^message 1: invalid_json: the text is not UTF-8\n$/
    ],
    [
      'a number in a line', [book('1', 'L'), book('1718000000123456789', 'L'), book('2', 'L')].join('\n'),
      '2 accepted, 1 rejected\n',
      /^message 2: invalid_message: the number 1718000000123456789 cannot be held exactly/
    ],
    [
      'a number in an array', `[${[book('3', 'M'), book('1718000000123456789', 'M')].join()}]`,
      '1 accepted, 1 rejected\n', /^message 2: invalid_message/
    ]
  ]
  await Promise.all(cases.map(async ([name, content, out, err], index) => {
    const file = join(folder, String(index))
    writeFileSync(file, content)
    t.match(
      await runCommand(['publish', '--file', file, ...url], env),
      { code: out.endsWith(' 0 rejected\n') ? 0 : 1, out, err },
      name
    )
  }))
  const data = JSON.stringify({
    headline: 'ten',
    source: 's',
    symbols: [],
    timestamp: '2026-01-01T00:00:00Z'
  })
  const [input, marked, number] = await Promise.all([
    runCommand(['publish', '--file', '-', ...url], env, `${BOM}${line('eleven')}`),
    runCommand(['publish', 'news', '--data', `${BOM}${data}`, ...url], env),
    runCommand(
      [
        'publish',
        'book',
        'A',
        '--data',
        '{"symbol":"A","bids":[],"asks":[],"venue_sequence":9007199254740993}',
        ...url
      ],
      env
    )
  ])
  t.match(input, { code: 0, out: '1 accepted, 0 rejected\n' })
  t.match(marked, { code: 0, out: '1 accepted, 0 rejected\n' })
  t.match(number, { code: 2, err: /--data: the number 9007199254740993 cannot be held exactly/ })
  const headlines = ((await stored(server, 'news')) as Array<{ headline: string }>).map(
    ({ headline }) => headline
  )
  t.same(
    headlines.sort(),
    ['one', 'two', 'three', 'four', 'five\u2028six', 'seven', 'eight', 'nine', 'ten', 'eleven'].sort()
  )
  for (const [symbol, sequences] of [['L', [1, 2]], ['M', [3]], ['A', []]] as const) {
    const books = await stored(server, `book:${symbol}`) as Array<{ venue_sequence: unknown }>
    t.same(books.map(({ venue_sequence: sequence }) => sequence), sequences)
  }
})
