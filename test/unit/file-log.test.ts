import { cpSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Type } from '@sinclair/typebox'
import { type Channels, defineChannel, standardChannels } from '@tickwire/protocol'
import fc from 'fast-check'
import { type Test, test } from 'tap'
import { FileLog } from '../../src/log/file/file-log.js'
import { type Entry, isGood, type AppendItem, type ShardHead } from '../../src/log/log.js'
import { MemoryLog } from '../../src/log/memory/memory-log.js'
import { AMPLE, held, ManualClock, tailAll } from '../contract/logs.js'
import { copyLog, frameEnds, quickDisk, segmentsOf } from '../helpers/log-files.js'
import { Choices } from '../helpers/random.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'
import { TracedDisk } from '../helpers/traced-disk.js'

/** What a log in files has after its process, the power, the disk or a file failed. */

const accounts = defineChannel({
  name: 'accounts',
  type: 'account',
  description: 'What a server must not forget.',
  keyed: true,
  access: 'internal',
  schema: Type.Object({ n: Type.Number() }),
  reduce: 'last',
  compacted: true
})
const channels: Channels = new Map([...standardChannels, ['accounts', accounts]])
const BUSY = ['quotes:A', 'quotes:B', 'trades:A', 'book:A', 'accounts:A', 'orders@u']
/** Written now and then, so that little of an old segment is retained. */
const QUIET = ['trades:QUIET', 'accounts:QUIET', 'book:QUIET']
const TOPICS = [...BUSY, ...QUIET]
/** Segments of these logs hold some tens of messages. */
const SEGMENT_BYTES = 3000
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 60)
const CUTS = 12
/** How many logs are made in search of one with several segments. */
const MOST_LIVES = 20
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() & 0x7FFFFFFF)

const open = async (path: string, more: Partial<Parameters<typeof FileLog.open>[0]> = {}): Promise<FileLog> =>
  await FileLog.open({
    path,
    channels,
    shards: 2,
    retention: { ...AMPLE, messages: 6 },
    maxTopics: 100,
    clock: new ManualClock(),
    disk: quickDisk,
    fsync: 'never',
    segmentBytes: SEGMENT_BYTES,
    onError: () => {},
    ...more
  })

/** What an append was answered with, and where the trace stood then. */
interface Told {
  readonly entry: Entry
  readonly key: string | undefined
  readonly operations: number
}

interface History {
  readonly disk: TracedDisk
  readonly told: readonly Told[]
  /** All messages, by shard and offset. */
  readonly entries: ReadonlyMap<string, Entry>
  readonly heads: readonly ShardHead[]
  /** What was retained of each topic in the end. */
  readonly retained: ReadonlyMap<string, readonly Entry[]>
}

let payloads = 0
function itemOf (choices: Choices): AppendItem {
  const topic = choices.pick(choices.chance(0.04) ? QUIET : BUSY)
  const n = ++payloads
  if (topic.startsWith('book')) {
    const price = String(choices.integer(1, 5))
    const bids = [[price, String(choices.integer(0, 3))]]
    return { topic, payload: JSON.stringify({ symbol: 'X', bids, asks: [] }), replaces: choices.chance(0.1) }
  }
  return {
    topic,
    payload: JSON.stringify({ n, pad: 'ß'.repeat(choices.integer(0, 40)) }),
    ...choices.chance(0.3) ? { idempotencyKey: `k${n}` } : {}
  }
}

