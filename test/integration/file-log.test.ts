import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { standardChannels } from '@tickwire/protocol'
import { test } from 'tap'
import { FileLog } from '../../src/log/file/file-log.js'
import { type Entry, isGood, type ShardHead } from '../../src/log/log.js'
import { askJson } from '../helpers/ask-json.js'
import { openClient, RuleFollower, until } from '../helpers/clients.js'
import { startCommand } from '../helpers/command.js'
import { eventually } from '../helpers/eventually.js'
import { limitFiles } from '../helpers/file-limit.js'
import { overRest } from '../helpers/order-ways.js'
import { Choices } from '../helpers/random.js'
import { publish, startServer, subscribers, type TestServer } from '../helpers/server.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

/** A log in files: over kills of its process, on a disk that is full, and under a server. */

const KILLS = 5
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() & 0x7FFFFFFF)
const PROGRAM = fileURLToPath(new URL('../helpers/file-log-process.js', import.meta.url))

interface Acknowledged {
  readonly shard: number
  readonly offset: number
  readonly sequence: number
  readonly payload: string
}

const open = async (path: string, segmentBytes: number): Promise<FileLog> => await FileLog.open({
  path,
  channels: standardChannels,
  shards: 2,
  retention: { messages: 1_000_000, seconds: 3600, bytes: 1 << 28 },
  maxTopics: 1000,
  fsync: 50,
  segmentBytes,
  onError: () => {}
})

test('loses nothing that was acknowledged when its process is killed', async t => {
  t.comment(`FUZZ_SEED=${SEED}`)
  const choices = new Choices(SEED)
  const path = join(temporaryFolder(t), 'log')
  const acknowledged: Acknowledged[] = []
  let before: readonly ShardHead[] | undefined
  for (let kill = 0; kill < KILLS; kill++) {
    const child = fork(PROGRAM, [JSON.stringify({ path })], { stdio: 'inherit' })
    const enough = choices.integer(20, 2000)
    let heads: readonly ShardHead[] = []
    await new Promise<void>((resolve, reject) => {
      let count = 0
      child.on('message', (message: { heads?: readonly ShardHead[], acknowledged?: readonly Acknowledged[] }) => {
        if (message.heads !== undefined) heads = message.heads
        acknowledged.push(...message.acknowledged ?? [])
        count += message.acknowledged?.length ?? 0
        if (count >= enough) resolve()
      })
      child.once('error', reject)
      child.once('exit', code => { reject(new Error(`the process ended with ${code}`)) })
    })
    child.kill('SIGKILL')
    await once(child, 'close')
    if (before !== undefined) t.same(heads, before, 'it went on where the log was closed in order')
    const log = await open(path, 100_000)
    before = await log.head()
    for (const [shard, { epoch, offset }] of before.entries()) {
      t.not(epoch, heads[shard]!.epoch, 'what the kill lost is told')
      t.ok(isGood({ epoch: heads[shard]!.epoch, offset }, before[shard]!))
      t.notOk(isGood({ epoch: heads[shard]!.epoch, offset: offset + 1 }, before[shard]!))
    }
    const entries = new Map<string, Entry>()
    for (const topic of (await log.topics()).keys()) {
      const page = await log.read(topic, { sequence: 0 }, 1_000_000)
      t.same(page.entries.map(({ sequence }) => sequence), page.entries.map((_, index) => index + 1))
      for (const entry of page.entries) entries.set(`${entry.shard} ${entry.offset}`, entry)
    }
    const lost = acknowledged.filter(({ shard, offset, payload }) => entries.get(`${shard} ${offset}`)?.payload !== payload)
    t.same(lost.slice(0, 3), [], `kill ${kill}: ${acknowledged.length} acknowledged, ${entries.size} there`)
    await log.close()
  }
})

