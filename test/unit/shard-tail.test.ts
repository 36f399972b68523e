import { test } from 'tap'
import type { EpochStart, ShardHead, TailBatch } from '../../src/log/log.js'
import { Lineage } from '../../src/log/lineage.js'
import { ShardTail, type TailSource } from '../../src/log/shard-tail.js'
import { until } from '../helpers/clients.js'

/** A shard as Redis has it, in which something may happen between two questions. */
class Shard implements TailSource {
  epochs: EpochStart[] = [{ epoch: 1, start: 1 }]
  offset = 0
  recent: Array<{ end: number, text: string }> = []
  /** What happens, once, before a question of a kind is answered. */
  before: Partial<Record<'recent' | 'beyond', () => void>> = {}

  /** Appends a batch of messages of one topic. */
  append (count: number, epoch = this.epochs.at(-1)!): string {
    const first = this.offset + 1
    this.offset += count
    const text = `[${epoch.epoch},${epoch.start},${first},0,["trades:A"],[${first - 1},${first - 1}],"${'1,'.repeat(count)}"]\n${'{}\n'.repeat(count)}`
    this.recent.push({ end: this.offset, text })
    return text
  }

  /**
   * Loses everything beyond an offset, and begins an epoch after it; if nothing is left, the list of epochs
   * is lost, too.
   */
  lose (beyond: number, epoch: number): void {
    this.recent = this.recent.filter(({ end }) => end <= beyond)
    this.offset = beyond
    this.epochs = [...beyond === 0 ? [] : this.epochs, { epoch, start: beyond + 1 }]
  }

  async headOf (): Promise<ShardHead> {
    return { epoch: this.epochs.at(-1)!.epoch, offset: this.offset, epochs: [...this.epochs] }
  }

  async readRecent (_shard: number, after: number, limit: number): Promise<readonly string[]> {
    this.callBefore('recent')
    return this.recent.filter(({ end }) => end > after).slice(0, limit).map(({ text }) => text)
  }

  async readBeyond (): Promise<{ entries: [], lost: ReadonlySet<string> }> {
    this.callBefore('beyond')
    return { entries: [], lost: new Set(['trades:A']) }
  }

  private callBefore (kind: 'recent' | 'beyond'): void {
    const what = this.before[kind]
    this.before = { ...this.before, [kind]: () => {} }
    what?.()
  }
}

/** Writes each batch as one line. */
const lines = (batches: readonly TailBatch[]): string[] =>
  batches.map(({ epoch, entries, hole }) =>
    `${epoch.epoch}: ${hole === undefined ? '' : `hole to ${hole.upTo} `}${entries.length === 0 ? '' : `${entries[0]!.offset} to ${entries.at(-1)!.offset}`}`.trimEnd()
  )

async function start (
  shard: Shard
): Promise<{ tail: ShardTail, told: TailBatch[], looked: () => Promise<void> }> {
  let answers = 0
  const failures: unknown[] = []
  const tail = new ShardTail(0, shard, {
    onAnswer: () => {
      answers++
    },
    onFailure: error => {
      failures.push(error)
    },
    onDeaf: () => {},
    lineage: epochs => new Lineage(epochs)
  })
  const told: TailBatch[] = []
  await tail.join(batch => { told.push(batch) })
  return {
    tail,
    told,
    looked: async () => {
      const before = answers
      tail.look()
      await until('the tail has looked', () => answers > before || failures.length > 0)
      if (failures.length > 0) throw failures[0]
    }
  }
}

test('passes on what was published, reads what it did not hear, and reports a hole for what is gone', async t => {
  const shard = new Shard()
  shard.append(3)
  const { tail, told, looked } = await start(shard)
  tail.hear(shard.append(2))
  shard.append(2)
  tail.hear(shard.append(1))
  await looked()
  shard.append(4)
  shard.recent = []
  tail.hear(shard.append(1))
  await looked()
  t.same(lines(told), ['1: 4 to 5', '1: 6 to 7', '1: 8 to 8', '1: hole to 12', '1: 13 to 13'])
})

for (const [kind, what] of [['recent', 'the recent entries'], ['beyond', 'the entries before them']] as const) {
  test(`reports a new epoch and no hole for a log that is emptied before ${what} are read`, async t => {
    const shard = new Shard()
    const { told, looked } = await start(shard)
    shard.append(5)
    shard.recent = kind === 'beyond' ? [] : shard.recent
    shard.before = { [kind]: () => { shard.lose(0, 2); shard.append(2) } }
    await looked()
    t.same(lines(told), ['2:', '2: 1 to 2'])
  })

  test(`reports an epoch once that begins before ${what} are read, and none before it again`, async t => {
    const shard = new Shard()
    const { told, looked } = await start(shard)
    shard.append(5)
    shard.append(5)
    if (kind === 'beyond') shard.recent.shift()
    shard.before = {
      [kind]: () => {
        shard.lose(7, 2)
        shard.recent = []
        shard.append(1)
        shard.lose(8, 3)
        shard.append(2)
      }
    }
    await looked()
    const epochs = told.map(({ epoch }) => epoch.epoch)
    t.same(epochs, [...epochs].sort(), 'in order')
    t.equal(told.at(-1)!.entries.at(-1)!.offset, 10)
    t.same(
      told
        .filter(({ entries, hole }) => entries.length === 0 && hole === undefined)
        .map(({ epoch }) => epoch.epoch),
      [2, 3],
      'each once'
    )
  })
}
