import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify from 'fastify'
import { test } from 'tap'
import { tickwire } from '../../src/index.js'
import { type Message, openClient, until } from '../helpers/clients.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { startServer, subscribers, type TestServer } from '../helpers/server.js'
import type { Source, SourceMessage } from '../../src/sources/source.js'

/**
 * PROTOCOL.md, Data: `stale`. If a source cannot deliver a message of its venue, the book is known to be
 * wrong, and nothing else is harmed.
 */

type Levels = ReadonlyArray<readonly [string, string]>

interface Book {
  readonly bids: Levels
  readonly asks: Levels
  readonly stale?: true
}

const snapshot = (product: string, bids: Levels): object => ({
  type: 'snapshot',
  product_id: product,
  bids,
  asks: []
})
const update = (product: string, price: string, size: string): object =>
  ({ type: 'l2update', product_id: product, changes: [['buy', price, size]] })

/** Writes a recorded session, with the given frames in order. Returns its file. */
function session (frames: readonly object[]): string {
  const file = join(mkdtempSync(join(tmpdir(), 'tickwire-')), 'session.txt')
  const feed = 'wss://ws-feed.exchange.coinbase.com'
  writeFileSync(file, [
    `${feed} <-> 1.0`,
    `${feed} <- 1.1: {"type":"subscribe","product_ids":["A-B","C-D"]}`,
    ...frames.map((frame, index) => `${2 + index / 1000}: ${JSON.stringify(frame)}`)
  ].join('\n') + '\n')
  return file
}

async function startReplay (server: TestServer): Promise<void> {
  const { status } = await fetch(`${server.origin}/v1/admin/sources/replay/start`, {
    method: 'POST', headers: { authorization: `Bearer ${server.token({ admin: true })}` }
  })
  if (status !== 204) throw new Error(`the replay was not started: ${status}`)
}

const state = async (server: Pick<TestServer, 'origin'>, symbol: string): Promise<Book> => {
  const answer = await fetch(`${server.origin}/v1/snapshot?topic=book:${symbol}`)
  return (await answer.json() as { data: Book }).data
}

/** Follows a book as a client. In each state it is what the venue had at some time, or it is stale. */
function followBook (
  truths: ReadonlyArray<readonly string[]>
): { take (message: Message): void, readonly states: string[], readonly wrong: string[] } {
  const bids = new Map<string, string>()
  const [states, wrong]: [string[], string[]] = [[], []]
  let stale = false
  return {
    states,
    wrong,
    take ({ type, snapshot, data }) {
      if (type !== 'book') return
      const book = data as Book
      if (snapshot === true) {
        bids.clear()
        stale = book.stale === true
      }
      for (const [price, size] of book.bids) {
        if (size === '0') bids.delete(price)
        else bids.set(price, size)
      }
      const held = stale ? 'stale' : [...bids].map(level => level.join('×')).sort().join(' ')
      states.push(held)
      if (!stale && !truths.some(truth => [...truth].sort().join(' ') === held)) wrong.push(held)
      if (stale && bids.size > 0) wrong.push(`stale with ${held}`)
    }
  }
}

const frames = [
  snapshot('A-B', [['1', '1']]), snapshot('C-D', [['5', '5']]),
  update('A-B', '1.7e-7', '3'), update('C-D', '6', '1'),
  // Too long for a decimal.
  update('A-B', '1e-70', '3'), update('C-D', '7', '1'), update('A-B', '2', '2'), update('A-B', '3', '3'),
  update('C-D', '8', '1'), { type: 'l2update', product_id: 'A-B', changes: 'none' }, update('C-D', '9', '1')
]
const again = [snapshot('A-B', [['4', '4']]), update('A-B', '4', '9'), update('C-D', '10', '1')]
const truths = [['1×1'], ['1×1', '0.00000017×3'], ['4×4'], ['4×9']]