test('takes appends again after a disk that was full', async t => {
  // The signal beside a refused write would end the process; a full disk sends none.
  process.on('SIGXFSZ', () => {})
  t.teardown(() => { limitFiles(process.pid, 'unlimited') })
  const path = temporaryFolder(t)
  const log = await open(path, 1 << 26)
  const append = async (n: number): Promise<boolean> => {
    try {
      const [result] = await log.append([{ topic: 'trades:A', payload: JSON.stringify({ n, pad: 'x'.repeat(500) }), idempotencyKey: String(n) }])
      return 'sequence' in result!
    } catch {
      return false
    }
  }
  const available: boolean[] = []
  log.watch(isAvailable => { available.push(isAvailable) })
  limitFiles(process.pid, 20_000)
  let n = 1
  while (await append(n)) n++
  t.ok(n > 20)
  t.equal(await append(n), false)
  t.equal((await log.read('trades:A', { sequence: 0 }, 1000)).entries.length, n, 'it reads on')
  limitFiles(process.pid, 'unlimited')
  await until('it can be reached again', () => available.at(-1) === true)
  t.same(available, [false, true])
  t.ok(await append(n), 'the message that failed is there, and answers to its key')
  t.ok(await append(n + 1))
  await log.close()
  const again = await open(path, 1 << 26)
  const numbers = (await again.read('trades:A', { sequence: 0 }, 1000)).entries.map(({ payload }) => (JSON.parse(payload) as { n: number }).n)
  t.same(numbers, Array.from({ length: n + 1 }, (_, index) => index + 1))
  await again.close()
})

test('clients and orders go on over a restart of the server', async t => {
  const folder = temporaryFolder(t)
  const start = async (): Promise<TestServer> => {
    const server = await startServer(t, { LOG_PATH: join(folder, 'log'), DATA_DIR: folder, LOG_SHARDS: 2 })
    await server.parts.declare([{ symbol: 'AAPL', market: 'NASDAQ', currency: 'USD', tick_size: '0.01', lot_size: '1' }])
    return server
  }
  const trade = (n: number): object => ({ symbol: 'AAPL', price: '100', size: '1', side: 'buy', trade_id: String(n), timestamp: '2026-01-01T00:00:00Z' })
  const follower = new RuleFollower()
  let cursor: string | undefined
  const follow = async (server: TestServer): Promise<void> => {
    const client = openClient('ws-json', server.origin, 'subscribe=trades:AAPL', cursor, {
      onMessage: message => { follower.take(message) }, onCursor: next => { cursor = next }
    })
    t.teardown(() => { client.cut() })
    await until('it is subscribed', () => subscribers(server, 'trades:AAPL') === 1)
  }
  const order = { action: 'submit_order', client_order_id: 'one', symbol: 'AAPL', side: 'buy', order_type: 'limit', quantity: '5', limit_price: '90' }
  const openOrders = async (server: TestServer): Promise<string[]> => {
    const { body } = await askJson(server, 'GET', '/v1/account', undefined, { trade: true })
    return (body['open_orders'] as Array<{ order_id: string }>).map(({ order_id: id }) => id)
  }

  const first = await start()
  await follow(first)
  for (let n = 1; n <= 5; n++) await publish(first.app, 'trades', 'AAPL', trade(n))
  const accepted = await overRest(first.origin, first.token({ trade: true }), order)
  t.match(accepted, { status: 202, body: { type: 'order_accepted' } })
  const id = accepted.body['order_id']
  await eventually('the order is open', async () => (await openOrders(first))[0] === id)
  await until('all have come, and a cursor', () => follower.accepted.length === 5 && cursor !== undefined)
  await first.app.close()

  const second = await start()
  t.same(await openOrders(second), [id], 'the order is still open')
  t.same(await overRest(second.origin, second.token({ trade: true }), order), accepted, 'and known by its key')
  await follow(second)
  for (let n = 6; n <= 8; n++) await publish(second.app, 'trades', 'AAPL', trade(n))
  await until('all have come', () => follower.accepted.length >= 8)
  t.same(follower.gaps, [])
  t.equal(follower.accepted.length, 8, 'each once, without a reset')

  const other = startCommand(['start', '--port', '0'], { LOG_PATH: join(folder, 'log'), JWT_SECRET: 'x'.repeat(32) })
  const { code, err } = await other.finished
  t.equal(code, 1)
  t.match(err, new RegExp(`^tickwire: LOG_PATH: .* is in use by process ${process.pid} on [^\n]*\n$`))
})
