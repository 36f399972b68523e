import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import { FastifySSEPlugin } from 'fastify-sse-v2'
import { type Test, test } from 'tap'
import { WebSocket } from 'ws'
import { tickwire } from '../../src/index.js'
import { type Message, openClient, until } from '../helpers/clients.js'
import { publish, startServer } from '../helpers/server.js'

/** How strict and lenient clients of others read the bytes: blocks of an event stream, frames of a batch. */

/** Where Python's `str.splitlines`, and readers built on it, end a line. */
const PYTHON_LINE_ENDS = [...'\r\v\f\x1c\x1d\x1e\x85\u2028\u2029']
const splitAsPython = (text: string): string[] =>
  PYTHON_LINE_ENDS.reduce((lines, end) => lines.replaceAll(end, '\n'), text).split('\n')

/** An event stream as text, which is read to its end in the background. */
class EventText {
  text = ''
  status: number | undefined
  ended = false
  private readonly abort = new AbortController()

  constructor (t: Test, origin: string, query: string, headers: Record<string, string> = {}) {
    t.teardown(() => { this.abort.abort() })
    void this.read(`${origin}/v1/stream?${query}`, headers)
      .catch(() => {})
      .finally(() => {
        this.ended = true
      })
  }

  /** Lists the complete blocks, each as its lines. */
  blocks (linesOf = (text: string): string[] => text.split('\n')): string[][] {
    const blocks: string[][] = [[]]
    for (const line of linesOf(this.text)) {
      if (line === '') blocks.push([])
      else blocks.at(-1)!.push(line)
    }
    return blocks.slice(0, -1).filter(lines => lines.length > 0)
  }

  private async read (url: string, headers: Record<string, string>): Promise<void> {
    const response = await fetch(url, {
      headers: { accept: 'text/event-stream', ...headers },
      signal: this.abort.signal
    })
    this.status = response.status
    const decoder = new TextDecoder()
    for await (const chunk of response.body!) {
      this.text += decoder.decode(chunk as Uint8Array, { stream: true })
    }
  }
}

const dataOf = (lines: readonly string[]): string | undefined =>
  lines.find(line => line.startsWith('data: '))?.slice('data: '.length)
const messageOf = (lines: readonly string[]): Message => JSON.parse(dataOf(lines)!) as Message

for (const coding of ['identity', 'gzip']) {
  test(`puts data into every block of an event stream, and retry into welcome and closing: ${coding}`, async t => {
    const server = await startServer(t, { HEARTBEAT_MS: 200, IDLE_TIMEOUT_MS: 5000 })
    const stream = new EventText(t, server.origin, 'subscribe=quotes:A', { 'accept-encoding': coding })
    await until('the first cursor has come', () => stream.text.includes('event: cursor\n'))
    await publish(server.app, 'quotes', 'A', { symbol: 'A', bid: '1' })
    await until('a quote has come', () => stream.text.includes('"bid":"1"'))
    const before = stream.text.length
    await until('a heartbeat has come', () => stream.text.slice(before).includes('"heartbeat"'))
    await server.app.close()
    await until('the stream has ended', () => stream.ended)
    const blocks = stream.blocks()
    t.same(blocks.filter(lines => dataOf(lines) === undefined), [], 'each block has data')
    const retrying = blocks.filter(lines => lines.some(line => line.startsWith('retry:')))
    t.same(retrying.map(lines => messageOf(lines).type), ['welcome', 'closing'])
    t.ok(retrying.every(lines => lines.length === 2 && /^retry: \d+$/.test(lines[0]!)))
    t.equal(messageOf(blocks[0]!).type, 'welcome', 'nothing comes before welcome')
  })
}

