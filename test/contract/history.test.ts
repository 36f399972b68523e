import { standardChannels } from '@tickwire/protocol'
import { test, type Test } from 'tap'
import { formatPlace, parsePlace } from '../../src/history/history-place.js'
import { type HistoryItem, type HistoryRange, HistoryReader } from '../../src/history/history-reader.js'
import { Recorder } from '../../src/history/recorder.js'
import type { RecorderEvent } from '../../src/history/shard-writer.js'
import { type Log, type Retention } from '../../src/log/log.js'
import { MemoryLog } from '../../src/log/memory/memory-log.js'
import { Recording } from '../../src/store/recording.js'
import type { Database } from '../../src/store/database.js'
import { eventually } from '../helpers/eventually.js'
import { silentLogger } from '../helpers/silent-logger.js'
import { Choices } from '../helpers/random.js'
import { AMPLE, backends, ManualClock, openLog } from './logs.js'
import { makePlace, storeBackends } from './stores.js'

const TOPICS = ['trades:A', 'trades:B', 'quotes:A'] as const
const RECORDED = new Set(['trades', 'quotes'])
const SEEDS = 6
const STEPS = 40

/** A store that fails: before a batch is written, or after, where the recorder cannot know whether it is. */
class Frail extends Recording {
  fails: () => 'before' | 'after' | undefined = () => undefined

  override async append (...given: Parameters<Recording['append']>): ReturnType<Recording['append']> {
    const how = this.fails()
    if (how === 'before') throw new Error('the store is away')
    const position = await super.append(...given)
    if (how === 'after') throw new Error('the answer got lost')
    return position
  }
}

interface Started {
  readonly counts: Map<string, number>
  stop (): Promise<void>
}

function record (log: Log, recording: Recording, channels = RECORDED): Started {
  const ending = new AbortController()
  const counts = new Map<string, number>()
  const count = (channel: string, event: RecorderEvent, times: number): void => {
    counts.set(`${channel} ${event}`, (counts.get(`${channel} ${event}`) ?? 0) + times)
  }
  const retry = { leastMs: 1, mostMs: 5 }
  const options = { log, recording, channels, count, logger: silentLogger, lingerMs: 1, retry }
  const running = new Recorder(options).run(ending.signal)
  running.catch(() => {})
  return {
    counts,
    async stop () {
      ending.abort()
      // A store that is away as the recorder ends leaves the rest to the next one.
      await running.catch((error: unknown) => {
        if (!/store is away|answer got lost|abort/i.test(String(error))) throw error
      })
    }
  }
}

/** Whether the recorder is done with all that the log has. */
async function isRecorded (log: Log, recording: Recording): Promise<boolean> {
  for (const [shard, { epoch }] of (await log.head()).entries()) {
    const last = Math.max(0, ...[...await log.topics(shard)]
      .flatMap(([topic, { offset }]) => RECORDED.has(topic.split(':')[0]!) ? [offset] : []))
    const position = await recording.position(shard)
    if (last === 0) continue
    if (position?.epoch !== epoch || position.catching_up !== 0 || position.log_offset < last) return false
  }
  return true
}

async function itemsOf (
  log: Log, recording: Recording | undefined, topic: string, range: HistoryRange = {}
): Promise<HistoryItem[]> {
  const items: HistoryItem[] = []
  for await (const page of new HistoryReader(log, () => recording).read(topic, range)) items.push(...page)
  return items
}

/** The numbers of the messages, and the reasons of resets. */
const shown = (items: readonly HistoryItem[]): Array<number | string> =>
  items.map(item => 'reset' in item ? item.reset : Number(/"n":(\d+)/.exec(item.row.data)![1]))

/** Appends messages that count up, and knows which of them the log still has, or had until retention. */
class Writer {
  private number = 0
  readonly kept = new Map<string, Array<{ number: number, offset: number }>>(TOPICS.map(topic => [topic, []]))

  constructor (public log: Log, private readonly clock: ManualClock, private readonly choices: Choices) {}

  async append (count: number): Promise<void> {
    const items = Array.from({ length: count }, () => {
      const topic = this.choices.pick(TOPICS)
      return { topic, payload: JSON.stringify({ n: ++this.number, symbol: topic.at(-1) }) }
    })
    const first = this.number - count + 1
    for (const [index, result] of (await this.log.append(items)).entries()) {
      if ('error' in result) throw new Error(result.error)
      this.kept.get(items[index]!.topic)!.push({ number: first + index, offset: result.offset })
    }
    this.clock.time += this.choices.integer(0, 3) * 1000
  }

