import { appendFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Trade } from '@tickwire/protocol'
import { type Test, test } from 'tap'
import { Replay, type ReplayOptions } from '../../src/sources/replay/replay.js'
import type { SourceContext, SourceMessage } from '../../src/sources/source.js'
import { silentLogger } from '../helpers/silent-logger.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

async function writeRecording (t: Test, lines: readonly string[]): Promise<string> {
  const file = join(temporaryFolder(t), 'session.txt')
  await writeFile(file, lines.join('\n') + '\n')
  return file
}

const ADDRESS = 'wss://ws-feed.pro.coinbase.com <-> 1.0'
const SUBSCRIBE = 'wss://ws-feed.pro.coinbase.com <- 1.1: {"type":"subscribe","product_ids":["A-B","C-D"]}'
const frame = (time: number, id: number): string =>
  `${time}: {"type":"match","trade_id":${id},"side":"buy","size":"1","price":"2","product_id":"A-B","time":"2021-04-17T16:43:37Z"}`

interface Collected {
  readonly context: SourceContext
  readonly messages: SourceMessage[]
  readonly times: number[]
  readonly batches: number[]
}

function collect (signal = new AbortController().signal): Collected {
  const messages: SourceMessage[] = []
  const times: number[] = []
  const batches: number[] = []
  const context: SourceContext = {
    signal,
    logger: silentLogger,
    guard: work => work,
    declare: async () => [],
    instrument: () => undefined,
    publish: async batch => {
      messages.push(...batch)
      times.push(...batch.map(() => performance.now()))
      batches.push(batch.length)
      return []
    }
  }
  return { context, messages, times, batches }
}

const replay = (file: string, options: Partial<ReplayOptions> = {}): Replay =>
  new Replay({ file, speed: 'max', loop: false, manual: false, ...options })

test('replays a recording: its instruments, in order, at the given speed, in a loop, until it is stopped', async t => {
  const file = await writeRecording(t, [ADDRESS, SUBSCRIBE, frame(10, 1), frame(10.1, 2), frame(10.4, 3)])
  t.same(
    (await replay(file).instruments()).map(({ symbol, market }) => `${symbol} ${market}`),
    ['A-B COINBASE', 'C-D COINBASE']
  )

  const all = collect()
  await replay(file).run(all.context)
  t.same(all.messages.map(({ data }) => (data as Trade).trade_id), ['1', '2', '3'])

  const paced = collect()
  const began = performance.now()
  await replay(file, { speed: 2 }).run(paced.context)
  t.equal(paced.messages.length, 3)
  // Compared with the beginning: a busy machine is late with one message, and in time with the next.
  const [, second = 0, third = 0] = paced.times.map(time => time - began)
  t.ok(second >= 49 && third >= 199, 'it follows the recorded moments twice as fast, and is never early')

  const stopping = new AbortController()
  const endless = collect(stopping.signal)
  const publish = endless.context.publish
  const running = replay(file, { loop: true }).run({
    ...endless.context,
    publish: async batch => {
      await publish(batch)
      if (endless.messages.length >= 9) stopping.abort()
      return []
    }
  })
  await running
  t.same(
    endless.messages.slice(0, 6).map(({ data }) => (data as Trade).trade_id),
    ['1', '2', '3', '1', '2', '3'],
    'each round is a session of its own'
  )

  const early = new AbortController()
  const slow = collect(early.signal)
  setTimeout(() => { early.abort() }, 30)
  await replay(file, { speed: 0.001 }).run(slow.context)
  t.ok(slow.messages.length <= 1, 'a stop ends a wait')
})

test('reads HTTP answers in the order of times, from a file of their own or between the frames', async t => {
  const feed = 'wss://stream.binance.com:9443/stream?streams=ab@depth <-> 1.0'
  const event = (time: number, id: number): string => {
    const data = { e: 'depthUpdate', s: 'AB', U: id, u: id, b: [[String(id), '1']], a: [] }
    return `${time}: ${JSON.stringify({ stream: 'ab@depth', data })}`
  }
  const answer = 'https://api.binance.com/api/v3/depth?symbol=AB -> ' +
    '3: {"lastUpdateId":1,"bids":[["1","1"]],"asks":[]}'
  const sequences = async (
    lines: readonly string[], options?: Partial<ReplayOptions>
  ): Promise<unknown[]> => {
    const source = replay(await writeRecording(t, [feed, ...lines]), options)
    const taken = collect()
    await source.run(taken.context)
    return taken.messages.map(({ data }) => (data as { venue_sequence?: number }).venue_sequence)
  }
  t.same(await sequences([event(2, 2), 'not-a-url -> 2.5: {', answer, event(4, 3)]), [2, 3])
  const answers = await writeRecording(t, [answer])
  t.same(await sequences([event(2, 2), event(4, 3)], { answers }), [2, 3])
  t.same(await sequences([event(1.5, 1), event(2, 2)], { answers }), [2], 'the answer comes last')
  const broken = await writeRecording(t, [`${answer}}`])
  await t.rejects(sequences([event(2, 2)], { answers: broken }), new RegExp(`${broken}, line 1`))
  const absent = replay(await writeRecording(t, [feed]), { answers: '/nowhere.txt' })
  await t.rejects(absent.instruments(), /no file \/nowhere.txt/)
})

test('reads recordings of either address of Coinbase', async t => {
  const exchange = (line: string): string =>
    line.replace('ws-feed.pro.coinbase.com', 'ws-feed.exchange.coinbase.com')
  const file = await writeRecording(t, [exchange(ADDRESS), exchange(SUBSCRIBE), frame(10, 1)])
  t.same(
    (await replay(file).instruments()).map(({ symbol, market }) => `${symbol} ${market}`),
    ['A-B COINBASE', 'C-D COINBASE']
  )
  const taken = collect()
  await replay(file).run(taken.context)
  t.match(taken.messages, [
    { channel: 'trades', symbol: 'A-B', data: { trade_id: '1', exchange: 'coinbase' } }
  ])
  const other = 'wss://ws-feed.exchange.coinbase.com.example <-> 1.0'
  await t.rejects(replay(await writeRecording(t, [other])).instruments(), /does not begin with the address of a known venue/, 'a name that only begins so is another host')
})

test('allows a byte order mark at the beginning of a recording, and ends lines at line feeds only', async t => {
  const file = await writeRecording(t, [
    `\ufeff${ADDRESS}`,
    `${SUBSCRIBE}\r`,
    '10: {"type":"heartbeat","note":"a\u2028b"}',
    `${frame(10, 1)}\r`
  ])
  t.equal((await replay(file).instruments()).length, 2)
  const taken = collect()
  await replay(file).run(taken.context)
  t.equal(taken.messages.length, 1)
})

test('names the recording that cannot be read, and why', async t => {
  await t.rejects(replay('/nowhere/at-all.txt').instruments(), /no file \/nowhere\/at-all.txt/)
  await t.rejects(replay(tmpdir()).instruments(), /is not a file/)
  await t.rejects(replay(await writeRecording(t, ['wss://elsewhere.example <-> 1'])).instruments(), /address of a known venue/)
  await t.rejects(replay(await writeRecording(t, [ADDRESS, '10: {"type":'])).run(collect().context), /line 2/)
  const notText = await writeRecording(t, [ADDRESS, SUBSCRIBE])
  await appendFile(notText, Buffer.concat([Buffer.from('10: {"type":"'), Buffer.of(0xbb, 0xef), Buffer.from('"}\n')]))
  await t.rejects(replay(notText).run(collect().context), /session\.txt, line 3: not UTF-8/)
})
