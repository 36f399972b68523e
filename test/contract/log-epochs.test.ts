import { type Test, test } from 'tap'
import type { TailBatch } from '../../src/log/log.js'
import { backends, eventually, held, openLog, tailAll } from './logs.js'
import { appended, fill, item, level, offsets, range, sequences, state, TOPICS } from './messages.js'

/** What a log does when it restarts, and when it loses its last messages. */

for (const backend of backends) {
  for (const shards of [1, 4]) {
    const suite = (name: string, body: (t: Test) => Promise<void>): void => {
      void test(`${backend.name}, ${shards} shards: ${name}`, body)
    }

    suite('begins an epoch and keeps all messages after a restart that loses nothing', async t => {
      const { log, restart } = await openLog(t, backend, { shards })
      await fill(log, 3)
      const heads = await log.head()
      const before = new Map(
        await Promise.all(TOPICS.map(async topic => [topic, await held(log, topic)] as const))
      )
      const news: TailBatch[] = []
      await tailAll(log, batch => { news.push(batch) })
      await restart(await offsets(log))
      await eventually('every shard announces its epoch', () => news.length === shards)
      const after = await log.head()
      for (const [shard, { epoch, offset, epochs }] of heads.entries()) {
        t.not(after[shard]!.epoch, epoch)
        t.same(after[shard], {
          epoch: after[shard]!.epoch,
          offset,
          epochs: [...epochs, { epoch: after[shard]!.epoch, start: offset + 1 }]
        })
        t.same(
          news.filter(batch => batch.shard === shard),
          [{ shard, epoch: after[shard]!.epochs.at(-1), entries: [] }]
        )
      }
      for (const topic of TOPICS) t.same(await held(log, topic), before.get(topic))
      const [next] = await log.append([item('trades:SAP', 4)])
      t.equal(appended(next).sequence, 4)
    })

    suite('gives lost offsets and sequences out again after a restart', async t => {
      const { log, restart } = await openLog(t, backend, { shards })
      await log.append([
        { topic: 'book:X', payload: level([['5', '1']]), replaces: true },
        item('quotes:X', 1),
        item('trades:X', 1, { idempotencyKey: 'kept' })
      ])
      const keep = await offsets(log)
      await state(log, 'book:X')
      const lost = await log.append([
        {
          topic: 'book:X',
          payload: level([
            ['6', '1'],
            ['5', '0']
          ])
        },
        item('quotes:X', 2),
        item('trades:X', 2, { idempotencyKey: 'lost' }),
        item('trades:NEW', 1)
      ])
      t.same(
        await state(log, 'book:X'),
        { symbol: 'X', bids: [['6', '1']], asks: [] },
        'the lost message was folded, so any cache has it'
      )
      await restart(keep)
      t.same(await offsets(log), keep)
      t.same((await log.head()).map(({ epochs }) => epochs.at(-1)!.start), keep.map(offset => offset + 1))
      t.same(await state(log, 'book:X'), { symbol: 'X', bids: [['5', '1']], asks: [] })
      t.same(await state(log, 'quotes:X'), { n: 1 })
      t.same([...(await log.topics())].map(([topic, { sequence }]) => `${topic} ${sequence}`).sort(), [
        'book:X 1',
        'quotes:X 1',
        'trades:X 1'
      ])
      t.equal((await log.read('trades:NEW', { offset: 0 }, 1)).last, undefined)
      const [kept, again] = await log.append([
        item('trades:X', 3, { idempotencyKey: 'kept' }),
        item('trades:X', 4, { idempotencyKey: 'lost' })
      ])
      t.equal(appended(kept).sequence, 1, 'the kept key is remembered')
      t.same(
        { sequence: appended(again).sequence, offset: appended(again).offset },
        { sequence: 2, offset: keep[appended(again).shard]! + 1 }
      )
      t.same((await held(log, 'trades:X')).map(({ payload }) => payload), ['{"n":1}', '{"n":4}'])
      t.equal(appended(lost[2]).sequence, 2, 'the sequence of the lost message is given again')
    })

    suite('lists an epoch of which a second restart lost all messages', async t => {
      const { log, restart } = await openLog(t, backend, { shards })
      await fill(log, 2)
      const keep = await offsets(log)
      await restart(keep)
      await fill(log, 1)
      await restart(keep)
      for (const [shard, { epoch, offset, epochs }] of (await log.head()).entries()) {
        t.equal(offset, keep[shard])
        t.same(epochs.map(({ start }) => start), [1, offset + 1, offset + 1])
        t.equal(new Set(epochs.map(known => known.epoch)).size, 3)
        t.equal(epochs.at(-1)!.epoch, epoch)
      }
      await fill(log, 1)
      for (const topic of TOPICS) t.same(sequences(await held(log, topic)), range(1, 3))
    })

    suite('lists the last 32 epochs', async t => {
      const { log, restart } = await openLog(t, backend, { shards })
      for (let i = 0; i < 40; i++) await restart(await offsets(log))
      for (const { epochs, epoch } of await log.head()) {
        t.equal(epochs.length, 32)
        t.equal(epochs.at(-1)!.epoch, epoch)
      }
    })
  }
}