  /** The log loses what is beyond these offsets. */
  lose (keep: readonly number[]): void {
    for (const [topic, messages] of this.kept) {
      const bound = keep[this.log.shardOf(topic)]!
      this.kept.set(topic, messages.filter(({ offset }) => offset <= bound))
    }
  }

  numbers (topic: string): number[] {
    return this.kept.get(topic)!.map(({ number }) => number)
  }
}

const memoryLog = (clock: ManualClock, retention: Partial<Retention> = {}): MemoryLog => new MemoryLog({
  channels: standardChannels, shards: 2, retention: { ...AMPLE, ...retention }, maxTopics: 100, clock
})

/** Tells what is wrong with a history: something twice, out of order, or missing without a reset. */
function faultOf (history: ReadonlyArray<number | string>, kept: readonly number[]): string | undefined {
  const numbers = history.filter(item => typeof item === 'number')
  for (const [index, number] of numbers.entries()) {
    if (index > 0 && number <= numbers[index - 1]!) return `${number} after ${numbers[index - 1]}`
  }
  for (const [index, item] of history.entries()) {
    const next = history[index + 1]
    if (typeof item !== 'number' || typeof next !== 'number') continue
    const missing = kept.filter(number => number > item && number < next)
    if (missing.length > 0) return `${missing.join()} missing between ${item} and ${next} without a reset`
  }
  return undefined
}

