import { standardChannels } from '@tickwire/protocol'
import { test } from 'tap'
import { readNewest } from '../../src/hub/catch-up/retained.js'
import { MemoryLog } from '../../src/log/memory/memory-log.js'
import type { ReadFrom } from '../../src/log/log.js'
import { Choices } from '../helpers/random.js'

const TOPIC = 'trades:A'

async function fillLog (messages: number, retained: number, payload: () => string): Promise<MemoryLog> {
  const log = new MemoryLog({
    channels: standardChannels,
    shards: 1,
    retention: { messages: retained, seconds: 3600, bytes: 1 << 28 },
    maxTopics: 10
  })
  for (let number = 0; number < messages; number++) {
    await log.append([{ topic: TOPIC, payload: payload() }, { topic: 'trades:B', payload: '{}' }])
  }
  return log
}

test('finds the same newest messages as a read of all of them', async t => {
  for (let seed = 1; seed <= 30; seed++) {
    const random = new Choices(seed)
    const messages = random.integer(1, 1200)
    const log = await fillLog(messages, random.integer(1, 1200), () => 'x'.repeat(random.integer(1, 20)))
    const { entries } = await log.read(TOPIC, { sequence: 0 }, 10_000)
    for (let question = 0; question < 20; question++) {
      const from: ReadFrom =
        random.next() < 0.5
          ? { sequence: random.integer(0, messages + 1) }
          : { offset: random.integer(0, 2 * messages + 1) }
      const upTo = random.next() < 0.5 ? Infinity : random.integer(0, 2 * messages + 1)
      const characters = random.pick([0, 1, 30, 500, 3000, Infinity])
      const all = entries.filter(
        ({ sequence, offset }) =>
          offset <= upTo && ('offset' in from ? offset > from.offset : sequence > from.sequence)
      )
      let fit = 0
      for (let sum = 0; fit < all.length && (sum += all.at(-1 - fit)!.payload.length) <= characters;) fit++
      const expected = all.slice(all.length - Math.max(fit, Math.min(1, all.length)))
      const found = await readNewest(log, TOPIC, from, upTo, characters)
      t.same(
        found.map(({ sequence }) => sequence),
        expected.map(({ sequence }) => sequence),
        `seed ${seed}: ${JSON.stringify(from)} up to ${upTo}, ${characters} characters`
      )
    }
    await log.close()
  }
})

test('reads no more of a long topic than fits', async t => {
  const log = await fillLog(5000, 10_000, () => 'x'.repeat(100))
  let read = 0
  const readAll = log.read.bind(log)
  log.read = async (...question) => {
    const page = await readAll(...question)
    read += page.entries.length
    return page
  }
  const newest = await readNewest(log, TOPIC, { sequence: 0 }, Infinity, 20_000)
  t.equal(newest.length, 200)
  t.equal(newest.at(-1)!.sequence, 5000)
  t.ok(read <= 1000, `${read} of 5000 messages were read`)
  await log.close()
})