/** Runs a log on a disk that notes everything. Several publishers append at once. */
async function live (t: Test, choices: Choices, fsync: 'always' | 'never'): Promise<History> {
  const disk = new TracedDisk()
  const log = await open(temporaryFolder(t), { disk, fsync })
  const entries = new Map<string, Entry>()
  const told: Told[] = []
  await tailAll(log, batch => {
    for (const entry of batch.entries) entries.set(`${entry.shard} ${entry.offset}`, entry)
  })
  const publisher = async (): Promise<void> => {
    for (let i = 0; i < 30; i++) {
      const items = Array.from({ length: choices.integer(1, 5) }, () => itemOf(choices))
      for (const [index, result] of (await log.append(items)).entries()) {
        if ('error' in result) throw new Error(result.error)
        const entry = entries.get(`${result.shard} ${result.offset}`)!
        told.push({ entry, key: items[index]!.idempotencyKey, operations: disk.trace.length })
      }
    }
  }
  await Promise.all([publisher(), publisher(), publisher()])
  // After the first of these a segment may begin; with the second its checkpoint is whole.
  for (const source of ['one', 'two']) await log.raise(source)
  const heads = await log.head()
  const retained = new Map(
    await Promise.all(TOPICS.map(async topic => [topic, await held(log, topic)] as const))
  )
  await log.close()
  return { disk, told, entries, heads, retained }
}

/** Compares a log that was opened again with what the one before had appended. */
async function faultOf (
  log: FileLog, { entries, heads, retained }: History, told: readonly Told[]
): Promise<string | undefined> {
  const now = await log.head()
  const kept = (entry: Entry): boolean => entry.offset <= now[entry.shard]!.offset
  const lost = told.find(({ entry }) => !kept(entry))
  if (lost !== undefined) return `acknowledged and lost: ${JSON.stringify(lost.entry)}`
  for (const [shard, { epoch, offset, epochs }] of now.entries()) {
    if (offset > heads[shard]!.offset) return `shard ${shard} stands at ${offset}`
    const before = heads[shard]!.epoch
    if (!isGood({ epoch: before, offset }, now[shard]!)) return `shard ${shard} takes ${offset} for lost`
    if (epoch === before && offset < heads[shard]!.offset) return `shard ${shard} does not tell of its loss`
    if (epoch !== before && isGood({ epoch: before, offset: offset + 1 }, now[shard]!)) {
      return `shard ${shard} takes ${offset + 1} for kept: ${JSON.stringify(epochs)}`
    }
  }
  const clock = new ManualClock()
  const model = new MemoryLog({ channels, shards: 2, retention: AMPLE, maxTopics: 100, clock })
  const left = [...entries.values()].filter(kept).sort((a, b) => a.offset - b.offset)
  await model.append(left.map(({ topic, payload, replaces }) => ({ topic, payload, replaces })))
  const [last, expected] = [await log.topics(), await model.topics()]
  await model.close()
  for (const topic of TOPICS) {
    const { sequence } = last.get(topic) ?? {}
    if (sequence !== expected.get(topic)?.sequence) return `${topic} stands at ${sequence}`
    const own = await held(log, topic)
    for (const [index, entry] of own.entries()) {
      const original = entries.get(`${entry.shard} ${entry.offset}`)
      if (JSON.stringify(entry) !== JSON.stringify(original)) return `altered: ${JSON.stringify(entry)}`
      if (entry.sequence !== sequence! - own.length + 1 + index) return `${topic} has a hole before ${entry.sequence}`
    }
    const offsets = new Set(own.map(({ offset }) => offset))
    const missing = retained.get(topic)!.find(entry => kept(entry) && !offsets.has(entry.offset))
    if (missing !== undefined) return `not retained: ${JSON.stringify(missing)}`
    const [state, wanted] = [await log.snapshot(topic), await model.snapshot(topic)]
    if (state?.payload !== wanted?.payload || state?.sequence !== wanted?.sequence) {
      return `${topic} is ${JSON.stringify(state)}, not ${JSON.stringify(wanted)}`
    }
  }
  for (const { entry: { topic, payload, sequence, offset }, key } of told) {
    if (key === undefined) continue
    const [result] = await log.append([{ topic, payload, idempotencyKey: key }])
    if (result === undefined || 'error' in result || result.repeated !== true || result.sequence !== sequence) {
      return `the key of ${topic} ${sequence} (offset ${offset}) is forgotten: ${JSON.stringify(result)}`
    }
  }
  return undefined
}

