import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from 'node:assert'
import fc from 'fast-check'
import { test } from 'tap'
import type { Database } from '../../src/store/database.js'
import type { StoreLog } from '../../src/store/store.js'
import { type AnyRow, isNewer, tables } from '../../src/store/tables.js'
import { Periodic } from '../../src/store/writer/periodic.js'
import { WaitingRows, type WaitingRow } from '../../src/store/writer/waiting-rows.js'
import { Writer, WRITER_LIMITS, type WriterLimits } from '../../src/store/writer/writer.js'
import { eventually } from '../helpers/eventually.js'

const LIMITS: WriterLimits = {
  ...WRITER_LIMITS, lingerMs: 1, retry: { leastMs: 1, mostMs: 2 }, sayEveryMs: 3_600_000
}

const row = (topic: string | number, version: number): AnyRow => ({
  topic: String(topic),
  channel: 'c',
  symbol: null,
  user_id: null,
  data: 'x',
  epoch: 1,
  sequence: version,
  timestamp: version
})

class Refusal extends Error {}

/** A database in memory, whose writes a test holds up or lets fail. */
class FakeDatabase {
  readonly rows = new Map<string, AnyRow>()
  readonly statements: string[][] = []
  before: (rows: readonly AnyRow[]) => Promise<void> | void = () => {}

  get database (): Database {
    return {
      write: async (_table: string, rows: readonly AnyRow[]) => {
        this.statements.push(rows.map(({ topic }) => String(topic)))
        await this.before(rows)
        for (const row of rows) {
          const known = this.rows.get(String(row['topic']))
          if (known !== undefined && !isNewer(tables.states, row, known)) continue
          this.rows.set(String(row['topic']), row)
        }
      },
      isRefusal: (error: unknown) => error instanceof Refusal
    } as unknown as Database
  }
}

function open (limits: Partial<WriterLimits> = {}): { fake: FakeDatabase, writer: Writer, lines: string[] } {
  const fake = new FakeDatabase()
  const lines: string[] = []
  const log: StoreLog = (level, fields, message) => {
    lines.push(`${level} ${message} ${JSON.stringify(fields)}`)
  }
  return { fake, lines, writer: new Writer(fake.database, log, { ...LIMITS, ...limits }, () => 0.5) }
}

test('rows that wait keep within their bounds, the newest of each key, and their turns', async () => {
  const step = fc.oneof(
    fc.record({ key: fc.nat(5), version: fc.nat(9), bytes: fc.integer({ min: 1, max: 30 }) }),
    fc.record({ take: fc.integer({ min: 1, max: 4 }), succeeds: fc.boolean() }))
  const [anySteps, anyRows] = [fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 6 })]
  fc.assert(fc.property(anySteps, anyRows, fc.integer({ min: 30, max: 90 }), (steps, maxRows, maxBytes) => {
    let number = 0
    const lost: WaitingRow[] = []
    const bounds = { rows: maxRows, bytes: maxBytes }
    const waiting = new WaitingRows(tables.states, bounds, dropped => { lost.push(dropped) })
    // What has come and is neither written nor dropped, by key: its versions.
    const due = new Map<string, number>()
    const settle = ({ row }: WaitingRow): void => {
      if (due.get(String(row['topic'])) === row['sequence']) due.delete(String(row['topic']))
    }
    for (const step of steps) {
      lost.length = 0
      if ('key' in step) {
        const key = String(step.key)
        if (step.version > (due.get(key) ?? -1)) due.set(key, step.version)
        waiting.add(row(key, step.version), step.bytes, ++number)
      } else {
        const taken = waiting.take({ rows: step.take, bytes: 1000 })
        ok(taken.length <= step.take)
        if (step.succeeds) taken.forEach(settle)
        else waiting.putBack(taken)
      }
      lost.forEach(settle)
      ok(waiting.count <= maxRows && waiting.bytes <= maxBytes)
      const all = waiting.take({ rows: Infinity, bytes: Infinity })
      equal(waiting.bytes, 0)
      const versions = all.map(({ row }) => [String(row['topic']), Number(row['sequence'])] as const)
      deepEqual(versions.sort(), [...due].sort())
      deepEqual(all.map(({ number }) => number), all.map(({ number }) => number).sort((a, b) => a - b))
      waiting.putBack(all)
    }
  }))
})

