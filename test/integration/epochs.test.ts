import { ClientRule, standardChannels } from '@tickwire/protocol'
import { type Test, test } from 'tap'
import { MemoryLog } from '../../src/log/memory/memory-log.js'
import {
  type Message,
  openClient,
  openWebSocket,
  type TransportName,
  transportNames,
  until
} from '../helpers/clients.js'
import { passedOn, publish, startServer, type TestServer } from '../helpers/server.js'

/** Makes a log whose clock and size the test controls. */
function makeLog (messages = 1000, seconds = 3600): { log: MemoryLog, sleep (seconds: number): void } {
  let offset = 0
  const log = new MemoryLog({
    channels: standardChannels,
    retention: { messages, seconds, bytes: 1 << 26 },
    maxTopics: 1000,
    clock: { now: () => Date.now() + offset, randomEpoch: () => Math.floor(Math.random() * 2 ** 32) }
  })
  return { log, sleep: seconds => { offset += seconds * 1000 } }
}

const quote = async (server: TestServer, symbol: string, bid: string): Promise<void> =>
  publish(server.app, 'quotes', symbol, { symbol, bid })
const trade = async (server: TestServer, symbol: string, price: string): Promise<void> =>
  publish(server.app, 'trades', symbol, { symbol, price, size: '1', timestamp: '2026-01-01T00:00:00Z' })

interface Seen {
  readonly messages: Message[]
  cursor: string | undefined
  close (): void
}

function listen (server: TestServer, transport: TransportName, query: string, after?: string): Seen {
  const seen: Seen = { messages: [], cursor: undefined, close: () => { client.cut() } }
  const client = openClient(transport, server.origin, query, after, {
    onMessage: message => { seen.messages.push(message) },
    onCursor: cursor => { seen.cursor = cursor }
  })
  return seen
}

/** Writes data and resets as short words: `reset A epoch_changed`, `A 3`, `A 3 snapshot`. */
const words = ({ messages }: Seen): string[] => messages.flatMap(message => {
  const { type, channel, symbol, sequence, snapshot, ...rest } = message
  if (type === 'reset') return `reset ${channel}:${symbol} ${rest['reason']}`
  if (type === 'epoch') return 'epoch'
  return sequence === undefined
    ? []
    : `${channel}:${symbol} ${sequence}${snapshot === true ? ' snapshot' : ''}`
})

/** Polls once for the present state. Returns the cursor of the answer. */
async function cursorNow (server: TestServer, query: string): Promise<string> {
  const response = await fetch(`${server.origin}/v1/stream?${query}`)
  return (await response.json() as { cursor: string }).cursor
}

test('resets exactly the live topics beyond the tail that a log loses', async (t: Test) => {
  for (const transport of transportNames) {
    const { log } = makeLog()
    const server = await startServer(t, {}, { log })
    await quote(server, 'KEPT', '1')
    await quote(server, 'LOST', '1')
    const seen = listen(server, transport, 'subscribe=quotes:*&subscribe=trades:*')
    await until('the snapshots have come', () => words(seen).length === 2 && seen.cursor !== undefined)
    await quote(server, 'KEPT', '2')
    await trade(server, 'LOST', '5')
    await trade(server, 'LOST', '6')
    await quote(server, 'LOST', '2')
    await until('all messages have come', () => words(seen).length === 6)
    const [head] = await log.head()
    log.restart([head!.offset - 2])
    const resets = transport === 'poll' ? 3 : 2
    await until(
      `${transport}: the resets have come`,
      () => words(seen).filter(word => word.startsWith('reset')).length === resets
    )
    await quote(server, 'KEPT', '3')
    await quote(server, 'LOST', '7')
    await trade(server, 'LOST', '8')
    const live = ['trades:LOST 2', 'quotes:LOST 2', 'quotes:KEPT 3']
    await until(`${transport}: delivery goes on`, () =>
      live.every(word => words(seen).slice(6).includes(word))
    )
    const after = words(seen).slice(6)
    if (transport === 'poll') {
      // A poll's position is its cursor, which has one offset for all its topics.
      t.same(
        after.filter(word => word.startsWith('reset')).sort(),
        [
          'reset quotes:KEPT epoch_changed',
          'reset quotes:LOST epoch_changed',
          'reset trades:LOST epoch_changed'
        ],
        'poll: all topics that its cursor covers'
      )
      seen.close()
      continue
    }
    t.same(
      after.filter(word => word.startsWith('reset')).sort(),
      ['reset quotes:LOST epoch_changed', 'reset trades:LOST epoch_changed'],
      `${transport}: exactly the topics beyond`
    )
    t.ok(after.includes('quotes:LOST 1 snapshot'), `${transport}: the remaining state`)
    t.same(
      after.filter(word => word.includes('KEPT')), ['quotes:KEPT 3'],
      `${transport}: the other topic notices nothing`
    )
    t.equal(after.filter(word => word === 'epoch').length, 1, `${transport}: the epoch is announced once`)
    const epoch = after.indexOf('epoch')
    t.ok(
      epoch > after.lastIndexOf('reset quotes:LOST epoch_changed') && epoch < after.indexOf('quotes:KEPT 3'),
      `${transport}: after the resets, before the first message`
    )
    seen.close()
  }
})

