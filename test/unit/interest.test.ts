import { setTimeout as delay } from 'node:timers/promises'
import { ProtocolError } from '@tickwire/protocol'
import { test } from 'tap'
import { Interest } from '../../src/hub/shards/interest.js'
import { until } from '../helpers/clients.js'

/** Shards that wake when the test says so. */
class Shards {
  readonly awake = new Set<number>()
  readonly woken: number[] = []
  readonly slept: number[] = []
  staysAwake = false
  readonly interest: Interest
  private readonly waiting: Array<{ shard: number, end: (error?: Error) => void }> = []

  constructor (lingerMs = 0) {
    this.interest = new Interest({
      shards: 4,
      lingerMs,
      isAwake: shard => this.awake.has(shard),
      wake: async shard => {
        this.woken.push(shard)
        await new Promise<void>((resolve, reject) => {
          this.waiting.push({
            shard,
            end: error => {
              if (error === undefined) resolve()
              else reject(error)
            }
          })
        })
        this.awake.add(shard)
      },
      sleep: shard => {
        if (this.staysAwake) return
        this.slept.push(shard)
        this.awake.delete(shard)
      }
    })
  }

  answer (error?: Error): void {
    for (const { end } of this.waiting.splice(0)) end(error)
  }
}

test('wakes a shard once for all who need it at the same time, and lets it sleep after the last', async t => {
  const shards = new Shards()
  const { interest } = shards
  let followed = 0
  const all = [[0, 1], [1], [1, 2]].map(async some => { await interest.follow(some); followed++ })
  await delay(5)
  t.same([shards.woken, followed], [[0, 1, 2], 0])
  shards.answer()
  await Promise.all(all)
  interest.retain([1])
  interest.release([0, 1])
  interest.release([1])
  interest.release([1, 2])
  await until('the shards that nobody needs sleep', () => shards.slept.length === 2)
  t.same([shards.slept.sort(), [...shards.awake]], [[0, 2], [1]])
  interest.release([1])
  await until('the last one sleeps', () => shards.awake.size === 0)
  interest.close()
})

test('counts nobody for a shard that did not wake, and wakes it for the next who needs it', async t => {
  const shards = new Shards()
  const { interest } = shards
  const both = [interest.follow([0]), interest.follow([0, 1])].map(following =>
    following.then(
      () => 'followed',
      (error: ProtocolError) => error.code
    )
  )
  await delay(5)
  shards.answer(new ProtocolError('log_unavailable'))
  t.same(await Promise.all(both), ['log_unavailable', 'log_unavailable'])
  const again = interest.follow([0])
  shards.answer()
  await again
  t.same([shards.woken, [...shards.awake]], [[0, 1, 0], [0]])
  interest.release([0])
  await until('the shard sleeps', () => shards.awake.size === 0)
  interest.close()
})

test('lets a shard sleep that woke for those who have given up', async t => {
  const shards = new Shards()
  const { interest } = shards
  const waking: Array<(error?: Error) => void> = []
  const following = interest.follow([0, 1]).then(() => 'followed', (error: ProtocolError) => error.code)
  await delay(5)
  const [first, second] = (shards as unknown as { waiting: Array<{ end: (error?: Error) => void }> }).waiting
  waking.push(first!.end, second!.end)
  waking[1]!(new ProtocolError('log_unavailable'))
  t.equal(await following, 'log_unavailable')
  waking[0]!()
  await until('the shard sleeps again', () => shards.slept.length === 1)
  t.same([shards.slept, shards.awake.size], [[0], 0])
  interest.close()
})

test('keeps a shard awake that is needed again in time, or that cannot sleep yet', async t => {
  const shards = new Shards(20)
  const { interest } = shards
  const following = interest.follow([0])
  shards.answer()
  await following
  for (let turn = 0; turn < 10; turn++) {
    interest.release([0])
    await interest.follow([0])
  }
  t.same([shards.woken, shards.slept], [[0], []])
  shards.staysAwake = true
  interest.release([0])
  await delay(60)
  t.equal(shards.awake.size, 1)
  shards.staysAwake = false
  await until('the shard is asked again', () => shards.awake.size === 0)
  interest.close()
})
