import { setTimeout as delay } from 'node:timers/promises'
import { ProtocolError } from '@tickwire/protocol'
import fc from 'fast-check'
import { type Test, test } from 'tap'
import { type AppendItem, type Fence, type Log, StaleFence } from '../../src/log/log.js'
import { backends, held, openLog, type OpenLog } from './logs.js'

const SYMBOLS = ['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H']
const topics = SYMBOLS.map(symbol => `trades:${symbol}`)
const item = (topic: string, payload: unknown): AppendItem => ({ topic, payload: JSON.stringify(payload) })
const everywhere = (payload: unknown): AppendItem[] => topics.map(topic => item(topic, payload))
const outcome = async (append: Promise<unknown>): Promise<string> =>
  await append.then(
    () => 'taken',
    (error: unknown) => error instanceof StaleFence ? 'stale' : String(error)
  )
const payloads = async (log: Log, topic: string): Promise<unknown[]> =>
  (await held(log, topic)).map(({ payload }) => JSON.parse(payload) as unknown)

const RUNS = 25

/**
 * A step: a takeover, two takeovers at once, an append by any earlier holder or by all of them at once, or a
 * shard that loses its newest messages.
 */
const step = fc.oneof(
  fc.record({ kind: fc.constant('raise' as const) }),
  fc.record({ kind: fc.constant('race' as const) }),
  fc.record({ kind: fc.constant('append' as const), who: fc.nat(), topic: fc.nat(topics.length - 1) }),
  fc.record({ kind: fc.constant('crowd' as const), topic: fc.nat(topics.length - 1) }),
  fc.record({ kind: fc.constant('lose' as const), shard: fc.nat(), back: fc.nat(8) })
)
type Step = typeof step extends fc.Arbitrary<infer Kind> ? Kind : never

/** A shard as it stood after a step: the state from which a replica may take over. */
interface Past {
  readonly offset: number
  readonly fence: string | null
}

/** Performs the steps, and checks the outcome of each append wherever that is certain. */
async function play ({ log, restart, fences: stored }: OpenLog, steps: readonly Step[]): Promise<string[]> {
  const fences = [await log.raise('s')]
  const past: Past[][] = Array.from({ length: log.shards }, () => [{ offset: 0, fence: null }])
  const outcomes: string[] = []
  /** Whether every shard has the newest fence. */
  let certain = true
  const append = async (who: number, topic: number): Promise<void> => {
    const fence = fences[who]!
    const what = await outcome(log.append([item(topics[topic]!, fence)], { fence }))
    outcomes.push(what)
    if (certain && what !== (who === fences.length - 1 ? 'taken' : 'stale')) {
      throw new Error(`an append with fence ${who + 1} of ${fences.length}: ${what}`)
    }
  }
  for (const step of steps) {
    switch (step.kind) {
      case 'raise':
        // Time passes between two takeovers. Without it, a loss could set the token back further than the
        // clock has advanced.
        while (Date.now() <= Math.max(...fences.map(({ token }) => token))) await delay(1)
        fences.push(await log.raise('s'))
        certain = true
        break
      case 'race': {
        const raised = (await Promise.allSettled([log.raise('s'), log.raise('s')])).flatMap(result =>
          result.status === 'fulfilled' ? [result.value] : []
        )
        fences.push(...raised.sort((a, b) => a.token - b.token))
        certain = false
        break
      }
      case 'append':
        await append(step.who % fences.length, step.topic)
        break
      case 'crowd':
        await Promise.all(fences.map((_, who) => append(who, step.topic)))
        break
      case 'lose': {
        const shard = step.shard % log.shards
        const { offset, fence } = past[shard]!.at(-1 - step.back) ?? past[shard]![0]!
        await restart(past.map((points, other) => other === shard ? offset : points.at(-1)!.offset))
        await stored?.write(shard, fence)
        past[shard]!.splice(past[shard]!.findIndex(point => point.offset === offset) + 1)
        certain = false
      }
    }
    for (const [shard, { offset }] of (await log.head()).entries()) {
      past[shard]!.push({ offset, fence: await stored?.read(shard) ?? null })
    }
  }
  return outcomes
}

