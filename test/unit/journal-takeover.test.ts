import { ProtocolError } from '@tickwire/protocol'
import { test } from 'tap'
import { MemoryLog } from '../../src/log/memory/memory-log.js'
import { JournalRunner } from '../../src/processors/journal-runner.js'
import { Publisher } from '../../src/publisher/publisher.js'
import { until } from '../helpers/clients.js'
import { countRounds } from '../helpers/count-rounds.js'
import { proofChannels, tradeOf, valuing } from '../processors/proofs.js'

const TOPICS = 500
const LOOK_MS = 5

const retention = { messages: 100_000, seconds: 1e6, bytes: 1 << 26 }
const options = { channels: proofChannels, shards: 1, retention, maxTopics: 3 * TOPICS }

test('a run goes on where the log has failed the one before, and publishes nothing else again', async t => {
  const log = new MemoryLog(options)
  const publisher = new Publisher({ log, channels: proofChannels })
  const trade = async (numbers: number[], round: number): Promise<void> => {
    await publisher.publishOwn(numbers.map(number => (
      { channel: 'trades', symbol: `S${number}`, data: tradeOf(`S${number}`, round * TOPICS + number) })))
  }
  const runner = new JournalRunner(valuing, log, LOOK_MS)
  let published = 0
  /** Runs a server until so many outputs were published; then the log takes no more. */
  const runUntil = async (most: number, server = runner): Promise<void> => {
    const stopping = new AbortController()
    const { signal } = stopping
    published = 0
    const running = server.run({
      signal,
      publish: async (messages, run) => {
        const isJournal = messages[0]!.channel === valuing.journal
        if (!isJournal && published >= most) throw new ProtocolError('log_unavailable')
        const results = await publisher.publishOwn(messages, run)
        if (!isJournal) published += messages.length
        return results.map(result => 'sequence' in result ? result : undefined)
      }
    })
    await Promise.race([running, until('all is published', () => published === most)]).catch(() => {})
    stopping.abort()
    await running.catch(() => {})
  }
  await trade(Array.from({ length: TOPICS }, (_, number) => number), 0)
  await runUntil(TOPICS)
  await trade([1, 2, 3], 1)
  await runUntil(0)
  t.equal((await log.read('values:S1', { sequence: 0 }, 10)).entries.length, 1, 'a decision has no output yet')
  await runUntil(3)
  t.equal(published, 3, 'outputs of the decisions that have none')
  for (const number of [1, 2, 3, 4]) {
    const { entries } = await log.read(`values:S${number}`, { sequence: 0 }, 10)
    t.equal(entries.length, number < 4 ? 2 : 1, `of S${number}`)
  }
  await runUntil(TOPICS + 3, new JournalRunner(valuing, log, LOOK_MS))
  t.equal(published, TOPICS + 3, 'another server makes sure of all')
  await log.close()
})

test('a journal goes on after a few round trips, however many topics its processor reads', async t => {
  const log = new MemoryLog(options)
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
