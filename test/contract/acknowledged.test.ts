import { acknowledgementTopic, alerts, type Channels, defineChannel, standardChannels } from '@tickwire/protocol'
import { setTimeout as delay } from 'node:timers/promises'
import { type Test, test } from 'tap'
import type { AppendItem, Log } from '../../src/log/log.js'
import { readAcknowledged } from '../../src/log/acknowledged.js'
import { backends, held, type LogBackend, openLog } from './logs.js'

/** Channels whose messages the retention keeps until their user acknowledges them. */

/** As `alerts`, but with a bound that a test reaches. */
const MAX_OPEN = 200
const few = defineChannel({ ...alerts, name: 'few', retention: { messages: MAX_OPEN } })
const channels: Channels = new Map([...standardChannels, ['few', few]])

const RETENTION_SECONDS = 1
const PATIENCE_MS = 20_000

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0)

type Opened = Awaited<ReturnType<typeof openLog>>

const open = (t: Test, backend: LogBackend, shards: number): Promise<Opened> =>
  openLog(t, backend, { shards, channels, retention: { seconds: RETENTION_SECONDS } })

const messages = (topic: string, count: number, payload = '{}'): AppendItem[] =>
  Array.from({ length: count }, () => ({ topic, payload }))

/** Acknowledges a message as the server does. */
async function acknowledge (log: Log, topic: string, sequence: number): Promise<void> {
  const entry = (await held(log, topic)).find(other => other.sequence === sequence)!
  const [head] = await log.head([log.shardOf(topic)])
  const data = { sequence, epoch: head!.epoch, offset: entry.offset }
  await log.append([{ topic: acknowledgementTopic(topic), payload: JSON.stringify(data) }])
}

const sequences = async (log: Log, topic: string): Promise<number[]> =>
  (await held(log, topic)).map(({ sequence }) => sequence)

/** Makes everything too old, and drops until a topic that nobody acknowledges is empty. */
async function age ({ log, clock }: Opened, shardOf: string): Promise<void> {
  const others = Array.from({ length: 40 }, (_, n) => `trades:OLD${n}`)
  const [old, busy] = others.filter(other => log.shardOf(other) === log.shardOf(shardOf))
  await log.append([{ topic: old!, payload: '{}' }])
  clock.sleep(RETENTION_SECONDS + 1)
  for (const deadline = Date.now() + PATIENCE_MS; (await held(log, old!)).length > 0;) {
    if (Date.now() > deadline) throw new Error(`${old} still holds messages`)
    await log.append([{ topic: busy!, payload: '{}' }])
    await delay(20)
  }
}

