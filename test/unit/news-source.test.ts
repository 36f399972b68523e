import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { type Instrument, type News, standardChannels } from '@tickwire/protocol'
import { test, type Test } from 'tap'
import type { Log } from '../../src/log/log.js'
import { MemoryLog } from '../../src/log/memory/memory-log.js'
import { Publisher } from '../../src/publisher/publisher.js'
import { parseFeeds } from '../../src/sources/news/feeds.js'
import { type NewsOptions, NewsSource } from '../../src/sources/news/news-source.js'
import type { SourceContext } from '../../src/sources/source.js'
import { AMPLE } from '../contract/logs.js'
import { eventually } from '../helpers/eventually.js'

const NOW = Date.parse('2026-03-01T12:00:00Z')

interface Item {
  readonly id?: string
  readonly title: string
  readonly link?: string
  readonly date?: string
}

const rss = (items: readonly Item[], title = 'Wire'): string =>
  `<rss version="2.0"><channel><title>${title}</title>${items.map(({ id, title, link, date }) => `<item><title>${title}</title>` +
    (id === undefined ? '' : `<guid isPermaLink="false">${id}</guid>`) + (link === undefined ? '' : `<link>${link}</link>`) +
    `<pubDate>${date ?? 'Sun, 01 Mar 2026 11:00:00 GMT'}</pubDate></item>`).join('')}</channel></rss>`

type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** A server of feeds by their paths. */
class Feeds {
  readonly answers = new Map<string, Answer>()
  readonly requests: Array<{ path: string, headers: IncomingMessage['headers'], at: number }> = []
  origin = ''

  static async open (t: Test): Promise<Feeds> {
    const feeds = new Feeds()
    const server = createServer((request, response) => {
      const path = request.url!
      feeds.requests.push({ path, headers: request.headers, at: performance.now() })
      const answer = feeds.answers.get(path)
      if (answer === undefined) response.writeHead(404).end('no such feed')
      else answer(request, response)
    })
    await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
    feeds.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    t.teardown(() => {
      server.closeAllConnections()
      server.close()
    })
    return feeds
  }

  give (path: string, body: string | Buffer, headers: Record<string, string> = {}): void {
    this.answers.set(path, (_request, response) => { response.writeHead(200, headers).end(body) })
  }

  count (path: string): number {
    return this.requests.filter(request => request.path === path).length
  }
}

interface Run {
  readonly warnings: Array<Record<string, unknown>>
  readonly infos: Array<Record<string, unknown>>
  counted (feed: string, event: string): number
  /** Ends the source as the server does. */
  end (): Promise<void>
}

const memoryLog = (options: object = {}): MemoryLog =>
  new MemoryLog({ channels: standardChannels, shards: 2, retention: AMPLE, maxTopics: 1000, ...options })

/** Runs the source on a log, as its lease does. */
function start (t: Test, log: Log, urls: readonly string[], options: Partial<NewsOptions> = {}): Run {
  const publisher = new Publisher({ log, channels: standardChannels })
  const counts = new Map<string, number>()
  const [warnings, infos]: [Run['warnings'], Run['infos']] = [[], []]
  const ending = new AbortController()
  const context: SourceContext = {
    signal: ending.signal,
    logger: {
      info: details => { infos.push({ ...details }) },
      warn: details => { warnings.push({ ...details }) },
      error: details => { warnings.push({ ...details }) }
    },
    guard: work => work,
    declare: async () => [],
    instrument: () => undefined,
    publish: async messages => {
      ending.signal.throwIfAborted()
      return await publisher.publishOwn(messages)
    }
  }
  const instruments: Instrument[] = [{ symbol: 'AAPL', name: 'Apple Inc.' }]
  const source = new NewsSource({
    feeds: parseFeeds(urls.join()),
    log,
    instruments: () => instruments,
    count (feed, event, times) {
      const key = `${feed.replace(/^[^/]*/, '')} ${event}`
      counts.set(key, (counts.get(key) ?? 0) + times)
    },
    intervalMs: 20,
    random: () => 0,
    now: () => NOW,
    ...options
  })
  const running = source.run(context)
  running.catch(() => {})
  const end = async (): Promise<void> => {
    ending.abort()
    await running
  }
  t.teardown(end)
  return { warnings, infos, counted: (feed, event) => counts.get(`${feed} ${event}`) ?? 0, end }
}

