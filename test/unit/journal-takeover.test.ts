import { test } from 'tap'
import { MemoryLog } from '../../src/log/memory/memory-log.js'
import { JournalRunner } from '../../src/processors/journal-runner.js'
import { Publisher } from '../../src/publisher/publisher.js'
import { until } from '../helpers/clients.js'
import { countRounds } from '../helpers/count-rounds.js'
import { proofChannels, tradeOf, valuing } from '../processors/proofs.js'

const TOPICS = 500
const LOOK_MS = 5

test('a journal goes on after a few round trips, however many topics its processor reads', async t => {
  const retention = { messages: 100_000, seconds: 1e6, bytes: 1 << 26 }
  const log = new MemoryLog({ channels: proofChannels, shards: 1, retention, maxTopics: 3 * TOPICS })
  const publisher = new Publisher({ log, channels: proofChannels })
  const trade = async (numbers: number[]): Promise<void> => {
    await publisher.publishOwn(numbers.map(number => (
      { channel: 'trades', symbol: `S${number}`, data: tradeOf(`S${number}`, number) })))
  }
  /** Runs until the journal has so many decisions. */
  const runUntil = async (decisions: number): Promise<void> => {
    const stopping = new AbortController()
    const { signal } = stopping
    let decided = 0
    const running = new JournalRunner(valuing, log, LOOK_MS).run({
      signal,
      publish: async (messages, options) => {
        const results = await publisher.publishOwn(messages, options)
        return results.map((result, index) => {
          if (!('sequence' in result)) return undefined
          if (messages[index]!.channel === valuing.journal) decided = result.sequence
          return result
        })
      }
    })
    await until('the journal has all decisions', () => decided === decisions)
    stopping.abort()
    await running
  }
  await trade(Array.from({ length: TOPICS }, (_, number) => number))
  const counted = countRounds(log)
  await runUntil(TOPICS)
  t.ok(counted.rounds < TOPICS / 10, `${counted.rounds} round trips to read ${TOPICS} topics from their beginning`)
  await trade([1, 2, 3])
  counted.reads = 0
  await runUntil(TOPICS + 3)
  t.ok(counted.reads < TOPICS / 10, `${counted.reads} reads to go on, where 3 topics had something new`)
  await log.close()
})