test('a writer brings every row over a database that fails now and then', async () => {
  const anyWrites = fc.array(fc.tuple(fc.nat(20), fc.nat(50)), { maxLength: 100 })
  await fc.assert(fc.asyncProperty(anyWrites, fc.infiniteStream(fc.nat(3)), async (writes, luck) => {
    const { fake, writer } = open({ batch: { rows: 4, bytes: 1e6 } })
    fake.before = () => { if (luck.next().value === 0) throw new Error('away') }
    for (const [key, version] of writes) {
      writer.add('states', [row(key, version)])
      if (version % 7 === 0) await new Promise(resolve => { setImmediate(resolve) })
    }
    equal(await writer.flush(30_000), true)
    const newest = new Map<string, number>()
    for (const [key, version] of writes) {
      newest.set(String(key), Math.max(version, newest.get(String(key)) ?? 0))
    }
    deepEqual(new Map([...fake.rows].map(([key, { sequence }]) => [key, sequence])), newest)
    const { written, ...none } = writer.health().tables.states
    ok(written >= newest.size)
    deepEqual(none, { waiting: 0, waitingBytes: 0, dropped: 0, refused: 0 })
  }), { numRuns: 30 })
})

test('a refused row that comes with an outage blocks no other, and is counted once', async t => {
  const { fake, writer } = open()
  let outages = 3
  fake.before = rows => {
    if (rows.some(({ topic }) => topic === '13')) {
      if (rows.length < 4 && outages-- > 0) throw new Error('away')
      throw new Refusal('no 13')
    }
  }
  writer.add('states', Array.from({ length: 32 }, (_, index) => row(index, 1)))
  t.notOk(await writer.flush(30_000))
  t.equal(fake.rows.size, 31)
  t.match(writer.health().tables.states, { written: 31, refused: 1, dropped: 0, waiting: 0 })
})

test('a flush waits for the rows before it alone', async t => {
  const { fake, writer } = open({ batch: { rows: 1, bytes: 1e6 } })
  const gates = new Map<string, () => void>()
  fake.before = async ([row]) => {
    await new Promise<void>(resolve => { gates.set(String(row!['topic']), resolve) })
  }
  const pass = async (topic: string): Promise<void> => {
    await eventually(`${topic} is under way`, () => gates.has(topic))
    gates.get(topic)!()
  }
  writer.add('states', [row('a', 1)])
  const first = writer.flush(30_000)
  writer.add('states', [row('b', 1)])
  await pass('a')
  t.equal(await first, true)
  t.equal(await writer.flush(1), false, 'b is under way')
  await pass('b')
  t.equal(await writer.flush(30_000), true)
})

test('closing ends a statement that does not end, and says what was not written', async t => {
  const { fake, writer, lines } = open({ batch: { rows: 2, bytes: 1e6 } })
  let end = (): void => {}
  fake.before = async () => {
    await new Promise((_resolve, reject) => { end = () => { reject(new Error('ended')) } })
  }
  writer.add('states', Array.from({ length: 5 }, (_, index) => row(index, 1)))
  await eventually('it is under way', () => fake.statements.length > 0)
  t.same(await writer.close(1, async () => { end() }), { states: 5 })
  writer.add('states', [row('late', 1)])
  t.match(writer.health(), { state: 'closed', tables: { states: { waiting: 0, dropped: 6, written: 0 } } })
  t.equal(fake.statements.length, 1)
  const errors = lines.filter(line => line.startsWith('error'))
  t.match(errors[0], /closed before it could write all rows .*"rows":5/)
})

test('a row that is larger than any may be is refused, and one statement has bounded bytes', async t => {
  const { fake, writer } = open({ batch: { rows: 100, bytes: 1000 }, rowBytes: 2000 })
  const sized = (topic: string, bytes: number): AnyRow => ({ ...row(topic, 1), data: 'x'.repeat(bytes) })
  writer.add('states', [sized('a', 300), sized('b', 300), sized('c', 1500), sized('d', 3000), sized('e', 10)])
  t.equal(writer.health().tables.states.refused, 1)
  t.ok(await writer.flush(30_000), 'all that waited')
  t.same(fake.statements, [['a'], ['b'], ['c'], ['e']])
})

test('what happens again within a period is said together', async t => {
  const said: Array<[number, string]> = []
  const periodic = new Periodic<string>(50, (count, latest) => { said.push([count, latest]) })
  periodic.add(1, 'a')
  t.same(said, [[1, 'a']])
  periodic.add(2, 'b')
  periodic.add(3, 'c')
  t.same(said, [[1, 'a']])
  await eventually('the period ends', () => said.length === 2)
  t.same(said[1], [5, 'c'])
  periodic.add(1, 'd')
  periodic.close()
  t.same(said[2], [1, 'd'])
  periodic.close()
  t.equal(said.length, 3)
})
