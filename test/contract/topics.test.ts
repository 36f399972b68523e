import { type Test, test } from 'tap'
import { backends, openLog } from './logs.js'
import { item, sequencesOf } from './messages.js'

/** How many topics may have messages in a log, and how many names it remembers. */

for (const backend of backends) {
  for (const shards of [1, 4]) {
    const suite = (name: string, body: (t: Test) => Promise<void>): void => {
      void test(`${backend.name}, ${shards} shards: ${name}`, body)
    }

    // Several shards of a Redis count alone, so no test can say when the total is reached.
    const bounded = backend.exact !== undefined || shards === 1
    if (bounded) {
      suite('refuses topics beyond the bound, each at its place in the batch', async t => {
        const { log } = await openLog(t, backend, { shards, maxTopics: 2 })
        const results = await log.append([
          item('trades:A', 1),
          item('trades:B', 1),
          item('trades:C', 1),
          item('trades:A', 2)
        ])
        t.same(sequencesOf(results), [1, 1, 'overloaded', 2])
        t.same([...(await log.topics()).keys()].sort(), ['trades:A', 'trades:B'])
        t.same(await log.append([item('trades:C', 1)]), [{ error: 'overloaded' }])
        t.equal((await log.read('trades:C', { offset: 0 }, 1)).last, undefined)
      })
    }

    if (backend.exact !== undefined) {
      suite('counts only topics with messages, and continues a topic where it ended', async t => {
        const { log, clock } = await openLog(t, backend, {
          shards,
          maxTopics: 2,
          maxTopicNames: 4,
          retention: { seconds: 60 }
        })
        const publish = async (...topics: string[]): Promise<unknown[]> =>
          sequencesOf(await log.append(topics.map((topic, n) => item(topic, n))))
        t.same(await publish('trades:A', 'trades:B', 'trades:C', 'trades:A'), [1, 1, 'overloaded', 2])
        clock.sleep(61)
        t.same((await log.read('trades:A', { sequence: 0 }, 10)).entries, [])
        t.same(
          await publish('trades:C', 'quotes:D', 'trades:A'),
          [1, 1, 'overloaded'],
          'topics without messages make room'
        )
        const last = (await log.read('trades:A', { sequence: 0 }, 10)).last!
        t.match(
          [...(await log.topics())].find(([topic]) => topic === 'trades:A'),
          ['trades:A', last],
          'the last position is known'
        )
        clock.sleep(61)
        t.same(
          await publish('trades:A', 'trades:E'),
          [3, 'overloaded'],
          'no sequence is given twice, and the names are bounded'
        )
        const { entries: [entry] } = await log.read('trades:A', { sequence: 0 }, 10)
        t.match(entry, { sequence: 3, previous: last.offset })
        t.match(
          JSON.parse((await log.snapshot('quotes:D'))!.payload),
          { n: 1 },
          'a state is retained longer than its messages'
        )
        t.same(await publish('quotes:D'), [2], 'its topic goes on')
      })
    }
  }
}