for (const backend of backends) {
  for (const shards of [1, 4]) {
    const suite = (name: string, body: (t: Test) => Promise<void>): void => {
      void test(`${backend.name}, ${shards} shards: ${name}`, body)
    }

    suite('takes appends under the newest fence, and refuses those under an earlier one without a trace in the log', async t => {
      const { log } = await openLog(t, backend, { shards })
      const first = await log.raise('s')
      t.match(first, { source: 's', token: Number, id: String })
      t.equal(await outcome(log.append(everywhere(1), { fence: first })), 'taken')
      const second = await log.raise('s')
      t.ok(second.token > first.token)
      t.equal(await outcome(log.append(everywhere(2), { fence: first })), 'stale')
      for (const topic of topics) t.same(await payloads(log, topic), [1])
      await t.rejects(log.append(everywhere(2), { fence: first }), {
        name: 'StaleFence',
        message: /source s with the token \d+ are refused/
      })
      t.equal(await outcome(log.append(everywhere(3), { fence: second })), 'taken')
      const other = await log.raise('other')
      t.same(
        [
          await outcome(log.append(everywhere(4), { fence: second })),
          await outcome(log.append(everywhere(5), { fence: other })),
          await outcome(log.append(everywhere(6)))
        ],
        ['taken', 'taken', 'taken'],
        'a fence binds its own source only'
      )
      for (const topic of topics) t.same(await payloads(log, topic), [1, 3, 4, 5, 6])
    })

    suite('refuses only the stale appends of a batch, and keeps the order of the others', async t => {
      const { log } = await openLog(t, backend, { shards })
      const [stale, other] = [await log.raise('s'), await log.raise('other')]
      const good = await log.raise('s')
      const calls: Array<Promise<string>> = []
      const expected: number[] = []
      const fences = [undefined, stale, other, good]
      for (let n = 0; n < 400; n++) {
        const fence = fences[n * 7 % 11 % 4]
        if (fence !== stale) expected.push(n)
        calls.push(
          outcome(log.append([item(topics[0]!, n), item(topics[1]!, n)], { fence })).then(
            what => `${what}${fence === stale ? ' late' : ''}`
          )
        )
      }
      const outcomes = await Promise.all(calls)
      t.same([...new Set(outcomes)].sort(), ['stale late', 'taken'])
      t.same(await payloads(log, topics[0]!), expected)
      t.same(await payloads(log, topics[1]!), expected)
    })

    suite('gives each of many simultaneous raises its own token, and takes appends under the highest', async t => {
      const { log } = await openLog(t, backend, { shards })
      const raised = (await Promise.allSettled(Array.from({ length: 5 }, () => log.raise('s')))).flatMap(
        result => result.status === 'fulfilled' ? [result.value] : []
      )
      t.ok(raised.length > 0)
      t.equal(new Set(raised.map(({ token }) => token)).size, raised.length)
      const last = await log.raise('s')
      t.ok(raised.every(({ token }) => token < last.token))
      for (const fence of raised) {
        t.equal(await outcome(log.append(everywhere(fence.token), { fence })), 'stale')
      }
      t.equal(await outcome(log.append(everywhere(0), { fence: last })), 'taken')
    })

    suite('takes any text as the name of a source', async t => {
      const { log } = await openLog(t, backend, { shards })
      for (const name of ['', ' ', 'a:b', 'fence:a', '한글', 'x y\nz', 'epoch', '}']) {
        const stale = await log.raise(name)
        const good = await log.raise(name)
        t.same(
          [
            await outcome(log.append(everywhere(1), { fence: stale })),
            await outcome(log.append(everywhere(1), { fence: good }))
          ],
          ['stale', 'taken'],
          JSON.stringify(name)
        )
      }
    })

    suite('does not raise a fence on a closed log', async t => {
      const { log } = await openLog(t, backend, { shards })
      await log.close()
      await t.rejects(log.raise('s'), ProtocolError)
    })

    suite('never puts a message of a lower token after one of a higher in a shard, whatever is lost and whoever appends', async t => {
      let taken = 0
      let refused = 0
      await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async steps => {
        const opened = await openLog(t, backend, { shards })
        const { log } = opened
        const outcomes = await play(opened, steps)
        taken += outcomes.filter(what => what === 'taken').length
        refused += outcomes.filter(what => what === 'stale').length
        for (let shard = 0; shard < shards; shard++) {
          const entries = (
            await Promise.all(
              topics.filter(topic => log.shardOf(topic) === shard).map(topic => held(log, topic))
            )
          )
            .flat()
            .sort((a, b) => a.offset - b.offset)
          const fences = entries.map(({ payload }) => JSON.parse(payload) as Fence)
          for (const [index, { token, id }] of fences.entries()) {
            const before = fences[index - 1] ?? { token: 0, id: '' }
            if (token < before.token || (token === before.token && id !== before.id)) {
              throw new Error(`shard ${shard}: ${token} ${id} follows ${before.token} ${before.id}`)
            }
          }
        }
        await opened.close()
      }), { numRuns: RUNS, endOnFailure: true, ...(process.env['FENCE_SEED'] === undefined ? {} : { seed: Number(process.env['FENCE_SEED']) }) })
      t.ok(taken > RUNS && refused > RUNS, `${taken} taken, ${refused} refused`)
    })
  }
}
