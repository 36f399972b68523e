import { test } from 'tap'
import { receiveText } from '../helpers/native.js'
import type { Entry, TailBatch } from '../../src/log/log.js'
import { type Message, RuleFollower } from '../helpers/clients.js'
import { MemoryWire } from '../helpers/memory-wire.js'
import { type Node, startNode, ticks } from '../helpers/node.js'

/** A node that was held up so long that the log has dropped messages which the node never read. */
const item = (channel: string, symbol: string, n: number): { topic: string, payload: string } => ({
  topic: `${channel}:${symbol}`,
  payload: JSON.stringify({ symbol, last: String(n) })
})

/**
 * Keeps the node from hearing what is appended. The returned function lets it hear all that is retained at
 * once, as from a log on another machine.
 */
function deafen (node: Node): () => Promise<void> {
  const listeners = (node.log as unknown as { listeners: Set<{ onBatch: (batch: TailBatch) => void }> })
    .listeners
  const heard = [...listeners]
  listeners.clear()
  const from = node.hub.shards[0]!.received
  return async () => {
    for (const listener of heard) listeners.add(listener)
    const [head] = await node.log.head()
    const lost = new Set<string>()
    const entries: Entry[] = []
    for (const [topic, last] of await node.log.topics()) {
      if (last.offset <= from) continue
      const page = await node.log.read(topic, { offset: from }, 1000)
      if (page.entries[0] === undefined || page.entries[0].previous > from) lost.add(topic)
      entries.push(...page.entries)
    }
    entries.sort((a, b) => a.offset - b.offset)
    for (const { onBatch } of heard) {
      onBatch({ shard: 0, epoch: head!.epochs.at(-1)!, entries, hole: { upTo: head!.offset, lost } })
    }
  }
}

const of = (messages: readonly Message[], symbol: string): string[] =>
  messages
    .filter(message => message.symbol === symbol)
    .map(({ type, reason, snapshot, sequence }) =>
      type === 'reset' ? `reset ${String(reason)}` : `${snapshot === true ? 'state' : 'message'} ${sequence}`
    )

for (const throttle of [undefined, 10]) {
  const what = `resets topics of which the node missed dropped messages, and continues the others${throttle === undefined ? '' : ', throttled'}`
  test(what, async t => {
    const node = await startNode({ retention: { messages: 20 } })
    await node.log.append([
      item('quotes', 'BUSY', 1),
      item('quotes', 'CALM', 1),
      item('trades', 'FAST', 1),
      item('trades', 'SLOW', 1)
    ])
    await ticks()
    const follower = new RuleFollower()
    const wire = new MemoryWire(true, message => { follower.take(message) })
    const connection = node.connect(wire)
    receiveText(connection, JSON.stringify({ action: 'subscribe', channel: 'trades', symbols: ['*'] }))
    receiveText(
      connection,
      JSON.stringify({
        action: 'subscribe',
        channel: 'quotes',
        symbols: ['*'],
        ...(throttle === undefined ? {} : { throttle_ms: throttle })
      })
    )
    await ticks()
    const hear = deafen(node)
    for (let n = 2; n <= 50; n++) {
      await node.log.append([item('quotes', 'BUSY', n), item('trades', 'FAST', n)])
    }
    await node.log.append([item('quotes', 'CALM', 2), item('trades', 'SLOW', 2)])
    const began = wire.messages.length
    await hear()
    await node.log.append([item('trades', 'FAST', 51), item('trades', 'SLOW', 3)])
    await new Promise(resolve => { setTimeout(resolve, 50) })
    const after = wire.messages.slice(began)
    t.same(of(after, 'BUSY'), ['reset history_lost', 'state 50'])
    t.same(
      of(after, 'FAST'),
      ['reset history_lost', ...Array.from({ length: 20 }, (_, index) => `message ${32 + index}`)],
      'the reset is followed by what the log retains when it is asked'
    )
    t.same(of(after, 'CALM'), ['message 2'])
    t.same(of(after, 'SLOW'), ['message 2', 'message 3'])
    t.same(follower.gaps, [])
    t.equal(after.filter(({ type }) => type === 'epoch').length, 0, 'it is no new epoch')

    const late = new MemoryWire(true)
    receiveText(
      node.connect(late),
      JSON.stringify({
        action: 'subscribe',
        channel: 'trades',
        symbols: ['*'],
        after: wire.messages
          .slice(0, began)
          .filter(({ type }) => type === 'cursor')
          .at(-1)!['cursor']
      })
    )
    await ticks(30)
    t.same(
      of(late.messages, 'FAST').slice(0, 2),
      ['reset history_lost', 'message 32'],
      'a client that resumes from before it gets the same'
    )
    t.same(of(late.messages, 'SLOW'), ['message 2', 'message 3'])
    t.same(node.errors, [])
    await node.close()
  })
}

test('resets all topics that were passed on if the log is emptied while the node deals with a hole', async t => {
  const node = await startNode()
  await node.log.append([item('trades', 'A', 1), item('trades', 'B', 1)])
  await ticks()
  const wire = new MemoryWire(true)
  receiveText(node.connect(wire), JSON.stringify({ action: 'subscribe', channel: 'trades', symbols: ['*'] }))
  await ticks()
  await node.log.append([item('trades', 'A', 2), item('trades', 'B', 2)])
  await ticks()
  const listeners = (node.log as unknown as { listeners: Set<{ onBatch: (batch: TailBatch) => void }> })
    .listeners
  const heard = [...listeners]
  listeners.clear()
  const tell = (batch: Omit<TailBatch, 'shard'>): void => {
    for (const { onBatch } of heard) onBatch({ shard: 0, ...batch })
  }
  const [before] = await node.log.head()
  let release = (): void => {}
  const released = new Promise<void>(resolve => { release = resolve })
  const topics = node.log.topics.bind(node.log)
  node.log.topics = async shard => { await released; return await topics(shard) }
  tell({ epoch: before!.epochs.at(-1)!, entries: [], hole: { upTo: before!.offset, lost: new Set() } })
  await ticks()
  node.log.restart([0])
  release()
  await ticks()
  const [after] = await node.log.head()
  tell({ epoch: after!.epochs.at(-1)!, entries: [] })
  await ticks()
  t.same(
    ['A', 'B'].map(symbol => of(wire.messages, symbol)),
    [
      ['message 2', 'reset epoch_changed'],
      ['message 2', 'reset epoch_changed']
    ]
  )
  t.same(node.errors, [])
  await node.close()
})