async function newsOf (log: Log): Promise<News[]> {
  const { entries } = await log.read('news', { sequence: 0 }, 10_000)
  return entries.map(({ payload }) => JSON.parse(payload) as News)
}
const headlines = async (log: Log): Promise<string[]> => (await newsOf(log)).map(({ headline }) => headline)

test('publishes what is new, the oldest first, and asks only whether there is more', async t => {
  const feeds = await Feeds.open(t)
  let items: Item[] = [
    { id: '2', title: 'Apple rises', link: 'https://n.example/2', date: '2026-03-01T11:30:00+00:00' },
    { id: '1', title: 'First', date: 'Sun, 01 Mar 2026 11:00:00 GMT' },
    { id: '0', title: 'Last week', date: 'Sun, 22 Feb 2026 11:00:00 GMT' }
  ]
  feeds.answers.set('/rss', (request, response) => {
    const etag = `"${items.length}"`
    if (request.headers['if-none-match'] === etag) response.writeHead(304).end()
    else response.writeHead(200, { etag, 'last-modified': 'Sun, 01 Mar 2026 11:00:00 GMT' }).end(rss(items, 'The &lt;b&gt;Wire&lt;/b&gt;'))
  })
  const log = memoryLog()
  const run = start(t, log, [`${feeds.origin}/rss`])
  await eventually('the feed is unchanged', () => run.counted('/rss', 'unchanged') > 1)
  t.strictSame(await newsOf(log), [
    { headline: 'First', source: 'The Wire', symbols: [], timestamp: '2026-03-01T11:00:00.000Z' },
    { headline: 'Apple rises', source: 'The Wire', symbols: ['AAPL'], timestamp: '2026-03-01T11:30:00.000Z', url: 'https://n.example/2' }
  ])
  t.equal(run.counted('/rss', 'old'), 1)
  items = [{ id: '3', title: 'Third' }, ...items]
  await eventually('the third is there', async () => (await newsOf(log)).length === 3)
  t.match(feeds.requests.at(-1)!.headers, {
    'if-none-match': /"\d"/, 'if-modified-since': /2026/, 'user-agent': /^tickwire\/\d+\.\d+\.\d+/
  })
  t.equal(run.counted('/rss', 'read'), 2)
  t.equal(run.counted('/rss', 'published'), 3)
})

test('publishes nothing twice after a restart, whatever the log still retains', async t => {
  const feeds = await Feeds.open(t)
  const items: Item[] = [{ id: '1', title: 'One' }, { id: '2', title: 'Two' }]
  feeds.give('/rss', rss(items))
  let now = NOW
  const clock = { now: () => now, randomEpoch: () => 7 }
  const log = memoryLog({ retention: { ...AMPLE, seconds: 60 }, clock })
  const first = start(t, log, [`${feeds.origin}/rss`])
  await eventually('both are published', () => first.counted('/rss', 'read') > 1)
  await first.end()
  // Longer than idempotency keys and messages are kept.
  now += 3_600_000
  await log.append([{ topic: 'system', payload: '{}' }])
  feeds.give('/rss', rss([{ id: '3', title: 'Three' }, ...items]))
  const second = start(t, log, [`${feeds.origin}/rss`])
  await eventually('the third is published', () => second.counted('/rss', 'read') > 2)
  const page = await log.read('news', { sequence: 0 }, 100)
  t.strictSame([page.first, page.last?.sequence], [3, 3], 'the log has dropped the first two')
})

