import fc from 'fast-check'
import { type Test, test } from 'tap'
import {
  type AppendItem,
  IDEMPOTENCY_SECONDS,
  type KeptOrigin,
  type Log,
  type Origin
} from '../../src/log/log.js'
import { backends, held, openLog } from './logs.js'
import { sequencesOf } from './messages.js'

/** Origins: the log appends what a processor publishes once, whichever node runs the processor. */

const OUT = 'quotes:OUT'
/** Epochs of the shard that holds the inputs. */
const [FIRST, SECOND, THIRD] = [0xE1, 0xE2, 0xE3] as const

const origin = (offset: number, part = 0, epoch: number = FIRST, processor = 'p'): Origin => ({
  processor,
  topic: 'trades:IN',
  epoch,
  offset,
  part
})
const item = (n: number, from?: Origin, topic = OUT): AppendItem => ({
  topic,
  payload: `{"n":${n}}`,
  ...(from === undefined ? {} : { origin: from })
})
const contents = async (log: Log, topic = OUT): Promise<number[]> =>
  (await held(log, topic)).map(({ payload }) => (JSON.parse(payload) as { n: number }).n)

for (const backend of backends) {
  for (const shards of [1, 4]) {
    const suite = (name: string, body: (t: Test) => Promise<void>): void => {
      void test(`${backend.name}, ${shards} shards: ${name}`, body)
    }

    suite('answers an origin that is not newer as before, and appends nothing', async t => {
      const { log, clock } = await openLog(t, backend, { shards })
      const lineage = [FIRST]
      t.same(
        sequencesOf(
          await log.append([item(1, origin(10)), item(2, origin(10, 1)), item(3, origin(12))], { lineage })
        ),
        [1, 2, 3]
      )
      t.same(
        sequencesOf(
          await log.append(
            [
              item(9, origin(12)),
              item(9, origin(10, 5)),
              item(9, origin(3)),
              item(4, origin(12, 1)),
              item(9, origin(12, 1))
            ],
            { lineage }
          )
        ),
        [3, 3, 3, 4, 4]
      )
      clock.sleep(2 * IDEMPOTENCY_SECONDS)
      t.same(
        sequencesOf(await log.append([item(9, origin(12, 1)), item(5, origin(13))], { lineage })),
        [4, 5],
        'also long after the keys are forgotten'
      )
      t.same((await contents(log)).slice(-1), [5])
      t.equal((await log.read(OUT, { sequence: 0 }, 1)).last?.sequence, 5)
    })

    suite('keeps topics, processors and messages without an origin apart', async t => {
      const { log } = await openLog(t, backend, { shards })
      const lineage = [FIRST]
      await log.append([item(1, origin(10))], { lineage })
      t.same(
        sequencesOf(await log.append([item(1, origin(10), 'quotes:OTHER'), item(2), item(3)], { lineage })),
        [1, 2, 3]
      )
      t.same(sequencesOf(await log.append([item(4, origin(10, 0, FIRST, 'q'))], { lineage })), [4])
      t.same(sequencesOf(await log.append([item(9, origin(10)), item(5, origin(11))], { lineage })), [1, 5])
      t.same(await contents(log), [1, 2, 3, 4, 5])
      t.same(
        (await held(log, OUT)).map(entry => entry.origin),
        [origin(10), undefined, undefined, origin(10, 0, FIRST, 'q'), origin(11)],
        'each message is read with its own origin'
      )
      await t.rejects(
        log.append([item(1, origin(20)), item(1, origin(20, 0, FIRST, 'q'))], { lineage }),
        TypeError,
        'one append has origins of one processor only'
      )
      await t.rejects(
        log.append([item(1, origin(20))]),
        TypeError,
        'an append with origins names their lineage'
      )
      await t.rejects(
        log.append([item(1, origin(20, 0, FIRST, 'a:b'))], { lineage }),
        TypeError,
        'the name of a processor is well-formed'
      )
      await t.rejects(log.append([item(1, origin(20, 0, SECOND))], { lineage }), TypeError)
      t.same((await contents(log)).length, 5)
    })

    suite('takes origins of a later epoch as newer at any offset, and those of a lost epoch as older than all', async t => {
      const { log } = await openLog(t, backend, { shards })
      await log.append([item(1, origin(100))], { lineage: [FIRST] })
      const lineage = [FIRST, SECOND]
      t.same(
        sequencesOf(
          await log.append(
            [
              item(9, origin(50)),
              item(2, origin(60, 0, SECOND)),
              item(9, origin(101)),
              item(9, origin(60, 0, SECOND))
            ],
            { lineage }
          )
        ),
        [1, 2, 2, 2]
      )
      t.same(
        sequencesOf(await log.append([item(3, origin(70))], { lineage: [FIRST, THIRD] })),
        [3],
        'the second epoch was lost, and what followed from it is older'
      )
      t.same(
        sequencesOf(
          await log.append([item(9, origin(70)), item(4, origin(1, 0, THIRD))], { lineage: [FIRST, THIRD] })
        ),
        [3, 4]
      )
      t.same(
        sequencesOf(await log.append([item(9, origin(1, 0, THIRD))], { lineage: [THIRD] })),
        [4],
        'an epoch that the lineage has forgotten changes nothing'
      )
      t.same(await contents(log), [1, 2, 3, 4])
    })

    suite('reads the newest origins by output topic', async t => {
      const { log } = await openLog(t, backend, { shards })
      const lineage = [FIRST]
      t.same([...await log.origins('p')], [])
      const topics = Array.from({ length: 20 }, (_, n) => `quotes:S${n}`)
      const results = await log.append(
        topics.flatMap((topic, n) => [item(n, origin(n + 1), topic), item(n, origin(n + 30, 2), topic)]),
        { lineage }
      )
      await log.append([item(1, origin(7, 0, FIRST, 'q'))], { lineage })
      const found = await log.origins('p')
      t.same([...found.keys()].sort(), [...topics].sort())
      for (const [n, topic] of topics.entries()) {
        const result = results[2 * n + 1]!
        if ('error' in result) throw new Error(result.error)
        t.strictSame(found.get(topic), { ...origin(n + 30, 2), sequence: 2, outputOffset: result.offset })
      }
      const byShard = await Promise.all(
        Array.from({ length: shards }, async (_, shard) =>
          [...(await log.origins('p', shard)).keys()].map(topic => [log.shardOf(topic), shard])
        )
      )
      t.same(byShard.flat().length, topics.length)
      for (const [is, asked] of byShard.flat()) t.equal(is, asked)
      t.same([...await log.origins('q')].map(([topic]) => topic), [OUT])
    })

    suite('forgets the origins of lost messages, and no others', async t => {
      const { log, restart } = await openLog(t, backend, { shards, retention: { messages: 3 } })
      const lineage = [FIRST]
      const keep: number[] = []
      for (let n = 1; n <= 6; n++) {
        await log.append([item(n, origin(n)), item(n, origin(n), 'quotes:OTHER')], { lineage })
        if (n === 4) keep.push(...(await log.head()).map(({ offset }) => offset))
      }
      await restart(keep)
      const found = await log.origins('p')
      for (const topic of [OUT, 'quotes:OTHER']) t.match(found.get(topic), origin(4), topic)
      t.same(
        sequencesOf(
          await log.append([item(9, origin(4)), item(5, origin(5)), item(6, origin(6))], { lineage })
        ),
        [4, 5, 6]
      )
      t.same((await contents(log)).slice(-2), [5, 6])
    })

    suite('remembers no origin of a stale fence', async t => {
      const { log } = await openLog(t, backend, { shards })
      const stale = await log.raise('s')
      const fence = await log.raise('s')
      const lineage = [FIRST]
      await t.rejects(log.append([item(9, origin(5))], { fence: stale, lineage }), { name: 'StaleFence' })
      t.same([...await log.origins('p')], [])
      t.same(sequencesOf(await log.append([item(1, origin(5))], { fence, lineage })), [1])
    })

    suite('refuses an append that names the epoch of a shard which has begun another', async t => {
      const { log, restart } = await openLog(t, backend, { shards })
      const lineage = [FIRST]
      const epochs = (await log.head()).map(({ epoch }) => epoch)
      t.same(
        sequencesOf(
          await log.append([item(1, origin(1)), item(1, origin(1), 'quotes:OTHER')], { lineage, epochs })
        ),
        [1, 1]
      )
      const keep = (await log.head()).map(({ offset }) => offset)
      keep[log.shardOf(OUT)]!--
      await restart(keep)
      await t.rejects(log.append([item(9, origin(2))], { lineage, epochs }), { name: 'StaleEpoch' })
      const now = (await log.head()).map(({ epoch }) => epoch)
      const { sequence: before = 0 } = (await log.read(OUT, { sequence: 0 }, 1)).last ?? {}
      t.same(sequencesOf(await log.append([item(2, origin(3))], { lineage, epochs: now })), [before + 1])
    })

    suite('appends each origin once in any sequence of appends, takeovers and losses', async t => {
      const appending = fc.record({
        do: fc.constant('append' as const),
        items: fc.array(
          fc.record({
            topic: fc.constantFrom(OUT, 'quotes:OTHER', 'trades:OUT'),
            offset: fc.integer({ min: 1, max: 9 }),
            part: fc.nat(1),
            key: fc.option(fc.constantFrom('a', 'b'), { nil: undefined, freq: 5 })
          }),
          { minLength: 1, maxLength: 6 }
        )
      })
      const losing = fc.record({
        do: fc.constant('lose' as const),
        losses: fc.array(fc.nat(4), { minLength: 4, maxLength: 4 })
      })
      const epoch = fc.record({ do: fc.constant('epoch' as const) })
      const steps = fc.array(
        fc.oneof(
          { weight: 6, arbitrary: appending },
          { weight: 1, arbitrary: losing },
          { weight: 1, arbitrary: epoch }
        ),
        { maxLength: 15 }
      )
      await fc.assert(fc.asyncProperty(steps, async list => {
        const { log, restart, close } = await openLog(t, backend, { shards })
        let lineage: number[] = [FIRST]
        /** Everything in the log. */
        let model: Array<{
          topic: string
          n: number
          shard: number
          offset: number
          origin: Origin
          key: string | undefined
        }> = []
        let n = 0
        for (const step of list) {
          if (step.do === 'epoch') lineage = [...lineage, FIRST + lineage.length]
          else if (step.do === 'lose') {
            const keep = (await log.head()).map(({ offset }, shard) =>
              Math.max(0, offset - step.losses[shard]!)
            )
            await restart(keep)
            model = model.filter(({ shard, offset }) => offset <= keep[shard]!)
          } else {
            const items = step.items.map(({ topic, offset, part, key }) => ({
              ...item(++n, origin(offset, part, lineage.at(-1)), topic),
              idempotencyKey: key
            }))
            const results = await log.append(items, { lineage })
            for (const [index, result] of results.entries()) {
              if ('error' in result) throw new Error(result.error)
              const { topic, origin: from, idempotencyKey: key, payload } = items[index]!
              const own = model.filter(entry => entry.topic === topic)
              const known = key === undefined ? undefined : own.find(entry => entry.key === key)
              const newest = own.at(-1)
              const place = (one: Origin): number =>
                lineage.indexOf(one.epoch) * 1000 + one.offset * 10 + one.part
              const before =
                known ?? (newest === undefined || place(from!) > place(newest.origin) ? undefined : newest)
              t.equal(result.sequence, before === undefined ? own.length + 1 : own.indexOf(before) + 1)
              if (before === undefined) {
                model.push({
                  topic,
                  n: (JSON.parse(payload) as { n: number }).n,
                  shard: result.shard,
                  offset: result.offset,
                  origin: from!,
                  key
                })
              }
            }
          }
        }
        const kept = await log.origins('p')
        for (const topic of [OUT, 'quotes:OTHER', 'trades:OUT']) {
          const own = model.filter(entry => entry.topic === topic)
          t.same(await contents(log, topic), own.map(entry => entry.n))
          const newest = own.at(-1)
          const expected: KeptOrigin | undefined = newest && {
            ...newest.origin,
            sequence: own.length,
            outputOffset: newest.offset
          }
          t.strictSame(kept.get(topic), expected)
        }
        await close()
      }), { numRuns: backend.exact !== undefined ? 200 : backend.overOthers === true ? 5 : 40 })
    })
  }
}
