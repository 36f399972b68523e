import { decodeCursor, decodeEpoch, encodeCursor, standardChannels } from '@tickwire/protocol'
import { test } from 'tap'
import { makeSelector } from '../../src/hub/audience/selector.js'
import { poll } from '../../src/transports/poll/poll.js'
import { type Message, RuleFollower } from '../helpers/clients.js'
import { startNode, ticks } from '../helpers/node.js'
import { writer } from '../helpers/native.js'

/** A client with a lost position, which gets what the log has in more than one answer. */
const trades = standardChannels.get('trades')!
const trade = (symbol: string, n: number): { topic: string, payload: string } => ({
  topic: `trades:${symbol}`,
  payload: JSON.stringify({ symbol, price: String(n) })
})

test('resets each topic once over any number of polls, and a topic that is born later before its first message', async t => {
  for (const shards of [1, 3]) {
    const node = await startNode({ shards })
    const symbols = ['A', 'B', 'C', 'D', 'E']
    for (let n = 1; n <= 10; n++) await node.log.append(symbols.map(symbol => trade(symbol, n)))
    await ticks()
    const lost = new Map(
      decodeEpoch(node.hub.epochText())!.map((epoch, shard) => [
        shard,
        { epoch: (epoch ^ 1) >>> 0, offset: 100 }
      ])
    )
    let cursor = decodeCursor(encodeCursor({ shards: lost, lostTopics: undefined, throttled: new Set() }))!
    const follower = new RuleFollower()
    const ask = async (): Promise<boolean> => {
      const { text } = await poll(node.hub, [makeSelector(trades, '*', undefined)], {
        start: { from: 'cursor', cursor }, snapshots: true, writer, limit: 7, waitMs: 0, signal: new AbortController().signal
      })
      const answer = JSON.parse(text) as { cursor: string, messages: Message[], more: boolean }
      cursor = decodeCursor(answer.cursor)!
      for (const message of answer.messages) follower.take(message)
      return answer.more
    }
    let asked = 1
    while (await ask()) asked++
    t.ok(asked > 5, `${asked} polls`)
    t.same(follower.resets.map(({ symbol }) => symbol).sort(), symbols)
    t.equal(follower.accepted.length, 50)
    await node.log.append([trade('NEW', 1), trade('A', 11)])
    await ticks()
    await ask()
    t.same(follower.resets.slice(5).map(({ symbol }) => symbol), ['NEW'])
    t.same(follower.gaps, [])
    await node.close()
  }
})