for (const fsync of ['always', 'never'] as const) {
  const what = fsync === 'always' ? 'a power cut, if each write is synced' : 'a kill, whatever is synced'
  test(`has everything acknowledged after ${what}, and tells exactly what is missing`, async t => {
    t.comment(`FUZZ_SEED=${SEED} FUZZ_RUNS=${RUNS}`)
    await fc.assert(fc.asyncProperty(fc.nat(), async seed => {
      const choices = new Choices(seed)
      const history = await live(t, choices, fsync)
      const folder = temporaryFolder(t)
      for (let cut = 0; cut < CUTS; cut++) {
        const operations = choices.integer(0, history.disk.trace.length)
        const told = history.told.filter(each => each.operations <= operations)
        const path = join(folder, String(cut))
        mkdirSync(path)
        history.disk.writeTo(path, operations, fsync === 'always' ? choices : undefined)
        const isFirst = segmentsOf(path).length === 0
        const log = await open(path)
        // A log that nobody was told of begins anew, so there is nothing to compare.
        const fault = isFirst && told.length === 0 ? undefined : await faultOf(log, history, told)
        await log.append(TOPICS.map(topic => ({ topic, payload: topic.startsWith('book') ? '{"symbol":"X","bids":[],"asks":[]}' : '{}', replaces: true })))
        const heads = JSON.stringify(await log.head())
        await log.close()
        if (fault !== undefined) throw new Error(`after ${operations} operations: ${fault}`)
        const again = await open(path)
        if (JSON.stringify(await again.head()) !== heads) throw new Error('closed in order, and yet not the same')
        await again.close()
      }
    }), { numRuns: Math.ceil(RUNS / CUTS), seed: SEED })
    t.pass(`FUZZ_SEED=${SEED}`)
  })
}

test('loses nothing but older messages where a file in the middle is damaged, and keeps that file aside', async t => {
  const choices = new Choices(SEED)
  t.comment(`FUZZ_SEED=${SEED}`)
  let history = await live(t, choices, 'never')
  const writeDown = (): string => {
    const folder = temporaryFolder(t)
    history.disk.writeTo(folder, history.disk.trace.length, undefined)
    return folder
  }
  let original = writeDown()
  // How much goes into one write, and so into one segment, depends on the machine.
  for (let more = 0; more < MOST_LIVES && segmentsOf(original).length <= 2; more++) {
    history = await live(t, choices, 'never')
    original = writeDown()
  }
  const all = segmentsOf(original)
  t.ok(all.length > 2, `${all.length} segments`)
  const states = new Map<string, string | undefined>()
  const whole = await open(join(temporaryFolder(t), 'whole'))
  await whole.close()
  const path = join(temporaryFolder(t), 'damaged')
  for (const [index, segment] of all.slice(0, -1).entries()) {
    const folder = `${path}-${index}`
    cpSync(original, folder, { recursive: true })
    const file = segmentsOf(folder)[index]!
    const bytes = readFileSync(file)
    const at = choices.integer(0, bytes.length - 1)
    bytes[at]! ^= 1 << choices.integer(0, 7)
    writeFileSync(file, bytes)
    const log = await open(folder)
    const heads = await log.head()
    t.same(heads, history.heads, `${segment} at ${at}: every position is as before`)
    for (const topic of TOPICS) {
      const state = (await log.snapshot(topic))?.payload
      if (!states.has(topic)) states.set(topic, state)
      t.equal(state, states.get(topic), `the state of ${topic}`)
      const own = await held(log, topic)
      const { last } = await log.read(topic, { sequence: 0 }, 1)
      t.equal(own.at(-1)?.sequence ?? last?.sequence, last?.sequence)
      for (const [place, entry] of own.entries()) {
        if (place > 0) t.equal(entry.previous, own[place - 1]!.offset, 'no hole')
      }
    }
    t.ok(log.found.aside.length > 0, 'what is damaged is kept aside')
    for (const name of log.found.aside) t.ok(readdirSync(folder).includes(name))
    await log.close()
    const again = await open(folder)
    t.same(await again.head(), heads)
    t.same(again.found.aside, [])
    await again.close()
  }
})