test('disturbs nobody, live or resuming, by a restart that lost nothing', async t => {
  for (const transport of transportNames) {
    const { log } = makeLog()
    const server = await startServer(t, {}, { log })
    await quote(server, 'A', '1')
    const cursor = await cursorNow(server, 'subscribe=quotes:*')
    const seen = listen(server, transport, 'subscribe=quotes:*', cursor)
    await until('it is resumed', () =>
      transport === 'poll' ? server.parts.connections.active > 0 : seen.cursor !== undefined
    )
    const [head] = await log.head()
    log.restart([head!.offset])
    await quote(server, 'A', '2')
    await until('the next message has come', () => words(seen).includes('quotes:A 2'))
    t.same(words(seen).filter(word => word.startsWith('reset')), [], transport)
    const resumed = listen(server, transport, 'subscribe=quotes:*', cursor)
    await until('the next message has come', () => words(resumed).includes('quotes:A 2'))
    t.same(
      words(resumed).filter(word => word !== 'epoch'),
      ['quotes:A 2'],
      `${transport}: a cursor of the epoch before is good`
    )
    seen.close()
    resumed.close()
  }
})

test('resets every topic that a cursor covers if it is of another log, or ahead of this one', async t => {
  for (const transport of transportNames) {
    const other = await startServer(t)
    await quote(other, 'A', '1')
    await quote(other, 'GONE', '1')
    const foreign = await cursorNow(other, 'subscribe=quotes:*')
    const server = await startServer(t)
    await quote(server, 'A', '1')
    await trade(server, 'A', '1')
    const seen = listen(
      server,
      transport,
      'subscribe=quotes:*&subscribe=trades:*&subscribe=quotes:NAMED',
      foreign
    )
    await until(
      'the resets and the state have come',
      () => words(seen).includes('trades:A 1') && words(seen).includes('quotes:A 1 snapshot')
    )
    t.ok(words(seen).includes('reset quotes:A epoch_changed'), transport)
    t.ok(words(seen).includes('reset trades:A epoch_changed'), transport)
    t.ok(
      words(seen).includes('reset quotes:NAMED epoch_changed'),
      `${transport}: also a named topic that the log does not have`
    )
    await until('a cursor', () => seen.cursor !== undefined)
    // GONE is born again in this log. A client that may have the lost topic is told before its first message.
    if (transport === 'ws-batch') {
      const { cursor } = seen
      seen.close()
      await quote(server, 'GONE', '2')
      const resumed = listen(server, transport, 'subscribe=quotes:*', cursor)
      await until('GONE is born again', () => words(resumed).includes('quotes:GONE 1'))
      t.same(words(resumed), ['reset quotes:GONE epoch_changed', 'quotes:GONE 1'], 'also across a cut')
      resumed.close()
    } else {
      await quote(server, 'GONE', '2')
      await until('GONE is born again', () => words(seen).includes('quotes:GONE 1'))
      t.same(words(seen).slice(-2), ['reset quotes:GONE epoch_changed', 'quotes:GONE 1'], transport)
      seen.close()
    }
  }
})

test('resets a trimmed topic, but neither its neighbours nor an idle topic that expired', async t => {
  for (const transport of transportNames) {
    const { log, sleep } = makeLog(5, 60)
    const server = await startServer(t, { RETENTION_BYTES: 4096 }, { log })
    await quote(server, 'IDLE', '1')
    await trade(server, 'IDLE', '1')
    await trade(server, 'BUSY', '1')
    const cursor = await cursorNow(server, 'subscribe=quotes:*&subscribe=trades:*')
    sleep(120)
    await trade(server, 'CALM', '1')
    for (let i = 2; i <= 40; i++) {
      await trade(server, 'BUSY', String(i))
      await quote(server, 'BUSY', String(i))
    }
    await new Promise(resolve => setTimeout(resolve, 30))
    const seen = listen(server, transport, 'subscribe=quotes:*&subscribe=trades:*', cursor)
    await until('it has caught up', () => words(seen).includes('trades:BUSY 40'))
    const resets = words(seen).filter(word => word.startsWith('reset'))
    t.same(
      resets.sort(), ['reset quotes:BUSY history_lost', 'reset trades:BUSY history_lost'],
      `${transport}: exactly the trimmed topics`
    )
    t.ok(words(seen).includes('quotes:BUSY 39 snapshot'), `${transport}: the state`)
    t.same(
      words(seen).filter(word => word.startsWith('trades:BUSY')),
      [36, 37, 38, 39, 40].map(n => `trades:BUSY ${n}`),
      `${transport}: all that the log retains`
    )
    t.same(words(seen).filter(word => word.startsWith('trades:CALM')), ['trades:CALM 1'], transport)
    t.notOk(words(seen).some(word => word.includes('IDLE')), `${transport}: nothing of the idle topics`)
    seen.close()
  }
})

