import { type Test, test } from 'tap'
import { COMMON_SHARD, type Entry, type TailBatch } from '../../src/log/log.js'
import { backends, eventually, held, openLog, tailAll } from './logs.js'
import { fill, item, offsets, range, TOPICS } from './messages.js'

/** What the followers of a log hear. */

for (const backend of backends) {
  for (const shards of [1, 4]) {
    const suite = (name: string, body: (t: Test) => Promise<void>): void => {
      void test(`${backend.name}, ${shards} shards: ${name}`, body)
    }

    suite('passes everything to a tail, in order, whatever other listeners do', async t => {
      const { log } = await openLog(t, backend, { shards })
      await log.append([item('trades:BEFORE', 1)])
      const start = await offsets(log)
      const heard: TailBatch[] = []
      const brief: TailBatch[] = []
      let failures = 0
      const endThrowing = await tailAll(log, () => {
        if (++failures === 1) throw new Error('thrown by a test: a failing listener must not harm others')
      })
      const endBrief = await tailAll(log, batch => { brief.push(batch); endBrief() })
      await tailAll(log, batch => { heard.push(batch) })
      await fill(log, 4)
      await eventually('the failing listener is called again', () => failures > 1)
      endThrowing()
      await fill(log, 4)
      const total = 8 * TOPICS.length
      await eventually(
        'the tail hears everything',
        () => heard.reduce((sum, { entries }) => sum + entries.length, 0) === total
      )
      const heads = await log.head()
      for (const shard of range(0, shards - 1)) {
        const entries = heard.filter(batch => batch.shard === shard).flatMap(batch => batch.entries)
        t.same(entries.map(({ offset }) => offset), range(start[shard]! + 1, heads[shard]!.offset))
        t.ok(entries.every(entry => entry.shard === shard))
      }
      for (const { shard, epoch } of heard) t.same(epoch, heads[shard]!.epochs.at(-1))
      for (const topic of TOPICS) {
        t.same(
          heard.flatMap(({ entries }) => entries).filter(entry => entry.topic === topic),
          await held(log, topic),
          topic
        )
      }
      t.equal(brief.length, 1, 'it hears nothing after its end')
    })

    suite('begins a tail right after the head that it returns, and limits it to its shard until it ends', async t => {
      const { log, restart } = await openLog(t, backend, { shards })
      await fill(log, 1)
      const appending = { goesOn: true }
      const appends = (async () => {
        for (; appending.goesOn; await new Promise(resolve => { setImmediate(resolve) })) await fill(log, 1)
      })()
      const ended: Array<{ shard: number, from: number, heard: TailBatch[] }> = []
      // Some tails begin while another one follows the shard, and some while none does.
      await Promise.all(range(1, 8).map(async number => {
        const shard = number % shards
        for (let turn = 0; turn < 5; turn++) {
          const heard: TailBatch[] = []
          const { head, end } = await log.tail(shard, batch => { heard.push(batch) })
          await eventually(
            'the tail hears enough',
            () => heard.reduce((sum, { entries }) => sum + entries.length, 0) >= number
          )
          end()
          ended.push({ shard, from: head.offset, heard: [...heard] })
          const length = heard.length
          await fill(log, 1)
          t.equal(heard.length, length, 'it hears nothing after its end')
        }
      }))
      appending.goesOn = false
      await appends
      for (const { shard, from, heard } of ended) {
        const entries = heard.flatMap(batch => batch.entries)
        t.ok(
          heard.every(batch => batch.shard === shard) &&
            entries.every(entry => log.shardOf(entry.topic) === shard),
          'it hears its own shard only'
        )
        t.same(
          entries.map(({ offset }) => offset),
          range(from + 1, from + entries.length),
          'it hears everything after the head, without a hole'
        )
      }

      await restart(await offsets(log))
      const { head } = await log.tail(0, () => {})
      t.same(head, (await log.head())[0], 'the head has the epochs that began since')
      t.same(
        await log.head([shards - 1, 0]),
        [(await log.head())[shards - 1], (await log.head())[0]],
        'some heads, in the order asked for'
      )
      for (const shard of range(0, shards - 1)) {
        t.same(
          [...(await log.topics(shard)).keys()].sort(),
          [...(await log.topics()).keys()].filter(topic => log.shardOf(topic) === shard).sort(),
          'the topics of one shard'
        )
      }
    })

    suite('keeps the topics that every node follows on the common shard', async t => {
      const { log } = await openLog(t, backend, { shards })
      for (const topic of ['system', ...TOPICS.map((_, index) => `instruments:S${index}`)]) {
        t.equal(log.shardOf(topic), COMMON_SHARD, topic)
      }
    })

    suite('keeps the order for every tail when one of them appends', async t => {
      const { log } = await openLog(t, backend, { shards })
      const heard: Entry[] = []
      let more = 5
      await tailAll(log, () => { if (more-- > 0) void log.append(TOPICS.map(topic => item(topic, more))) })
      await tailAll(log, ({ entries }) => { heard.push(...entries) })
      await log.append(TOPICS.map(topic => item(topic, 9)))
      await eventually('both tails hear everything', () => heard.length === 6 * TOPICS.length)
      for (const shard of range(0, shards - 1)) {
        t.same(
          heard.filter(entry => entry.shard === shard).map(({ offset }) => offset),
          range(1, (await offsets(log))[shard]!)
        )
      }
    })
  }
}