for (const backend of storeBackends) {
  test(`history on ${backend.name}`, async t => {
    const openRecording = async (t: Test): Promise<{ recording: Frail, database: Database }> => {
      const place = await makePlace(t, backend)
      const database = await place.open()
      t.teardown(() => database.close())
      return { recording: new Frail(database), database }
    }

    t.test('records everything once, across restarts, lost tails, failures and a log that begins anew', async t => {
      for (let seed = 1; seed <= SEEDS; seed++) {
        const choices = new Choices(seed)
        const clock = new ManualClock()
        const { recording } = await openRecording(t)
        let log = memoryLog(clock)
        const writer = new Writer(log, clock, choices)
        let failing = 0
        // Choices of its own: it is asked whenever the recorder gets to it.
        const chance = new Choices(seed)
        recording.fails = () => chance.next() < failing ? chance.pick(['before', 'after']) : undefined
        let started: Started | undefined
        /** Messages of logs that are gone; what the recorder had not written then is lost. */
        const before = new Map<string, number[]>(TOPICS.map(topic => [topic, []]))
        for (let step = 0; step < STEPS; step++) {
          const what = choices.integer(0, 11)
          if (what < 6) await writer.append(choices.integer(1, 30))
          else if (what === 6) started ??= record(log, recording)
          else if (what === 7) {
            await started?.stop()
            started = undefined
          } else if (what === 8) failing = choices.pick([0, 0.3])
          else if (what === 9) {
            const keep = (await log.head()).map(({ offset }) => Math.max(0, offset - choices.integer(0, 20)))
            writer.lose(keep)
            log.restart(keep)
          } else if (what === 10) {
            const topic = choices.pick(TOPICS)
            const history = shown(await itemsOf(log, recording, topic))
            t.equal(faultOf(history, writer.numbers(topic)), undefined, `seed ${seed}, step ${step}`)
          } else if (seed % 2 === 0) {
            failing = 0
            started ??= record(log, recording)
            await eventually('all is recorded', () => isRecorded(log, recording))
            await started.stop()
            started = undefined
            for (const topic of TOPICS) before.get(topic)!.push(...writer.numbers(topic))
            await log.close()
            log = writer.log = memoryLog(clock)
            writer.lose([0, 0])
          }
        }
        failing = 0
        started ??= record(log, recording)
        await eventually('all is recorded', () => isRecorded(log, recording))
        await started.stop()
        const empty = memoryLog(clock)
        for (const topic of TOPICS) {
          const kept = [...before.get(topic)!, ...writer.numbers(topic)]
          const items = await itemsOf(log, recording, topic)
          const history = shown(items)
          const numbers = new Set(history)
          t.equal(faultOf(history, kept), undefined, `seed ${seed}`)
          t.strictSame(kept.filter(number => !numbers.has(number)), [], `seed ${seed}: all that was kept is there`)
          t.strictSame(shown(await itemsOf(empty, recording, topic)), history, `seed ${seed}: all of it is recorded`)
          const places = items.flatMap(item => 'place' in item ? [item.place] : [])
          const at = choices.integer(0, Math.max(0, places.length - 1))
          const after = places[at] === undefined ? undefined : parsePlace(formatPlace(places[at]))
          const rest = await itemsOf(log, recording, topic, { after })
          const here = after === undefined ? 0 : items.findIndex(item => 'place' in item && formatPlace(item.place) === formatPlace(after)) + 1
          t.strictSame(shown(rest), history.slice(here), `seed ${seed}: goes on behind a place`)
        }
        await log.close()
        await empty.close()
      }
    })

    t.test('joins what is recorded and what is retained, wherever the two meet', async t => {
      const choices = new Choices(7)
      const clock = new ManualClock()
      const { recording } = await openRecording(t)
      const log = memoryLog(clock, { messages: 20 })
      t.teardown(() => log.close())
      const writer = new Writer(log, clock, choices)
      let started: Started | undefined
      for (let round = 0; round < 40; round++) {
        // Few enough that the recorder, which is asked for them now and then, misses none.
        await writer.append(choices.integer(1, 6))
        if (round % 3 === 0) started ??= record(log, recording)
        if (round % 3 === 1) {
          await eventually('all is recorded', () => isRecorded(log, recording))
          await started?.stop()
          started = undefined
        }
        for (const topic of TOPICS) {
          const numbers = writer.numbers(topic)
          t.strictSame(shown(await itemsOf(log, recording, topic)), numbers, `round ${round}`)
          const items = await itemsOf(log, recording, topic)
          const times = items.flatMap(item => 'row' in item ? [item.row.timestamp] : [])
          const [a, b] = [1, 2].map(() => choices.integer(0, numbers.length)).sort((x, y) => x - y)
          const [from, to] = [times[a!] ?? clock.time + 1, times[b!] ?? clock.time + 1]
          const within = numbers.filter((_, index) => times[index]! >= from && times[index]! < to)
          t.strictSame(shown(await itemsOf(log, recording, topic, { from, to })), within, `round ${round}, ${from} to ${to}`)
        }
      }
      await started?.stop()
    })

    t.test('says what the log had dropped before it could be recorded', async t => {
      const clock = new ManualClock()
      const { recording } = await openRecording(t)
      const log = memoryLog(clock, { messages: 10 })
      t.teardown(() => log.close())
      const append = async (...numbers: number[]): Promise<void> => {
        await log.append(numbers.map(n => ({ topic: 'trades:A', payload: JSON.stringify({ n }) })))
      }
      await append(1, 2)
      let started = record(log, recording)
      await eventually('both are recorded', () => isRecorded(log, recording))
      await started.stop()
      await append(...Array.from({ length: 15 }, (_, index) => index + 3))
      t.strictSame(shown(await itemsOf(log, recording, 'trades:A')), [1, 2, 'history_lost', 8, 9, 10, 11, 12, 13, 14, 15, 16, 17])
      started = record(log, recording)
      await eventually('the rest is recorded', () => isRecorded(log, recording))
      await started.stop()
      t.equal(started.counts.get('trades missed'), 5)
      t.equal(started.counts.get('trades recorded'), 10)
      t.strictSame(shown(await itemsOf(log, recording, 'trades:A')), [1, 2, 'history_lost', 8, 9, 10, 11, 12, 13, 14, 15, 16, 17])
    })

    t.test('leaves out a message that no database takes, and goes on', async t => {
      const { recording } = await openRecording(t)
      const log = memoryLog(new ManualClock())
      t.teardown(() => log.close())
      await log.append([1, 2, 3].map(n => ({ topic: 'trades:A', payload: JSON.stringify({ n, ...(n === 2 ? { big: 'x'.repeat(1 << 20) } : {}) }) })))
      const started = record(log, recording)
      await eventually('the others are recorded', () => isRecorded(log, recording))
      await started.stop()
      t.equal(started.counts.get('trades refused'), 1)
      const empty = memoryLog(new ManualClock())
      t.strictSame(shown(await itemsOf(empty, recording, 'trades:A')), [1, 'history_lost', 3])
      await empty.close()
    })

    t.test('of two recorders only one goes on with a batch', async t => {
      const { recording } = await openRecording(t)
      const log = memoryLog(new ManualClock())
      t.teardown(() => log.close())
      const writer = new Writer(log, new ManualClock(), new Choices(3))
      const both = [record(log, recording), record(log, recording)]
      for (let round = 0; round < 30; round++) {
        await writer.append(10)
        await new Promise(resolve => { setTimeout(resolve, 2) })
      }
      await eventually('all is recorded', () => isRecorded(log, recording))
      for (const started of both) await started.stop()
      for (const topic of TOPICS) {
        t.strictSame(shown(await itemsOf(log, recording, topic)), writer.numbers(topic))
      }
    })

    t.test('gives the latest version of each bar by its start', async t => {
      const { recording } = await openRecording(t)
      const log = memoryLog(new ManualClock())
      t.teardown(() => log.close())
      const bar = (minute: number, revision: number): object => (
        { symbol: 'A', start: `2026-01-01T00:0${minute}:00Z`, revision })
      await log.append([bar(0, 0), bar(1, 0), bar(0, 1), bar(2, 0), bar(1, 1), bar(1, 2)]
        .map(data => ({ topic: 'bars.1m:A', payload: JSON.stringify(data) })))
      const started = record(log, recording, new Set(['bars.1m']))
      await eventually('all is recorded', async () => (await recording.position(log.shardOf('bars.1m:A')))?.log_offset === 6)
      await started.stop()
      const at = (minute: number): number => Date.UTC(2026, 0, 1, 0, minute)
      const topic = { channel: 'bars.1m', symbol: 'A' }
      const reader = new HistoryReader(log, () => recording)
      const of = async (from: number, to: number, limit: number): Promise<unknown[]> =>
        (await reader.recordedBars(topic, at(from), at(to), limit)).map(({ data }) => JSON.parse(data))
      t.strictSame(await of(0, 9, 10), [bar(0, 1), bar(1, 2), bar(2, 0)])
      t.strictSame(await of(0, 2, 10), [bar(0, 1), bar(1, 2)])
      t.strictSame(await of(0, 2, 1), [bar(1, 2)])
    })

    t.test('deletes what is old', async t => {
      const { recording } = await openRecording(t)
      const clock = new ManualClock()
      const log = memoryLog(clock)
      t.teardown(() => log.close())
      for (let n = 1; n <= 5; n++) {
        await log.append([{ topic: 'trades:A', payload: JSON.stringify({ n }) }])
        clock.sleep(60)
      }
      const started = record(log, recording)
      await eventually('all is recorded', () => isRecorded(log, recording))
      await started.stop()
      t.equal(await recording.forget(clock.time - 150_000), 3)
      const empty = memoryLog(clock)
      t.strictSame(shown(await itemsOf(empty, recording, 'trades:A')), [4, 5])
      await empty.close()
    })

    t.test('deletes a large backlog in steps, and ends between two of them', async t => {
      const { recording, database } = await openRecording(t)
      const clock = new ManualClock()
      const log = memoryLog(clock)
      t.teardown(() => log.close())
      const append = async (count: number): Promise<void> => {
        await log.append(Array.from({ length: count }, (_, n) => ({ topic: 'trades:A', payload: JSON.stringify({ n }) })))
      }
      await append(25)
      clock.sleep(60)
      await append(5)
      const started = record(log, recording)
      await eventually('all is recorded', () => isRecorded(log, recording))
      await started.stop()
      const left = async (): Promise<number> => (await recording.read({ channel: 'trades', symbol: 'A' }, { to: clock.time + 1 }, 100)).length
      const before = clock.time - 30_000
      const ending = new AbortController()
      let deletions = 0
      const counting = new Recording({
        ...database,
        get writer () {
          return database.writer.withPlugin({
            transformQuery: ({ node }) => node,
            transformResult: async ({ result }) => {
              if (++deletions === 2) ending.abort()
              return result
            }
          })
        }
      })
      t.equal(await counting.forget(before, ending.signal, 10), 20)
      t.equal(await left(), 10, 'two steps of ten are done')
      t.equal(await counting.forget(before, undefined, 2), 5)
      t.equal(deletions, 2 + 4, 'three steps delete rows, and one finds none')
      t.equal(await left(), 5)
    })
  })
}

for (const backend of backends) {
  test(`history of a log that is not recorded: ${backend.name}`, async t => {
    const { log } = await openLog(t, backend)
    await log.append(Array.from({ length: 600 }, (_, n) => ({ topic: 'trades:A', payload: JSON.stringify({ n }) })))
    const items = await itemsOf(log, undefined, 'trades:A')
    t.strictSame(shown(items), Array.from({ length: 600 }, (_, n) => n))
    const middle = items[299]!
    if (!('place' in middle)) throw new Error('no message')
    t.strictSame(shown(await itemsOf(log, undefined, 'trades:A', { after: middle.place })), shown(items).slice(300))
    t.strictSame(shown(await itemsOf(log, undefined, 'trades:A', { from: middle.row.timestamp + 3_600_000 })), [])
    const strange = { ...middle.place, epoch: 12345 }
    t.equal(shown(await itemsOf(log, undefined, 'trades:A', { after: strange }))[0], 'epoch_changed')
    t.strictSame(await itemsOf(log, undefined, 'trades:NONE'), [])
  })
}
