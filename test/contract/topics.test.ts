import { type Test, test } from 'tap'
import type { AppendItem, AppendResult } from '../../src/log/log.js'
import { backends, openLog } from './logs.js'

/** How many topics a log has messages of, and how many it knows. */

const item = (topic: string, n: number): AppendItem => ({ topic, payload: `{"n":${n}}` })
const sequencesOf = (results: readonly AppendResult[]): unknown[] => results.map(result => 'error' in result ? result.error : result.sequence)

for (const backend of backends) {
  for (const shards of [1, 4]) {
    const suite = (name: string, body: (t: Test) => Promise<void>): void => { void test(`${backend.name}, ${shards} shards: ${name}`, body) }

    // Where shards know nothing of each other, each has its own count.
    const bounded = backend.exact !== undefined || shards === 1
    if (bounded) {
      suite('topics beyond the bound are refused in their place', async t => {
        const { log } = await openLog(t, backend, { shards, maxTopics: 2 })
        const results = await log.append([item('trades:A', 1), item('trades:B', 1), item('trades:C', 1), item('trades:A', 2)])
        t.same(sequencesOf(results), [1, 1, 'overloaded', 2])
        t.same([...(await log.topics()).keys()].sort(), ['trades:A', 'trades:B'])
        t.same(await log.append([item('trades:C', 1)]), [{ error: 'overloaded' }])
        t.equal((await log.read('trades:C', { offset: 0 }, 1)).last, undefined)
      })
    }

    if (backend.exact !== undefined) {
      suite('only topics with messages count, and a topic goes on where it ended', async t => {
        const { log, clock } = await openLog(t, backend, { shards, maxTopics: 2, maxTopicNames: 4, retention: { seconds: 60 } })
        const publish = async (...topics: string[]): Promise<unknown[]> => sequencesOf(await log.append(topics.map((topic, n) => item(topic, n))))
        t.same(await publish('trades:A', 'trades:B', 'trades:C', 'trades:A'), [1, 1, 'overloaded', 2])
        clock.sleep(61)
        t.same((await log.read('trades:A', { sequence: 0 }, 10)).entries, [])
        t.same(await publish('trades:C', 'quotes:D', 'trades:A'), [1, 1, 'overloaded'], 'those without messages make room')
        const last = (await log.read('trades:A', { sequence: 0 }, 10)).last!
        t.match([...(await log.topics())].find(([topic]) => topic === 'trades:A'), ['trades:A', last], 'its last position is known')
        clock.sleep(61)
        t.same(await publish('trades:A', 'trades:E'), [3, 'overloaded'], 'no sequence is given twice, and names are bounded')
        const { entries: [entry] } = await log.read('trades:A', { sequence: 0 }, 10)
        t.match(entry, { sequence: 3, previous: last.offset })
        t.match(JSON.parse((await log.snapshot('quotes:D'))!.payload), { n: 1 }, 'a state outlives its messages')
        t.same(await publish('quotes:D'), [2], 'and its topic goes on')
      })
    }
  }
}
