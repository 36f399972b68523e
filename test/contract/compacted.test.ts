import { Type } from '@sinclair/typebox'
import { type Channels, defineChannel, standardChannels } from '@tickwire/protocol'
import { setTimeout as delay } from 'node:timers/promises'
import { type Test, test } from 'tap'
import type { AppendItem, Log } from '../../src/log/log.js'
import { backends, held, type LogBackend, type ManualClock, openLog } from './logs.js'
import { state } from './messages.js'

/** Channels whose newest message per topic is kept for as long as the log. */

const accounts = defineChannel({
  name: 'accounts',
  type: 'account',
  description: 'What a server must not forget.',
  keyed: true,
  access: 'internal',
  schema: Type.Object({ cash: Type.String() }),
  reduce: 'last',
  compacted: true
})
const channels: Channels = new Map([...standardChannels, ['accounts', accounts]])

const RETENTION_SECONDS = 1
const PATIENCE_MS = 20_000

const cash = (symbol: string, amount: number): AppendItem => ({ topic: `accounts:${symbol}`, payload: `{"cash":"${amount}"}` })
const removal = (symbol: string): AppendItem => ({ topic: `accounts:${symbol}`, payload: 'null' })
const stateOf = async (log: Log, symbol: string): Promise<unknown> => await state(log, `accounts:${symbol}`)

interface Opened {
  readonly log: Log
  readonly clock: ManualClock
  restart (keep: readonly number[]): Promise<void>
}

/**
 * Makes everything that was appended to a topic until now too old, and waits until the topic holds no more
 * than it must.
 */
async function age ({ log, clock }: Opened, topic: string, left: number): Promise<void> {
  clock.sleep(RETENTION_SECONDS + 1)
  // A server drops in its own time, and tells the time of a shard by what is appended to it.
  const busy = ['trades:BUSY', ...Array.from({ length: 20 }, (_, n) => `trades:BUSY${n}`)].find(other => log.shardOf(other) === log.shardOf(topic))!
  for (const deadline = Date.now() + PATIENCE_MS; (await held(log, topic)).length > left;) {
    if (Date.now() > deadline) throw new Error(`${topic} still holds ${(await held(log, topic)).length} messages`)
    await log.append([{ topic: busy, payload: '{}' }])
    await delay(20)
  }
}

const open = async (t: Test, backend: LogBackend, shards: number, maxTopics = 1000): Promise<Opened> => {
  const retention = { seconds: RETENTION_SECONDS, messages: 3 }
  return await openLog(t, backend, { shards, maxTopics, channels, retention })
}

for (const backend of backends) {
  for (const shards of backend.overOthers === true ? [2] : [1, 2]) {
    const suite = (name: string, body: (t: Test) => Promise<void>): void => { void test(`${backend.name}, ${shards} shards: ${name}`, body) }

    suite('keeps the newest message of a topic, whatever its age', async t => {
      const opened = await open(t, backend, shards)
      const { log } = opened
      await log.append([cash('A', 1), cash('A', 2), cash('B', 1), cash('A', 3)])
      await age(opened, 'accounts:A', 1)
      t.same(await stateOf(log, 'A'), { cash: '3' })
      t.same(await stateOf(log, 'B'), { cash: '1' })
      t.match((await log.append([cash('A', 4)]))[0], { sequence: 4 })
      t.same(await stateOf(log, 'A'), { cash: '4' })
    })

    suite('has no state of a topic from the message on that removes it', async t => {
      const opened = await open(t, backend, shards)
      const { log } = opened
      await log.append([cash('A', 1), cash('B', 1), removal('B')])
      t.same(await stateOf(log, 'A'), { cash: '1' })
      t.equal(await stateOf(log, 'B'), undefined)
      await age(opened, 'accounts:B', 0)
      t.same(await held(log, 'accounts:B'), [], 'and in time no message of it')
      t.same(await stateOf(log, 'A'), { cash: '1' })
      t.match((await log.append([cash('B', 2)]))[0], { sequence: 3 }, 'a topic that comes back goes on where it ended')
      t.same(await stateOf(log, 'B'), { cash: '2' })
    })

    suite('has the state again where the message that removed the topic is lost', async t => {
      const opened = await open(t, backend, shards)
      const { log } = opened
      await log.append([cash('A', 1)])
      const before = (await log.head()).map(({ offset }) => offset)
      await log.append([removal('A')])
      t.equal(await stateOf(log, 'A'), undefined)
      await opened.restart(before)
      t.same(await stateOf(log, 'A'), { cash: '1' })
    })

    if (backend.exact !== undefined || shards === 1) {
      suite('counts no topic that was removed', async t => {
        const opened = await open(t, backend, shards, 3)
        const { log } = opened
        await log.append([cash('A', 1), cash('B', 1), { topic: 'trades:BUSY', payload: '{}' }])
        t.same(await log.append([cash('C', 1)]), [{ error: 'overloaded' }])
        await log.append([removal('B')])
        await age(opened, 'accounts:B', 0)
        t.match((await log.append([cash('C', 1)]))[0], { sequence: 1 })
        t.same(await stateOf(log, 'A'), { cash: '1' })
      })
    }
  }
}
