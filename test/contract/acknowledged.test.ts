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

type Opened = Awaited<ReturnType<typeof openLog>>

const open = (t: Test, backend: LogBackend, shards: number, bytes = 1 << 26): Promise<Opened> =>
  openLog(t, backend, { shards, channels, retention: { seconds: RETENTION_SECONDS, bytes } })

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

    if (backend.exact !== undefined) {
      suite('keeps it whatever the bytes, and drops other messages instead', async t => {
        const { log } = await open(t, backend, shards, 20_000)
        const text = JSON.stringify('x'.repeat(1000))
        await log.append(messages('alerts@a', 10, text))
        for (let n = 0; n < 50; n++) await log.append(messages('trades:A', 1, text))
        t.same((await sequences(log, 'alerts@a')).length, 10)
        t.ok((await sequences(log, 'trades:A')).length < 10)
        await acknowledge(log, 'alerts@a', 10)
        await log.append(messages('trades:A', 10, text))
        t.same(await sequences(log, 'alerts@a'), [], 'what is acknowledged goes first, as the oldest')
        await log.append(messages('few@a', 30, text))
        t.equal((await sequences(log, 'few@a')).length, 30, 'messages beyond the bytes stay if none is acknowledged')
        t.same(await sequences(log, 'trades:A'), [])
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