for (const backend of backends) {
  for (const shards of backend.overOthers === true ? [2] : [1, 2]) {
    const suite = (name: string, body: (t: Test) => Promise<void>): void => {
      void test(`${backend.name}, ${shards} shards: ${name}`, body)
    }

    suite('keeps what a user has not acknowledged, whatever its age', async t => {
      const opened = await open(t, backend, shards)
      const { log } = opened
      await log.append([...messages('alerts@a', 5), ...messages('alerts@b', 2), ...messages('portfolio@a', 1)])
      await acknowledge(log, 'alerts@a', 3)
      await age(opened, 'alerts@a')
      if (log.shardOf('alerts@b') !== log.shardOf('alerts@a')) await age(opened, 'alerts@b')
      t.same(await sequences(log, 'alerts@a'), [4, 5])
      t.same(await sequences(log, 'alerts@b'), [1, 2], 'another user has acknowledged nothing')
      await acknowledge(log, 'alerts@a', 5)
      await age(opened, 'alerts@a')
      t.same(await sequences(log, 'alerts@a'), [])
      t.match(await log.append(messages('alerts@a', 1)), [{ sequence: 6 }])
      await age(opened, 'alerts@a')
      t.same(await sequences(log, 'alerts@a'), [6], 'and so after it was empty')
    })

    suite('moves an acknowledgement back to the start of the epoch that lost its message', async t => {
      const { log, restart } = await open(t, backend, shards)
      await log.append(messages('alerts@a', 2))
      const offsets = (await log.head()).map(({ offset }) => offset)
      await log.append(messages('alerts@a', 2))
      const shard = log.shardOf('alerts@a')
      const last = (await log.read('alerts@a', { sequence: 0 }, 10)).entries.at(-1)!
      const { epoch } = (await log.head([shard]))[0]!
      await restart(offsets)
      const payload = JSON.stringify({ sequence: 4, epoch, offset: last.offset })
      await log.append([{ topic: acknowledgementTopic('alerts@a'), payload }])
      await log.append(messages('alerts@a', 3))
      const kept = (await log.read('alerts@a', { sequence: 0 }, 10)).entries[1]!
      t.equal((await readAcknowledged(log, 'alerts@a')).offset, kept.offset)
    })

    if (backend.overOthers !== true) {
      suite('keeps half of its bytes for what is open, and drops the rest as other messages', async t => {
        const isExact = backend.exact !== undefined
        const [size, bytes] = isExact ? [1000, 100_000] : [10_000, 4_000_000]
        const { log } = await openLog(t, backend, { shards, channels, retention: { bytes } })
        // All in the shard of one topic: on Redis each shard has its own bytes.
        const beside = (name: (n: number) => string): string[] =>
          Array.from({ length: 40 }, (_, n) => name(n)).filter(topic => log.shardOf(topic) === log.shardOf('few@1'))
        const [one, two, three] = beside(n => `few@${n}`)
        const [busy] = beside(n => `trades:T${n}`)
        const text = JSON.stringify('x'.repeat(size))
        const whole = bytes / size
        const publish = async (topic: string, count: number): Promise<void> => {
          for (let n = 0; n < count; n += 10) await log.append(messages(topic, 10, text))
        }
        const counts = async (...topics: string[]): Promise<number[]> =>
          await Promise.all(topics.map(async topic => (await held(log, topic)).length))
        /** Publishes until as many messages fill the log as it has bytes for. */
        const crowd = async (): Promise<void> => {
          await publish(busy!, whole)
          for (const deadline = Date.now() + PATIENCE_MS; ;) {
            if (sum(await counts(one!, two!, three!, busy!)) <= whole) return
            if (Date.now() > deadline) throw new Error('the log holds more than its bytes')
            await delay(50)
          }
        }
        await publish(one!, 0.1 * whole)
        await publish(two!, 0.2 * whole)
        await crowd()
        t.same(await counts(one!, two!), [0.1 * whole, 0.2 * whole], 'all that is open')
        const [others30] = await counts(busy!)
        t.ok(others30! > 0.1 * whole, `${others30} of ${whole} beside other messages`)

        await acknowledge(log, one!, 0.1 * whole)
        await publish(three!, 0.5 * whole)
        await crowd()
        const [acknowledged, older, newer, others] = await counts(one!, two!, three!, busy!)
        t.equal(acknowledged, 0, 'no longer open, and the oldest')
        t.ok(older! + newer! > 0.3 * whole && older! + newer! <= 0.55 * whole, `${older} and ${newer} of ${whole} are open`)
        t.ok(older! < 0.2 * whole, 'the oldest that are open went')
        t.ok(others! > 0.1 * whole, `${others} others are left`)
        t.equal((await sequences(log, three!)).at(-1), 0.5 * whole, 'the newest that is open is there')

        await acknowledge(log, three!, 0.5 * whole)
        await crowd()
        t.same(await counts(three!), [0], 'an acknowledgement lets go of it')
      })
    }

    suite('keeps no more than so many, the newest', async t => {
      const { log } = await open(t, backend, shards)
      for (let n = 0; n < 3; n++) await log.append(messages('few@a', MAX_OPEN))
      const left = await sequences(log, 'few@a')
      t.equal(left.at(-1), 3 * MAX_OPEN)
      // A Redis drops in steps of a hundred.
      t.ok(left.length >= MAX_OPEN && left.length < MAX_OPEN + (backend.exact === undefined ? 101 : 1), `${left.length}`)
    })
  }
}