test('ends the log before a bad record of its last file, and begins an epoch there', async t => {
  const path = join(temporaryFolder(t), 'log')
  const log = await open(path, { segmentBytes: 1 << 20 })
  for (let n = 1; n <= 20; n++) await log.append([{ topic: 'trades:A', payload: `{"n":${n}}` }])
  const before = await log.head()
  await log.close()
  const [file] = segmentsOf(path)
  const ends = frameEnds(readFileSync(file!))
  const damaged = `${path}-damaged`
  copyLog(path, damaged)
  const bytes = readFileSync(file!)
  bytes[ends[10]! + 12]! ^= 4
  writeFileSync(segmentsOf(damaged)[0]!, bytes)
  const opened = await open(damaged, { segmentBytes: 1 << 20 })
  const shard = opened.shardOf('trades:A')
  const kept = await held(opened, 'trades:A')
  t.same(kept.map(({ sequence }) => sequence), Array.from({ length: 6 }, (_, index) => index + 5))
  const [head] = await opened.head([shard])
  t.same(head!.epochs.at(-1), { epoch: head!.epoch, start: 11 })
  t.not(head!.epoch, before[shard]!.epoch)
  t.equal(opened.found.aside.length, 1, 'the rest, in which there are good records, is kept aside')
  await opened.close()

  truncateSync(segmentsOf(path)[0]!, 20)
  const anew = await open(path, { segmentBytes: 1 << 20 })
  t.ok(anew.found.isNew, 'a log of which nothing can be read begins anew')
  t.equal(isGood({ epoch: before[shard]!.epoch, offset: 1 }, (await anew.head())[shard]!), false)
  await anew.close()
})

test('refuses appends while the disk is full, reads on, and goes on by itself', async t => {
  const disk = new TracedDisk()
  const path = temporaryFolder(t)
  const log = await open(path, { disk })
  const seen: boolean[] = []
  log.watch(available => { seen.push(available) })
  const heard: Entry[] = []
  await tailAll(log, ({ entries }) => { heard.push(...entries) })
  await log.append([{ topic: 'trades:A', payload: '1' }])
  disk.failures.push({ do: 'write', code: 'ENOSPC' }, { do: 'write', code: 'ENOSPC' })
  const during = log.append([{ topic: 'trades:A', payload: '2', idempotencyKey: 'two' }])
  t.match(await during, [{ error: 'log_unavailable', message: /may have/ }])
  await t.rejects(log.append([{ topic: 'trades:A', payload: '3' }]), { code: 'log_unavailable' })
  await t.rejects(log.find('trades:A', 'two'), { code: 'log_unavailable' })
  t.same((await held(log, 'trades:A')).map(({ payload }) => payload), ['1', '2'], 'it reads on')
  await new Promise<void>(resolve => { log.watch(available => { if (available) resolve() }) })
  t.same(seen, [false, true])
  t.match(await log.append([{ topic: 'trades:A', payload: '2', idempotencyKey: 'two' }]), [{ sequence: 2, repeated: true }])
  t.match(await log.append([{ topic: 'trades:A', payload: '3' }]), [{ sequence: 3 }])
  t.same(heard.map(({ payload }) => payload), ['1', '2', '3'])
  const left = temporaryFolder(t)
  disk.writeTo(left, disk.trace.length, undefined)
  await log.close()
  const again = await open(left)
  t.same((await held(again, 'trades:A')).map(({ payload }) => payload), ['1', '2', '3'])
  t.same(again.found.aside, [], 'nothing of the failed writes is left')
  await again.close()
})