test('takes a message that the log has for known, if the server ended before it kept what was read', async t => {
  const feeds = await Feeds.open(t)
  feeds.give('/rss', rss([{ id: '1', title: 'One', link: 'https://n.example/1' }, { id: '2', title: 'Two', link: 'https://n.example/2' }]))
  const log = memoryLog()
  await log.append([{ topic: 'news', payload: JSON.stringify({ headline: 'One', source: 'Wire', symbols: [], timestamp: '2026-03-01T11:00:00Z', url: 'https://n.example/1' }) }])
  const run = start(t, log, [`${feeds.origin}/rss`])
  await eventually('the feed is read', () => run.counted('/rss', 'read') > 1)
  t.strictSame(await headlines(log), ['One', 'Two'])
})

test('publishes a new item with the headline and the link of an older one that the log has', async t => {
  const feeds = await Feeds.open(t)
  const page = 'https://n.example/'
  feeds.give('/rss', rss([
    { id: '2', title: 'Morning call', link: page, date: '2026-03-01T08:00:00Z' },
    { id: '1', title: 'Morning call', link: page, date: '2026-02-28T13:00:00Z' }
  ]))
  const log = memoryLog()
  await log.append([{ topic: 'news', payload: JSON.stringify({ headline: 'Morning call', source: 'Wire', symbols: [], timestamp: '2026-02-28T13:00:00.000Z', url: page }) }])
  const run = start(t, log, [`${feeds.origin}/rss`])
  await eventually('the feed is read', () => run.counted('/rss', 'read') > 1)
  t.strictSame((await newsOf(log)).map(({ timestamp }) => timestamp), ['2026-02-28T13:00:00.000Z', '2026-03-01T08:00:00.000Z'])
})

test('publishes with the next read what the log had no room for, and only that', async t => {
  const feeds = await Feeds.open(t)
  feeds.answers.set('/rss', (request, response) => {
    if (request.headers['if-none-match'] === '"1"') response.writeHead(304).end()
    else response.writeHead(200, { etag: '"1"' }).end(rss([{ id: '2', title: 'Two', link: 'https://n.example/2' }, { id: '1', title: 'One' }]))
  })
  const log = memoryLog()
  const append = log.append.bind(log)
  let refusals = 2
  log.append = async (items, options) => {
    const refused = items.findIndex(({ payload }) => payload.includes('"Two"'))
    if (refused === -1 || refusals-- <= 0) return await append(items, options)
    const results = [...await append(items.filter((_, index) => index !== refused), options)]
    results.splice(refused, 0, { error: 'overloaded' })
    return results
  }
  const run = start(t, log, [`${feeds.origin}/rss`])
  await eventually('the feed is unchanged', () => run.counted('/rss', 'unchanged') > 1)
  t.strictSame(await headlines(log), ['One', 'Two'])
  t.equal(run.counted('/rss', 'published'), 2)
  t.equal(run.counted('/rss', 'read'), 3)
})

test('publishes once what two feeds have, but every item of a feed whose links are all the same', async t => {
  const feeds = await Feeds.open(t)
  feeds.give('/a', rss([{ id: 'a1', title: 'Shared', link: 'http://n.example/1?utm_source=a' }, { id: 'a2', title: 'Only a', link: 'https://n.example/2' }]))
  feeds.give('/b', rss([{ id: 'b1', title: 'Shared', link: 'https://n.example/1?utm_source=b#top' }]))
  feeds.give('/c', rss([{ id: 'c1', title: 'C 1', link: 'https://n.example/' }, { id: 'c2', title: 'C 2', link: 'https://n.example/' }]))
  const log = memoryLog()
  const run = start(t, log, ['/a', '/b', '/c'].map(path => feeds.origin + path))
  await eventually('all are read twice', () => ['/a', '/b', '/c'].every(path => run.counted(path, 'read') > 1))
  t.strictSame((await headlines(log)).sort(), ['C 1', 'C 2', 'Only a', 'Shared'])
})

