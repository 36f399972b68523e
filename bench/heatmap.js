/**
 * How long a heatmap takes from its query to the clients, how many bytes they get, and what happens when
 * nothing changes and when nobody subscribes.
 *
 * npm run bench -- heatmap [--clients 2000] [--every 40] [--seconds 20] [--interval 5000] [--rate 10]
 *
 * The server runs the simulated market in a process of its own. Half of the clients use WebSocket, half
 * Server-Sent Events, each on a plain socket of this process, which only counts. First all of them subscribe
 * to four heatmaps; then one of each `every` to all heatmaps there are; then the market stops; then the
 * clients leave.
 */
import { spawn } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { setTimeout as delay } from 'node:timers/promises'
import { options, percentile, report } from './report.js'

const settings = options({ clients: 2000, every: 40, seconds: 20, interval: 5000, rate: 10 })
const { clients, every, seconds, interval, rate } = settings
const SECRET = 'a secret of the bench that is long enough for HS256'
const FEW = 'subscribe=heatmap:BTC-USDT,ETH-USDT&subscribe=heatmap.book:BTC-USDT,ETH-USDT'
const ALL = 'subscribe=heatmap:*&subscribe=heatmap.book:*'
/** Only heatmaps of books say when they were queried. */
const AS_OF = /"kind":"book","as_of":"([^"]+)"/g
const IS_DATA = /"type":"heatmap"/

const server = spawn(process.execPath, [fileURLToPath(new URL('../dist/src/server.js', import.meta.url))], {
  env: {
    ...process.env,
    PORT: '0',
    LOG_LEVEL: 'info',
    JWT_SECRET: SECRET,
    SOURCES: `simulated?rate=${rate}`,
    HEATMAP_INTERVAL_MS: String(interval),
    MAX_CONNECTIONS_PER_IP: '100000',
    RATE_LIMIT_REQUESTS: '100000',
    IDLE_TIMEOUT_MS: '600000'
  },
  stdio: ['ignore', 'pipe', 'inherit']
})
process.on('exit', () => { server.kill() })
/** @type {number} */
const port = await new Promise(resolve => {
  let said = ''
  server.stdout.on('data', data => {
    said += data
    const found = /listens on http:\/\/127\.0\.0\.1:(\d+)/.exec(said)
    if (found !== null) resolve(Number(found[1]))
  })
})

/** What a client has got: all bytes, those by second, and how old heatmaps were when they came. */
class Client {
  bytes = 0
  /** @type {Map<number, number>} */
  bySecond = new Map()
  /** @type {number[]} */
  ages = []
  heatmaps = 0

  /** @param {string} query @param {boolean} isSocket */
  constructor (query, isSocket) {
    const headers = isSocket
      ? 'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: tickwire.v1.json\r\n'
      : 'Accept: text/event-stream\r\n'
    this.socket = connect(port, '127.0.0.1', () => {
      this.socket.write(`GET /v1/stream?${query} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${headers}\r\n`)
    })
    this.socket.on('error', () => {})
    this.socket.on('data', data => { this.take(data) })
  }

  /** @param {Buffer} data */
  take (data) {
    const now = Date.now()
    this.bytes += data.length
    const second = Math.floor(now / 1000)
    this.bySecond.set(second, (this.bySecond.get(second) ?? 0) + data.length)
    const text = data.toString('latin1')
    if (IS_DATA.test(text)) this.heatmaps++
    for (const [, asOf] of text.matchAll(AS_OF)) this.ages.push(now - Date.parse(asOf ?? ''))
  }

  forget () {
    this.bytes = this.heatmaps = 0
    this.ages = []
    this.bySecond.clear()
  }
}

/** @param {number} count @param {string} query */
async function open (count, query) {
  /** @type {Client[]} */
  const opened = []
  while (opened.length < count) {
    for (let index = 0; index < 100 && opened.length < count; index++) {
      opened.push(new Client(query, opened.length % 2 === 0))
    }
    await delay(50)
  }
  while (opened.some(({ heatmaps }) => heatmaps === 0)) await delay(100)
  return opened
}

/** Sums the values of a metric. @param {string} name */
async function metric (name) {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  const lines = text.split('\n').filter(line => line.startsWith(`tickwire_${name}`))
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
}

/** @param {readonly Client[]} measured */
async function measure (measured) {
  for (const client of measured) client.forget()
  await delay(seconds * 1000)
  const ages = measured.flatMap(({ ages }) => ages)
  const most = measured.map(({ bySecond }) => Math.max(0, ...bySecond.values()))
  return {
    ages: [50, 95, 100].map(percent => percentile(ages, percent)).join(', '),
    perSecond: Math.round(measured.reduce((sum, { bytes }) => sum + bytes, 0) / measured.length / seconds),
    most: Math.max(...most)
  }
}

const few = await open(clients, FEW)
await delay(interval)
const ofFew = await measure(few)
for (const { socket } of few) socket.destroy()
const all = await open(Math.ceil(clients / every), ALL)
await delay(2 * interval)
const ofAll = await measure(all)
const cut = await metric('heatmap_cut_bytes_total')

await operate('sources/simulated/stop')
// What the market did last is still on its way, and heatmaps of books mean it over the time before.
await delay(3 * interval)
const sentBefore = await metric('heatmaps_total{result="sent"}')
const queriesBefore = await metric('heatmap_queries_total')
const still = await measure(all)
const sentStill = await metric('heatmaps_total{result="sent"}') - sentBefore
const queriesStill = await metric('heatmap_queries_total') - queriesBefore

for (const { socket } of all) socket.destroy()
await delay(interval)
const queriesLeft = await metric('heatmap_queries_total')
await delay(seconds * 1000)
const queriesAlone = await metric('heatmap_queries_total') - queriesLeft

report('heatmap', settings, {
  [`from query to client, ${clients} clients of 4 heatmaps, ms (p50, p95, most)`]: ofFew.ages,
  'bytes a second and client, of 4 heatmaps': ofFew.perSecond,
  'the same in its worst second': ofFew.most,
  [`from query to client, ${all.length} clients of all heatmaps, ms (p50, p95, most)`]: ofAll.ages,
  'bytes a second and client, of all heatmaps': ofAll.perSecond,
  'the same in its worst second, all': ofAll.most,
  'bytes of levels that were cut': cut,
  'queries while nothing changes': queriesStill,
  'heatmaps sent while nothing changes': sentStill,
  'bytes a second and client while nothing changes (cursors)': still.perSecond,
  'queries without subscribers': queriesAlone
})
server.kill()
process.exit(0)

/** Posts to the interface of operators. @param {string} path */
async function operate (path) {
  const exp = Math.floor(Date.now() / 1000) + 600
  const claims = { sub: 'bench', iss: 'tickwire', aud: 'tickwire', admin: true, exp }
  const text = [{ alg: 'HS256', typ: 'JWT' }, claims]
    .map(part => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  const signature = createHmac('sha256', SECRET).update(text).digest('base64url')
  const answer = await fetch(`http://127.0.0.1:${port}/v1/admin/${path}`, {
    method: 'POST', headers: { authorization: `Bearer ${text}.${signature}` }
  })
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
}
