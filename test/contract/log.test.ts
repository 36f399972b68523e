import { setTimeout as delay } from 'node:timers/promises'
import { ProtocolError, standardChannels } from '@tickwire/protocol'
import { type Test, test } from 'tap'
import type { AppendItem, Entry } from '../../src/log/log.js'
import { backends, held, openLog, wasLost } from './logs.js'
import { appended, fill, item, level, offsets, range, sequences, state, TOPICS } from './messages.js'

const items = (topic: string, from: number, to: number): AppendItem[] =>
  Array.from({ length: to - from + 1 }, (_, i) => item(topic, from + i))

for (const backend of backends) {
  for (const shards of [1, 4]) {
    const suite = (name: string, body: (t: Test) => Promise<void>): void => {
      void test(`${backend.name}, ${shards} shards: ${name}`, body)
    }

    suite('begins empty, at offset 0 of one epoch in each shard', async t => {
      const { log } = await openLog(t, backend, { shards })
      t.equal(log.shards, shards)
      const heads = await log.head()
      t.equal(heads.length, shards)
      for (const { epoch, offset, epochs } of heads) {
        t.equal(offset, 0)
        t.same(epochs, [{ epoch, start: 1 }])
      }
      t.same(await log.read('quotes:NONE', { offset: 0 }, 10), {
        epoch: heads[log.shardOf('quotes:NONE')]!.epoch,
        entries: [],
        last: undefined,
        first: undefined
      })
      t.equal(await log.snapshot('quotes:NONE'), undefined)
      t.equal((await log.topics()).size, 0)
      t.same(await log.append([]), [])
    })

    suite('keeps each topic on its shard, and uses every shard', async t => {
      const { log } = await openLog(t, backend, { shards })
      const { log: other } = await openLog(t, backend, { shards })
      const used = new Set(TOPICS.map(topic => log.shardOf(topic)))
      t.equal(used.size, shards)
      for (const topic of TOPICS) {
        t.equal(other.shardOf(topic), log.shardOf(topic), 'another log has it on the same shard')
      }
      for (const { topic, shard } of await fill(log, 1)) t.equal(shard, log.shardOf(topic))
    })

    suite('numbers sequences, offsets and previous offsets without a hole', async t => {
      const { log, clock } = await openLog(t, backend, { shards })
      const results = await fill(log, 9)
      clock.sleep(1)
      results.push(...await fill(log, 3))
      for (const shard of range(0, shards - 1)) {
        t.same(
          results.filter(result => result.shard === shard).map(({ offset }) => offset),
          range(1, (await offsets(log))[shard]!),
          `offsets of shard ${shard}`
        )
      }
      const topics = await log.topics()
      t.same([...topics.keys()].sort(), [...TOPICS].sort())
      for (const topic of TOPICS) {
        const own = results.filter(result => result.topic === topic)
        const page = await log.read(topic, { offset: 0 }, 100)
        t.same(sequences(page.entries), range(1, 12))
        t.same(page.entries.map(({ offset }) => offset), own.map(({ offset }) => offset))
        t.same(
          page.entries.map(({ previous }) => previous),
          [0, ...own.map(({ offset }) => offset)].slice(0, -1)
        )
        t.same(
          page.entries.map(({ payload }) => payload),
          [...range(1, 9), ...range(1, 3)].map(n => `{"n":${n}}`)
        )
        t.ok(
          page.entries.every(
            entry => entry.topic === topic && entry.shard === log.shardOf(topic) && !entry.replaces
          )
        )
        t.ok(page.entries.every(({ timestamp }, i) => i === 0 || timestamp >= page.entries[i - 1]!.timestamp))
        const last = { sequence: 12, offset: own.at(-1)!.offset }
        t.same(
          { last: page.last, first: page.first, known: topics.get(topic) },
          { last, first: 1, known: last }
        )
      }
    })

    suite('reads by sequence and by offset, at every edge and limit', async t => {
      const { log } = await openLog(t, backend, { shards })
      await fill(log, 6)
      const all = await held(log, 'trades:SAP')
      for (const limit of [0, 1, 2, 5, 6, 100]) {
        for (const sequence of [0, 1, 5, 6, 7, Number.MAX_SAFE_INTEGER]) {
          t.same(
            sequences((await log.read('trades:SAP', { sequence }, limit)).entries),
            range(sequence + 1, Math.min(6, sequence + limit)),
            `${limit} after sequence ${sequence}`
          )
        }
        for (const offset of [0, ...all.flatMap(entry => [entry.offset - 1, entry.offset]), 1e9]) {
          const after = all.filter(entry => entry.offset > offset).slice(0, limit)
          t.same(
            (await log.read('trades:SAP', { offset }, limit)).entries,
            after,
            `${limit} after offset ${offset}`
          )
        }
      }
    })

    suite('drops the oldest messages of a topic beyond its count, and none of other topics', async t => {
      const { log } = await openLog(t, backend, { shards, retention: { messages: 20 } })
      await log.append([...items('trades:QUIET', 1, 5), ...items('trades:BUSY', 1, 1)])
      const [{ offset: seen }] = await held(log, 'trades:BUSY') as [Entry]
      for (let from = 2; from <= 500; from += 10) {
        await log.append(items('trades:BUSY', from, Math.min(500, from + 9)))
      }
      const page = await log.read('trades:BUSY', { sequence: 0 }, 1000)
      t.same(sequences(page.entries), range(page.first!, 500), 'the newest are retained, without a hole')
      t.ok(page.entries.length >= 20 && page.first! > 1)
      if (backend.exact !== undefined) t.equal(page.first, 481)
      t.equal(
        wasLost(await log.read('trades:BUSY', { offset: seen }, 1), seen),
        true,
        'a reader from before has lost messages'
      )
      const [first] = page.entries
      t.equal(
        wasLost(await log.read('trades:BUSY', { offset: first!.previous }, 1), first!.previous),
        false,
        'a reader right before the first retained message has lost none'
      )
      t.same(sequences(await held(log, 'trades:QUIET')), range(1, 5))
    })

    suite('takes the last quote as the state of its topic', async t => {
      const { log } = await openLog(t, backend, { shards })
      await log.append([item('quotes:A', 1), item('quotes:A', 2), item('quotes:B', 7)])
      const snapshot = await log.snapshot('quotes:A')
      const [entry] = (await held(log, 'quotes:A')).slice(-1)
      const head = (await log.head())[entry!.shard]!
      t.same(snapshot, {
        topic: 'quotes:A',
        epoch: head.epoch,
        sequence: 2,
        timestamp: entry!.timestamp,
        payload: '{"n":2}',
        asOf: head.offset
      })
    })

    suite('has no snapshot of trades', async t => {
      const { log } = await openLog(t, backend, { shards })
      await log.append([item('trades:A', 1)])
      t.equal(await log.snapshot('trades:A'), undefined)
    })

    suite('folds a book: sets levels, removes those of size zero in any spelling, and replaces it whole', async t => {
      const { log } = await openLog(t, backend, { shards })
      const put = (payload: string, replaces = false) => log.append([{ topic: 'book:X', payload, replaces }])
      await put(level([['10', '1'], ['9', '2'], ['8', '3']], [['11', '1'], ['12', '2']]), true)
      await put(level([['9.50', '4'], ['10.0', '0.00']], [['11', '5']]))
      t.same(await state(log, 'book:X'), {
        symbol: 'X',
        bids: [
          ['9.50', '4'],
          ['9', '2'],
          ['8', '3']
        ],
        asks: [
          ['11', '5'],
          ['12', '2']
        ]
      })
      await put(level([['9.5', '0'], ['8', '-0.0']], [['12.00', '0.0'], ['99', '0']]))
      t.same(await state(log, 'book:X'), { symbol: 'X', bids: [['9', '2']], asks: [['11', '5']] })
      t.equal((await log.snapshot('book:X'))!.sequence, 3)
      await put(level([['1', '1']]), true)
      t.same(await state(log, 'book:X'), { symbol: 'X', bids: [['1', '1']], asks: [] })
      t.same((await held(log, 'book:X')).map(({ replaces }) => replaces), [true, false, false, true])
    })

    suite('retains a state longer than the messages that it was folded from', async t => {
      const { log } = await openLog(t, backend, { shards, retention: { messages: 10 } })
      await log.append([{ topic: 'book:X', payload: level([['1000', '1']]), replaces: true }])
      for (let n = 1; n <= 300; n++) {
        await log.append([{ topic: 'book:X', payload: level([[String(n), '1'], [String(n - 1), '0']]) }])
      }
      t.ok((await held(log, 'book:X'))[0]!.sequence > 2, 'the first messages are gone')
      t.same(await state(log, 'book:X'), { symbol: 'X', bids: [['1000', '1'], ['300', '1']], asks: [] })
      await log.append([{ topic: 'book:X', payload: level([['1000', '0']]) }])
      t.same(await state(log, 'book:X'), { symbol: 'X', bids: [['300', '1']], asks: [] })
    })

    suite('answers a repeated key as before and appends nothing', async t => {
      const { log } = await openLog(t, backend, { shards })
      const keyed = (topic: string, n: number, idempotencyKey: string) => item(topic, n, { idempotencyKey })
      const [first, again, other] = await log.append([
        keyed('trades:A', 1, 'k'),
        keyed('trades:A', 2, 'k'),
        keyed('trades:A', 3, 'other')
      ])
      t.strictSame(first, { sequence: 1, offset: appended(first).offset, shard: log.shardOf('trades:A') })
      t.strictSame(again, { ...first, repeated: true }, 'within a batch')
      t.equal(appended(other).sequence, 2)
      t.equal(appended(other).repeated, undefined)
      t.strictSame(await log.append([keyed('trades:A', 4, 'k')]), [{ ...first, repeated: true }], 'in a later batch')
      t.equal(
        appended((await log.append([keyed('trades:B', 5, 'k')]))[0]).sequence,
        1,
        'each topic has its own keys'
      )
      t.same((await held(log, 'trades:A')).map(({ payload }) => payload), ['{"n":1}', '{"n":3}'])
      await log.append([keyed('orders@a\nb', 1, 'c')])
      t.equal(
        appended((await log.append([keyed('orders@a', 1, 'b\nc')]))[0]).sequence,
        1,
        "whatever the user's name contains"
      )
    })

    suite('finds the message that has a key', async t => {
      const { log } = await openLog(t, backend, { shards, retention: { messages: 5 } })
      const topic = 'trades:A'
      t.equal(await log.find(topic, 'k'), undefined)
      await log.append([item(topic, 1), item(topic, 2, { idempotencyKey: 'k' }), item(topic, 3, { idempotencyKey: 'l' })])
      const [, second, third] = await held(log, topic)
      const place = ({ sequence, offset }: Entry): object => ({ sequence, offset })
      t.strictSame(await log.find(topic, 'k'), { ...place(second!), entry: second })
      t.strictSame(await log.find(topic, 'l'), { ...place(third!), entry: third })
      t.equal(await log.find('trades:B', 'k'), undefined, 'each topic has its own keys')
      t.equal(await log.find(topic, 'm'), undefined)
      await log.append([item(topic, 4, { idempotencyKey: 'k' })])
      t.strictSame(await log.find(topic, 'k'), { ...place(second!), entry: second }, 'a repeat changes nothing')
      for (let n = 5; n <= 500; n += 5) await log.append(items(topic, n, n + 4))
      t.strictSame(
        await log.find(topic, 'k'), { ...place(second!), entry: undefined }, 'the log knows the key longer than the message'
      )
    })

    suite('refuses appends once it is closed', async t => {
      const { log } = await openLog(t, backend, { shards })
      await log.append([item('trades:A', 1)])
      await log.close()
      await t.rejects(log.append([item('trades:A', 2)]), new ProtocolError('log_unavailable'))
      await t.resolves(log.close(), 'closing twice does no harm')
    })

    suite('forgets the keys of a channel when the channel says, and no others', async t => {
      const trades = standardChannels.get('trades')!
      const channels = new Map([...standardChannels, ['short', { ...trades, name: 'short', idempotencySeconds: 1 }]])
      const { log, clock } = await openLog(t, backend, { shards, channels })
      const keyed = [item('short:A', 1, { idempotencyKey: 'k' }), item('trades:A', 1, { idempotencyKey: 'k' })]
      await log.append(keyed)
      for (const deadline = Date.now() + 20_000; await log.find('short:A', 'k') !== undefined; clock.sleep(0.1)) {
        if (Date.now() > deadline) throw new Error('the key is not forgotten')
        await delay(20)
      }
      const [short, long] = await log.append(keyed)
      t.match(short, { sequence: 2, repeated: undefined })
      t.match(long, { sequence: 1, repeated: true })
    })

    if (backend.exact === undefined) continue
    const { overheadBytes } = backend.exact

    suite('drops messages by age, in idle topics too', async t => {
      const { log, clock } = await openLog(t, backend, { shards, retention: { seconds: 60 } })
      await log.append([item('quotes:IDLE', 1), item('trades:IDLE', 1), item('trades:IDLE', 2)])
      const [all, last] = await held(log, 'trades:IDLE') as [Entry, Entry]
      clock.sleep(59)
      t.equal((await held(log, 'trades:IDLE')).length, 2)
      await log.append([item('trades:BUSY', 1)])
      clock.sleep(1)
      const page = await log.read('trades:IDLE', { offset: last.offset }, 10)
      t.same(
        { ...page, epoch: 0 },
        { epoch: 0, entries: [], last: { sequence: 2, offset: last.offset }, first: undefined }
      )
      t.equal(wasLost(page, last.offset), false, 'a reader that had all has lost nothing')
      t.equal(
        wasLost(await log.read('trades:IDLE', { offset: all.offset }, 10), all.offset),
        true,
        'a reader that had less has lost messages'
      )
      t.same(await state(log, 'quotes:IDLE'), { n: 1 }, 'the state is retained')
      t.equal((await held(log, 'trades:BUSY')).length, 1)
      clock.sleep(86_400 * 30)
      const [next] = await log.append([item('trades:IDLE', 3)])
      t.equal(appended(next).sequence, 3, 'the sequence goes on however long the topic was idle')
      const after = await log.read('trades:IDLE', { offset: all.offset }, 10)
      t.same(sequences(after.entries), [3])
      t.equal(wasLost(after, all.offset), true, 'the previous offset shows the loss')
      t.equal(wasLost(after, last.offset), false)
    })

    suite('drops the oldest messages of all topics beyond its bytes', async t => {
      const room = 30
      const { log, clock } = await openLog(t, backend, {
        shards,
        retention: { bytes: room * (overheadBytes + '{"n":10}'.length) }
      })
      const topics = TOPICS.slice(0, 5)
      for (let n = 10; n < 30; n++) {
        for (const topic of topics) {
          await log.append([item(topic, n)])
          clock.sleep(0.001)
        }
      }
      for (const topic of topics) t.same(sequences(await held(log, topic)), range(15, 20), topic)
      await log.append([{ topic: 'trades:BIG', payload: `"${'x'.repeat(room * (overheadBytes + 10))}"` }])
      t.same([...(await log.topics())].length, 6)
      for (const topic of topics) {
        t.same(await held(log, topic), [], 'one message larger than the bound leaves no other')
      }
    })

    suite('lets a key be used again after ten minutes', async t => {
      const { log, clock } = await openLog(t, backend, { shards })
      const once = item('trades:A', 1, { idempotencyKey: 'k' })
      await log.append([once])
      clock.sleep(599.999)
      t.equal(appended((await log.append([once]))[0]).sequence, 1)
      clock.sleep(0.001)
      t.equal(appended((await log.append([once]))[0]).sequence, 2)
      t.equal(appended((await log.append([once]))[0]).sequence, 2, 'the key is remembered anew')
    })

    suite('remembers the keys of a channel for as long as the channel says', async t => {
      const trades = standardChannels.get('trades')!
      const long = { ...trades, name: 'long', idempotencySeconds: 86_400 }
      const channels = new Map([...standardChannels, ['long', long]])
      const { log, clock } = await openLog(t, backend, { shards, channels })
      const keyed = [item('long:A', 1, { idempotencyKey: 'k' }), item('trades:A', 1, { idempotencyKey: 'k' })]
      const repeats = async (): Promise<boolean[]> =>
        (await log.append(keyed)).map(result => appended(result).repeated === true)
      t.same(await repeats(), [false, false])
      clock.sleep(600)
      t.same(await repeats(), [true, false])
      clock.sleep(86_399 - 600)
      t.same(await repeats(), [true, false])
      clock.sleep(1)
      t.same(await log.find('long:A', 'k'), undefined)
      t.same(await repeats(), [false, true])
    })

    suite('never lets its time go back', async t => {
      const { log, clock } = await openLog(t, backend, { shards })
      const start = clock.time
      for (const step of [5, -60, 10]) {
        await log.append([item('trades:A', 1)])
        clock.sleep(step)
      }
      await log.append([item('trades:A', 1)])
      t.same((await held(log, 'trades:A')).map(({ timestamp }) => timestamp - start), [0, 5000, 5000, 5000])
    })
  }
}