test('begins an epoch after it was closed while the disk was full', async t => {
  const disk = new TracedDisk()
  const log = await open(temporaryFolder(t), { disk })
  await log.append([{ topic: 'trades:A', payload: '1' }])
  disk.failures.push({ do: 'write', code: 'ENOSPC' }, { do: 'write', code: 'ENOSPC' })
  t.match(await log.append([{ topic: 'trades:A', payload: '2' }]), [{ error: 'log_unavailable' }])
  t.equal((await held(log, 'trades:A')).length, 2, 'a reader may have seen it')
  const before = await log.head()
  await log.close()
  const left = temporaryFolder(t)
  disk.writeTo(left, disk.trace.length, undefined)
  const again = await open(left)
  const shard = again.shardOf('trades:A')
  t.same((await held(again, 'trades:A')).map(({ payload }) => payload), ['1'])
  const [head] = await again.head([shard])
  t.ok(isGood({ epoch: before[shard]!.epoch, offset: 1 }, head!))
  t.notOk(isGood({ epoch: before[shard]!.epoch, offset: 2 }, head!))
  await again.close()
})

test('writes a file anew after a sync that failed, with all that was not synced', async t => {
  for (const fsync of ['always', 5] as const) {
    const disk = new TracedDisk()
    const log = await open(temporaryFolder(t), { disk, fsync })
    await log.append([{ topic: 'trades:A', payload: '1' }])
    disk.failures.push({ do: 'sync', code: 'EIO' })
    const available = new Promise<void>(resolve => {
      log.watch(isAvailable => { if (isAvailable) resolve() })
    })
    const during = await log.append([{ topic: 'trades:A', payload: '2' }])
    t.match(during, fsync === 'always' ? [{ error: 'log_unavailable' }] : [{ sequence: 2 }])
    // With a sync now and then, the log hears of the failure later, and may repair it before anybody appends.
    while (disk.failures.length > 0) await new Promise(resolve => { setImmediate(resolve) })
    if (fsync === 'always') await available
    // The first file came by such a name, too.
    while (disk.trace.filter(operation => operation.do === 'rename').length < 2) {
      await new Promise(resolve => { setImmediate(resolve) })
    }
    t.match(await log.append([{ topic: 'trades:A', payload: '3' }]), [{ sequence: 3 }])
    await log.close()
    const left = temporaryFolder(t)
    // All that was never synced is gone, as after a power cut.
    disk.writeTo(left, disk.trace.length, new Choices(1))
    const again = await open(left)
    t.same((await held(again, 'trades:A')).map(({ payload }) => payload), ['1', '2', '3'])
    t.ok(again.found.isEpochKept)
    await again.close()
  }
})

test('removes old segments, although a topic has messages in all of them', async t => {
  const path = temporaryFolder(t)
  const log = await open(path)
  for (let n = 1; n <= 2000; n++) {
    await log.append([
      { topic: 'trades:A', payload: `{"n":${n}}` },
      ...n === 3 || n === 300 ? [{ topic: 'trades:QUIET', payload: `{"n":${n}}`, idempotencyKey: `k${n}` }] : []
    ])
  }
  t.ok(segmentsOf(path).length < 12, `${segmentsOf(path).length} segments`)
  const expected = await Promise.all(['trades:A', 'trades:QUIET'].map(topic => held(log, topic)))
  await log.close()
  const again = await open(path)
  t.same(await Promise.all(['trades:A', 'trades:QUIET'].map(topic => held(again, topic))), expected)
  t.match(await again.append([{ topic: 'trades:QUIET', payload: '{}', idempotencyKey: 'k3' }]), [{ sequence: 1, repeated: true }])
  await again.close()
})

test('opens in one process at a time, and after one that was killed', async t => {
  const path = temporaryFolder(t)
  const log = await open(path)
  await t.rejects(open(path), { name: 'LogSetupError', message: new RegExp(`in use by process ${process.pid} on `) })
  await log.close()
  await (await open(path)).close()
  const long = join(path, 'x'.repeat(120))
  const far = await open(long)
  await t.rejects(open(long), { name: 'LogSetupError', message: /in use by process/ })
  await far.close()
  await t.rejects(open(path, { shards: 3 }), { name: 'LogSetupError', message: /LOG_SHARDS: .* was made with 2 shards/ })
  await (await open(path)).close()
})