for (const log of ['memory', 'redis'] as const) {
  const options = { skip: log === 'redis' && redisProgram === undefined ? 'there is no Redis' : false }
  test(`makes a book stale at a bad update until its next snapshot, and no other book, on the log ${log}`, options, async t => {
    let settings = {}
    if (log === 'redis') {
      const redis = await RedisServer.start()
      t.teardown(() => redis.close())
      settings = { REDIS_URL: redis.url, LOG_SHARDS: 3 }
    }
    for (const [name, rest] of [['it stays stale', []], ['it is sound again', again]] as const) {
      await t.test(name, async t => {
        const server = await startServer(t, {
          ...settings,
          REDIS_KEY_PREFIX: name.replaceAll(' ', '-'),
          SOURCES: `replay:${session([...frames, ...rest])}?speed=max&start=manual`
        })
        const followers = (['ws-json', 'sse'] as const).flatMap(transport =>
          ['', ';depth=5', ';throttle_ms=10'].map(option => ({
            name: `${transport}${option}`,
            transport,
            option,
            own: followBook(truths),
            other: [] as Message[]
          }))
        )
        const clients = followers.flatMap(({ transport, option, own, other }) => [
          openClient(transport, server.origin, `subscribe=book:A-B${option}`, undefined, {
            onMessage: message => { own.take(message) }, onCursor: () => {}
          }),
          openClient(transport, server.origin, `subscribe=book:C-D${option}`, undefined, {
            onMessage: message => { if (message.type === 'book') other.push(message) }, onCursor: () => {}
          })
        ])
        await until('all are there', () =>
          ['A-B', 'C-D'].every(symbol => subscribers(server, `book:${symbol}`) === followers.length)
        )
        await startReplay(server)
        const last = rest.length === 0 ? 'stale' : '4×9'
        const most = rest.length === 0 ? '9' : '10'
        const hasMost = (message: Message | undefined): boolean =>
          (message?.data as Book | undefined)?.bids.some(([price]) => price === most) === true
        for (const follower of followers) {
          await until(`${follower.name} has everything`, () =>
            follower.own.states.at(-1) === last && hasMost(follower.other.at(-1)))
        }
        for (const follower of followers) {
          t.same(follower.own.wrong, [], `${follower.name}: never silently wrong`)
          // For the others, a window joins the messages that came in it.
          if (follower.option === '') t.ok(follower.own.states.includes('stale'), `${follower.name}: told`)
          t.notOk(
            follower.other.some(({ data }) => (data as Book).stale),
            `${follower.name}: the other book is sound`
          )
        }
        t.same(
          followers.find(({ name }) => name === 'ws-json')!.own.states,
          ['1×1', '0.00000017×3 1×1', 'stale', ...(rest.length === 0 ? [] : ['4×4', '4×9'])],
          'each message once, and no update of a stale book'
        )
        const stale = { symbol: 'A-B', bids: [], asks: [], stale: true }
        const sound = { symbol: 'A-B', bids: [['4', '9']], asks: [] }
        t.same(await state(server, 'A-B'), rest.length === 0 ? stale : sound)
        t.equal((await state(server, 'C-D')).bids.length, rest.length === 0 ? 5 : 6)
        t.match(
          await (await fetch(`${server.origin}/metrics`)).text(),
          /tickwire_books_stale_total\{source="replay",reason="malformed"\} 1\n/,
          'counts the book once, with the reason'
        )
        for (const client of clients) client.cut()
      })
    }
  })
}

test("answers each message of a source's own publish, and logs a refusal once and counts it", async t => {
  const answers: unknown[] = []
  const quote = (bid: unknown): SourceMessage => ({
    channel: 'quotes',
    symbol: 'A',
    data: { symbol: 'A', bid }
  })
  const own: Source = {
    name: 'own',
    manual: false,
    instruments: async () => [{ symbol: 'A' }],
    async run ({ publish, declare }) {
      answers.push(await publish([quote('1'), quote(1), { channel: 'nothing', data: {} }, quote('2')]))
      for (let turn = 0; turn < 5; turn++) await publish([quote(turn)])
      answers.push(
        await declare([{ symbol: 'A', sector: 'not a set' }, { symbol: 'B', sector: 'set' }, { symbol: 'A' }])
      )
      // A book begins with its snapshot; before that, there is no book that could be wrong.
      answers.push(await publish([
        { channel: 'book', symbol: 'A', data: { symbol: 'A', bids: [['x', '1']], asks: [] } },
        { channel: 'book', symbol: 'no symbol', data: {} },
        { channel: 'book', symbol: 'A', data: { symbol: 'A', bids: [], asks: [] } }
      ]))
    }
  }
  const lines: Array<Record<string, unknown>> = []
  const app = Fastify({
    logger: {
      stream: {
        write (line: string) {
          lines.push(JSON.parse(line) as Record<string, unknown>)
        }
      }
    }
  })
  await app.register(tickwire, { sources: [own], routes: ['topics', 'metrics'] })
  t.teardown(async () => { await app.close() })
  const server = { origin: await app.listen({ port: 0, host: '127.0.0.1' }) }
  await until('it is done', () => answers.length === 3)
  t.match(answers, [
    [{ sequence: 1 }, { code: 'invalid_message', message: 'data/bid: Expected string' }, { code: 'unknown_channel' }, { sequence: 2 }],
    [{ code: 'invalid_message', message: 'data/sector: Expected a symbol' }, { sequence: 1 }, { sequence: 1 }],
    [{ code: 'invalid_message' }, { code: 'unknown_symbol' }, { code: 'invalid_message', message: /the book is stale until its next snapshot/ }]
  ])
  const isRefusal = ({ channel, symbol, msg }: Record<string, unknown>): boolean =>
    channel === 'quotes' && symbol === 'A' && /refused/.test(String(msg))
  t.equal(lines.filter(isRefusal).length, 1, 'six refusals of one topic')
  t.same(await state(server, 'A'), { symbol: 'A', bids: [], asks: [], stale: true })
  const metrics = await (await fetch(`${server.origin}/metrics`)).text()
  for (const [channel, code, count] of [
    ['quotes', 'invalid_message', 6],
    ['(none)', 'unknown_channel', 1],
    ['book', 'invalid_message', 2],
    ['book', 'unknown_symbol', 1],
    ['instruments', 'invalid_message', 1]
  ] as const) {
    const metric = `tickwire_source_messages_refused_total{source="own",channel="${channel}",code="${code}"} ${count}\n`
    t.match(metrics, metric, `${channel} ${code}`)
  }
})