test('resumes by sequence where the log has what follows, and resets a topic that is trimmed, ahead or lost', async t => {
  const { log } = makeLog(5)
  const server = await startServer(t, {}, { log })
  for (let i = 1; i <= 10; i++) {
    await trade(server, 'A', String(i))
    if (i <= 3) await trade(server, 'B', String(i))
  }
  await passedOn(server)
  const seen: Message[] = []
  const client = openWebSocket(server.origin, '', 'tickwire.v1.json', {
    onMessage: message => {
      seen.push(message)
    },
    onCursor: () => {}
  })
  await until('welcome', () => seen.length === 1)
  client.send({ action: 'subscribe', id: 1, channel: 'trades', symbols: ['A', 'B'] })
  await until('it is subscribed', () => seen.some(({ id }) => id === 1))
  const epoch = seen.find(({ id }) => id === 1)!['epoch']

  const resume = async (
    id: number,
    after: Record<string, number>,
    seenIn = epoch
  ): Promise<{ recovered: unknown, words: string[] }> => {
    client.send({ action: 'unsubscribe', channel: 'trades', symbols: ['A', 'B'] })
    const from = seen.length
    client.send({
      action: 'subscribe',
      id,
      channel: 'trades',
      symbols: Object.keys(after),
      after,
      epoch: seenIn
    })
    client.send({ action: 'snapshot', id: id + 100, channel: 'quotes', symbols: ['A'] })
    await until('the request is done', () => seen.slice(from).some(message => message.id === id + 100))
    const part = seen.slice(from)
    const asWords = words({ messages: part, cursor: undefined, close: () => {} }).filter(
      word => word !== 'epoch'
    )
    return { recovered: part.find(message => message.id === id)!['recovered'], words: asWords }
  }
  t.same(await resume(2, { A: 8, B: 3 }), { recovered: true, words: ['trades:A 9', 'trades:A 10'] })
  t.same(
    await resume(3, { A: 5 }),
    { recovered: true, words: [6, 7, 8, 9, 10].map(n => `trades:A ${n}`) },
    'the oldest retained message follows on'
  )
  t.same(await resume(4, { A: 2, B: 2 }), {
    recovered: false,
    words: ['reset trades:A history_lost', 'trades:B 3', ...[6, 7, 8, 9, 10].map(n => `trades:A ${n}`)]
  })
  t.same(
    await resume(5, { B: 9 }),
    { recovered: false, words: ['reset trades:B epoch_changed', ...[1, 2, 3].map(n => `trades:B ${n}`)] },
    'ahead of the log'
  )
  client.send({
    action: 'subscribe',
    id: 'own',
    channel: 'trades',
    symbols: ['constructor'],
    after: { A: 1 },
    epoch
  })
  await until('it is subscribed', () => seen.some(({ id }) => id === 'own'))
  t.equal(
    seen.find(({ id }) => id === 'own')!['recovered'],
    true,
    'a symbol without a sequence begins now, whatever its name'
  )
  log.restart([(await log.head())[0]!.offset - 2])
  t.same(
    await resume(6, { A: 10, B: 3 }),
    { recovered: false, words: ['reset trades:A epoch_changed', ...[6, 7, 8].map(n => `trades:A ${n}`)] },
    'beyond the start of the new epoch'
  )
  t.same(
    await resume(7, { A: 7, B: 3 }),
    { recovered: true, words: ['trades:A 8'] },
    'before the start of the new epoch'
  )
  t.same((await resume(8, { A: 7 }, 'AAAAAQ')).recovered, false, 'an unknown epoch')
  client.cut()
})

test('delivers what takes the place of messages that came after the cursor and were lost', async t => {
  for (const transport of ['ws-json', 'ws-batch', 'sse'] as const) {
    const { log } = makeLog()
    const server = await startServer(t, {}, { log })
    const rule = new ClientRule()
    const taken: string[] = []
    let cursor: string | undefined
    let keeps = true
    const open = (): ReturnType<typeof openClient> =>
      openClient(transport, server.origin, 'subscribe=trades:A', cursor, {
        onMessage: message => {
          if (message.type === 'welcome') rule.connected()
          const verdict = rule.take(message)
          if (verdict === 'control') return
          const { price } = message.data as { price: string }
          taken.push(message.sequence === undefined ? verdict : `${verdict} ${message.sequence} at ${price}`)
        },
        onCursor: text => {
          if (!keeps) return
          cursor = text
          rule.cursor()
        }
      })
    const first = open()
    await until('the client is there', () => cursor !== undefined)
    for (const price of ['1', '2']) await trade(server, 'A', price)
    const before = cursor
    await until('a cursor of these has come', () => cursor !== before && taken.length === 2)
    // Drops cursors from now on, as if the connection broke before the next one came.
    keeps = false
    for (const price of ['3', '4']) await trade(server, 'A', price)
    await until('these have come, too', () => taken.length === 4)
    first.cut()
    log.restart([2])
    for (const price of ['30', '40', '50']) await trade(server, 'A', price)
    await passedOn(server)
    keeps = true
    const second = open()
    await until('the rest has come', () => taken.at(-1)?.endsWith('50') === true)
    t.same(taken.slice(4), ['new 3 at 30', 'new 4 at 40', 'new 5 at 50'], transport)
    second.cut()
  }
})
