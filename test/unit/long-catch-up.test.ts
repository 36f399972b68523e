import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import { decodeEpoch, encodeCursor } from '@tickwire/protocol'
import { countRounds } from '../helpers/count-rounds.js'
import { receiveText, subscribe } from '../helpers/native.js'
import { MemoryWire } from '../helpers/memory-wire.js'
import { startNode, ticks } from '../helpers/node.js'
import { RuleFollower, until } from '../helpers/clients.js'

const TOPICS = 1000

/**
 * What a resume reads that is too long for the recent entries: in proportion to what it sends, and to its
 * topics.
 */
for (const [name, hot] of [['alike', 0], ['one much busier than the others', 5000]] as const) {
  test(`reads a few times what it sends for a long catch-up over many topics: ${name}`, async t => {
    const node = await startNode({ retention: { messages: 100_000 }, recentBytes: 1000 })
    const trade = (topic: number): { topic: string, payload: string } => ({ topic: `trades:S${topic}`, payload: '{}' })
    for (let round = 0; round < 5; round++) {
      await node.log.append(Array.from({ length: TOPICS }, (_, n) => trade(n)))
      await node.log.append(Array.from({ length: hot / 5 }, () => trade(0)))
    }
    await ticks()
    let reads = 0
    let entries = 0
    const { read } = node.log
    node.log.read = async (...question) => {
      reads++
      const page = await read.apply(node.log, question)
      entries += page.entries.length
      return page
    }
    const follower = new RuleFollower()
    const wire = new MemoryWire(false, message => { follower.take(message) })
    const cursor = encodeCursor({
      shards: new Map([[0, { epoch: decodeEpoch(node.hub.epochText())![0]!, offset: 0 }]]),
      lostTopics: undefined,
      throttled: new Set()
    })
    receiveText(node.connect(wire), JSON.stringify({ action: 'subscribe', channel: 'trades', symbols: ['*'], after: cursor }))
    const sent = TOPICS * 5 + hot
    for (let turn = 0; turn < 1000 && wire.messages.length < sent; turn++) await ticks()
    t.equal(follower.accepted.length, sent)
    t.same(follower.gaps, [])
    t.ok(reads < 5 * sent, `${reads} reads for ${sent} messages`)
    t.ok(entries < 10 * sent, `${entries} entries read for ${sent} messages`)
    await node.close()
  })
}

test('resets many topics in a few round trips, for a lost cursor and for a live client', async t => {
  const node = await startNode()
  const trades = Array.from({ length: TOPICS }, (_, n) => ({ topic: `trades:S${n}`, payload: '{}' }))
  await node.log.append(trades)
  await node.log.append(trades)
  await ticks()
  const wires = [new MemoryWire(false), new MemoryWire(false)] as const
  const resets = (wire: MemoryWire): number => wire.messages.filter(({ type }) => type === 'reset').length
  const counted = countRounds(node.log)
  const lost = encodeCursor({
    shards: new Map([[0, { epoch: 1, offset: 7 }]]), lostTopics: undefined, throttled: new Set()
  })
  receiveText(node.connect(wires[0]), JSON.stringify({ action: 'subscribe', channel: 'trades', symbols: ['*'], after: lost }))
  await until('the lost cursor is told of every topic', () => resets(wires[0]) === TOPICS)
  t.ok(counted.rounds < TOPICS / 20, `${counted.rounds} round trips for ${TOPICS} topics of a lost cursor`)
  subscribe(node.connect(wires[1]), 'trades', ['*'])
  await ticks()
  counted.rounds = 0
  node.log.restart([TOPICS])
  await until('the live client is told of every topic', () => resets(wires[1]) === TOPICS)
  t.ok(counted.rounds < TOPICS / 4, `${counted.rounds} round trips for ${TOPICS} topics of live clients`)
  await node.close()
})

test('sends states as a slow log gives them, and not only when the last has been read', async t => {
  const node = await startNode()
  const symbols = Array.from({ length: 20 }, (_, n) => `S${n}`)
  await node.log.append(symbols.map(symbol => ({ topic: `quotes:${symbol}`, payload: JSON.stringify({ data: { symbol, last: '1' } }) })))
  await ticks()
  const wire = new MemoryWire(false)
  let read = 0
  const readWhenSent: number[] = []
  const { snapshot } = node.log
  node.log.snapshot = async topic => {
    if (readWhenSent.length < wire.messages.filter(({ type }) => type === 'quote').length) readWhenSent.push(read)
    await delay(150)
    read++
    return await snapshot.call(node.log, topic)
  }
  receiveText(node.connect(wire), JSON.stringify({ action: 'subscribe', channel: 'quotes', symbols }))
  await until('all states have come', () => wire.messages.filter(({ type }) => type === 'quote').length === symbols.length)
  t.ok(readWhenSent[0]! < symbols.length / 2, `${readWhenSent[0]} were read when the first one had come`)
  await node.close()
})