test("begins a stream in the same way beside an application's own plugin that begins otherwise", async t => {
  const app = Fastify()
  await app.register(FastifySSEPlugin, { retryDelay: 5000 })
  await app.register(tickwire, { settings: { UNKNOWN_SYMBOLS: 'accept' } })
  await app.listen({ port: 0, host: '127.0.0.1' })
  t.teardown(async () => { await app.close() })
  const stream = new EventText(
    t,
    `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`,
    'subscribe=quotes:A'
  )
  await until('the first cursor has come', () => stream.text.includes('event: cursor\n'))
  const [first] = stream.blocks()
  t.match(first, [/^retry: \d+$/, /^data: \{"type":"welcome"/])
  t.equal(stream.text.match(/^retry:/gm)?.length, 1)
})

for (const coding of ['identity', 'gzip']) {
  test(`reads the same for a client that splits the stream at more line ends than it has: ${coding}`, async t => {
    const server = await startServer(t)
    const headline = 'one\u2028two\u2029three\u0085four\v\f\x1c\x1d\x1e 삼성전자 "\\u2028"'
    const stream = new EventText(t, server.origin, 'subscribe=news&subscribe=system&subscribe=quotes:A', {
      'accept-encoding': coding, authorization: `Bearer ${server.token({ sub: 'a\u2028b' })}`
    })
    await until('the first cursor has come', () => stream.text.includes('event: cursor\n'))
    const about = { source: 'x', symbols: [], timestamp: '2026-01-01T00:00:00Z' }
    await publish(server.app, 'news', undefined, { headline, ...about })
    await publish(server.app, 'system', undefined, { level: 'info', message: 'plain' })
    await until('all messages have come', () => stream.text.includes('"plain"'))
    const messages = stream
      .blocks(splitAsPython)
      .filter(lines => !lines[0]!.startsWith('event: cursor'))
      .map(messageOf)
    t.equal(messages.find(({ type }) => type === 'welcome')?.['user_id'], 'a\u2028b')
    t.match(messages.find(({ type }) => type === 'news')?.data, { headline })
    // Over the other transports the text comes as the log has it.
    const news: Message[] = []
    const client = openClient('ws-json', server.origin, 'subscribe=news;last=1', undefined, {
      onMessage: message => {
        news.push(message)
      },
      onCursor: () => {}
    })
    await until('the same came over WebSocket', () => news.some(({ type }) => type === 'news'))
    client.cut()
    t.same(news.find(({ type }) => type === 'news')!.data, messages.find(({ type }) => type === 'news')!.data)
  })
}

for (const perMessageDeflate of [false, true]) {
  test(`a window of many topics is one frame of batch, ${perMessageDeflate ? 'compressed' : 'plain'}`, async t => {
    const server = await startServer(t, { FLUSH_MS: 50 })
    const symbols = Array.from({ length: 60 }, (_, index) => `S${index}`)
    // Some are long enough to be compressed.
    const trades = (round: number): object[] => symbols.flatMap((symbol, index) => (
      Array.from({ length: index % 3 === 0 ? 4 : 1 }, (_, trade) => (
        { channel: 'trades', symbol, data: { symbol, price: `${round}.${trade}`, size: '1', timestamp: '2026-01-02T03:04:05Z' } }))))
    const socket = new WebSocket(`${server.origin.replace('http', 'ws')}/v1/stream?subscribe=trades:*`, 'tickwire.v1.batch', { perMessageDeflate })
    t.teardown(() => { socket.terminate() })
    const frames: Message[][] = []
    socket.on('message', data => { frames.push(JSON.parse(String(data)) as Message[]) })
    await until('a cursor has come', () => frames.flat().some(({ type }) => type === 'cursor'))
    const seen = (): Message[] => frames.flat().filter(({ channel, sequence }) => channel === 'trades' && sequence !== undefined)
    for (const round of [1, 2]) await server.parts.publisher.publish(trades(round) as never, { publisher: 'test' })
    await until('all has come', () => seen().length === 2 * trades(1).length)
    const some = frames.filter(frame => frame.some(({ sequence }) => sequence !== undefined))
    t.ok(some.length <= 4, `${some.length} frames of ${symbols.length} topics`)
    for (const symbol of symbols) {
      const own = seen().filter(message => message['symbol'] === symbol).map(({ sequence }) => sequence)
      t.same(own, own.map((_, index) => index + 1), `${symbol} in order`)
    }
  })
}

/** The most that Go's coder/websocket reads unless it is told to read more. */
const MOST_BYTES = 32_768

test('ends a frame of batch at 32 KiB or after one message, in windows, answers and catch-ups', async t => {
  const server = await startServer(t, { FLUSH_MS: 100 })
  const levels = Array.from({ length: 2000 }, (_, index) => [String(100_000 - index), '1.00000000'])
  await publish(server.app, 'book', 'LARGE', { symbol: 'LARGE', bids: levels, asks: [] }, { snapshot: true })
  const trade = (symbol: string, count: number): object => ({
    channel: 'trades',
    symbol,
    data: { symbol, price: String(count), size: '1', timestamp: '2026-01-02T03:04:05Z' }
  })
  const { publisher } = server.parts
  const publishMany = async (from: number): Promise<void> => {
    const results = await publisher.publish(
      Array.from({ length: 2000 }, (_, index) => trade('A', from + index)) as never,
      { publisher: 'test' }
    )
    t.equal(results.filter(result => 'sequence' in result).length, 2000)
  }
  const frames: string[] = []
  const open = (query: string): WebSocket => {
    const socket = new WebSocket(
      `${server.origin.replace('http', 'ws')}/v1/stream?${query}`,
      'tickwire.v1.batch'
    )
    t.teardown(() => { socket.terminate() })
    socket.on('message', data => { frames.push(String(data)) })
    return socket
  }
  const messages = (): Message[] => frames.flatMap(frame => JSON.parse(frame) as Message[])
  const sequences = (): unknown[] =>
    messages()
      .filter(({ channel, sequence }) => channel === 'trades' && sequence !== undefined)
      .map(({ sequence }) => sequence)
  const judgeFrames = async (what: string, sequence: number): Promise<void> => {
    await until(what, () => sequences().includes(sequence), 20_000)
    const large = frames
      .filter(frame => Buffer.byteLength(frame) > MOST_BYTES)
      .map(frame => (JSON.parse(frame) as Message[]).map(({ type }) => type))
    t.ok(
      large.every(types => types.length === 1),
      `${what}: ${large.map(types => types.length)} messages in larger frames`
    )
    t.equal(new Set(sequences()).size, sequences().length, 'nothing comes twice')
  }
  const live = open('subscribe=trades:A')
  await until('a cursor has come', () => messages().some(({ type }) => type === 'cursor'))
  const cursor = String(messages().findLast(({ type }) => type === 'cursor')!['cursor'])
  await publishMany(0)
  await judgeFrames('a live window', 2000)
  live.terminate()
  frames.length = 0
  const back = open(`subscribe=trades:A&after=${cursor}`)
  await judgeFrames('what was missed', 2000)
  t.same(sequences(), Array.from({ length: 2000 }, (_, index) => index + 1))
  back.send(JSON.stringify({ action: 'snapshot', id: 1, channel: 'book', symbols: ['LARGE'] }))
  await until('the answer has come', () => messages().some(({ type }) => type === 'done'))
  back.terminate()
  frames.length = 0
  open('subscribe=book:LARGE&subscribe=trades:A;last=2000')
  await judgeFrames('last', 2000)
  await until('the book has come', () => messages().some(({ type }) => type === 'book'))
  await judgeFrames('the largest message alone', 2000)
})