test('a bad feed disturbs no other, and is asked for less often', async t => {
  const feeds = await Feeds.open(t)
  const bad: Record<string, [string, Answer]> = {
    '/html': ['not_a_feed', (_request, response) => { response.end('<html><body>Sign in</body></html>') }],
    '/torn': ['not_a_feed', (_request, response) => { response.end(rss([{ title: 'x' }]).slice(0, -20)) }],
    '/huge': ['too_big', (_request, response) => { response.end(Buffer.alloc(3 << 20, 'a')) }],
    '/bomb': ['too_big', (_request, response) => { response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(8 << 20))) }],
    '/slow': ['timeout', (_request, response) => { response.write('<rss>') }],
    '/silent': ['timeout', () => {}],
    '/cut': ['unreachable', (request, response) => { response.writeHead(200, { 'content-length': '1000' }).write('<rss>'); setTimeout(() => request.socket.destroy(), 5) }],
    '/loop': ['redirects', (_request, response) => { response.writeHead(302, { location: '/loop' }).end() }],
    '/file': ['redirects', (_request, response) => { response.writeHead(301, { location: 'file:///etc/passwd' }).end() }],
    '/gone': ['refused', (_request, response) => { response.writeHead(410).end() }],
    '/broken': ['busy', (_request, response) => { response.writeHead(500).end() }],
    '/charset': ['not_a_feed', (_request, response) => { response.writeHead(200, { 'content-type': 'text/xml; charset=klingon' }).end('<rss/>') }]
  }
  for (const [path, [, answer]] of Object.entries(bad)) feeds.answers.set(path, answer)
  const items: Item[] = []
  feeds.answers.set('/good', (_request, response) => {
    items.unshift({ id: String(items.length), title: `Good ${items.length}` })
    response.end(rss(items.slice(0, 50)))
  })
  const log = memoryLog()
  const paths = [...Object.keys(bad), '/nothing', '/good']
  const run = start(t, log, paths.map(path => feeds.origin + path), { deadlineMs: 1000 })
  const kinds = { ...Object.fromEntries(Object.entries(bad).map(([path, [kind]]) => [path, kind])), '/nothing': 'refused' }
  await eventually('every bad feed has failed', () => Object.entries(kinds).every(([path, kind]) => run.counted(path, kind) > 0))
  const before = items.length
  await eventually('the good one goes on', () => items.length > before + 5)
  const messages = await headlines(log)
  t.strictSame(messages, messages.map((_, index) => `Good ${index}`))
  for (const [path, kind] of Object.entries(kinds)) {
    const warned = run.warnings.filter(({ feed }) => String(feed).endsWith(path))
    t.ok(warned.some(({ fault }) => fault === kind), `${path}: ${String(warned[0]?.['reason'])}`)
    // A machine that is busy may let any of them time out, too.
    t.notOk(warned.some(({ fault }, index) => fault === warned[index + 1]?.['fault']), 'logs each fault once')
  }
  t.ok(feeds.count('/gone') < feeds.count('/good') / 2, `${feeds.count('/gone')} of ${feeds.count('/good')}`)
})

test('waits as long as a server asks for, follows redirects, and says when a feed is back', async t => {
  const feeds = await Feeds.open(t)
  feeds.answers.set('/busy', (_request, response) => { response.writeHead(429, { 'retry-after': '3600' }).end() })
  feeds.answers.set('/moved', (_request, response) => { response.writeHead(308, { location: '/here' }).end() })
  let fails = 2
  feeds.answers.set('/here', (_request, response) => {
    if (fails-- > 0) response.writeHead(503).end()
    else response.writeHead(200, { 'content-type': 'text/xml; charset=euc-kr' }).end(Buffer.concat([Buffer.from('<rss><channel><item><title>'), Buffer.from('bbefbcba', 'hex'), Buffer.from('</title><link>/x</link><pubDate>soon</pubDate></item></channel></rss>')]))
  })
  const log = memoryLog()
  const run = start(t, log, [`${feeds.origin}/busy`, `${feeds.origin}/moved`])
  await eventually('the feed is back', () => run.counted('/moved', 'read') > 1)
  t.equal(feeds.count('/busy'), 1)
  t.equal(run.infos.length, 1)
  t.strictSame(await newsOf(log), [
    { headline: '삼성', source: '127.0.0.1', symbols: [], timestamp: '2026-03-01T12:00:00.000Z', url: `${feeds.origin}/x` }
  ])
  t.equal(run.counted('/moved', 'bad_date'), 1)
})
