import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { ProtocolError } from '@tickwire/protocol'
import { test } from 'tap'
import { type Fence, type Log, randomEpoch } from '../../src/log/log.js'
import { MemoryLog } from '../../src/log/memory/memory-log.js'
import { barsProcessor } from '../../src/processors/bars/bars.js'
import { JournalRunner } from '../../src/processors/journal-runner.js'
import { TopicRunner } from '../../src/processors/topic-runner.js'
import { ViewRunner } from '../../src/processors/view-runner.js'
import { Publisher } from '../../src/publisher/publisher.js'
import { Choices } from '../helpers/random.js'
import { judgeOutputs, messagesOf } from '../processors/judge.js'
import { counting, proofChannels, tradeOf, valuing } from '../processors/proofs.js'

/**
 * Processors over a log in memory that restarts without its last messages, while hosts take over from one
 * another.
 */

const SYMBOLS = ['A', 'B', 'C']
const LOOK_MS = 5
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 40)
/** How long outputs may take to become what they must be. */
const PATIENCE_MS = 20_000

/** The log's time runs faster, so that bars close soon. */
const STARTED = Date.now()
const now = (): number => Math.floor(STARTED + (Date.now() - STARTED) * 50)
const bars = barsProcessor(['1s'])

/**
 * One server's run of all processors until it stops. Afterwards its appends are refused, as for a server
 * that was held up.
 */
class Host {
  private readonly stopping = new AbortController()
  private readonly runs: Array<Promise<void>> = []
  private isReplaced = false

  /** @param journal which keeps something from run to run */
  constructor (
    private readonly log: Log, private readonly random: Choices, private readonly journal: Pick<JournalRunner<unknown, unknown>, 'run'>
  ) {}

  async start (): Promise<void> {
    for (let shard = 0; shard < this.log.shards; shard++) {
      await this.runProcessor(`counting/${shard}`, context =>
        new TopicRunner(counting, this.log, shard, LOOK_MS).run(context)
      )
      await this.runProcessor(`bars/${shard}`, context =>
        new ViewRunner(bars, this.log, shard, { lookMs: LOOK_MS, now }).run(context)
      )
    }
    await this.runProcessor('valuing', context => this.journal.run(context))
  }

  /** Stops the run. @param waits whether it ends in order, or is left to itself */
  async stop (waits: boolean): Promise<void> {
    this.isReplaced = true
    if (waits) {
      this.stopping.abort()
      await Promise.all(this.runs)
    } else setTimeout(() => { this.stopping.abort() }, 5)
  }

  private async runProcessor (
    name: string, run: (context: Parameters<TopicRunner<unknown>['run']>[0]) => Promise<void>
  ): Promise<void> {
    let fence: Fence = await this.log.raise(name)
    const publisher = new Publisher({ log: this.log, channels: proofChannels })
    const { signal } = this.stopping
    this.runs.push((async () => {
      while (!signal.aborted) {
        try {
          await run({
            signal,
            publish: async (messages, options) => {
              signal.throwIfAborted()
              const own = fence
              if (this.random.next() < 0.2) {
                // An append that was given up may come late.
                setTimeout(() => {
                  publisher.publish(messages, { publisher: '', fence: own, ...options }).catch(() => {})
                }, this.random.integer(0, 20))
                throw new ProtocolError('log_unavailable')
              }
              // The next attempt is under way when it comes.
              if (this.random.next() < 0.5) await delay(this.random.integer(0, 5))
              // A log on the network takes a call in parts, and may take only some of them.
              const first = this.random.next() < 0.2 ? this.random.integer(0, messages.length - 1) : undefined
              const results = await publisher.publish(messages.slice(0, first), {
                publisher: '',
                fence,
                ...options
              })
              if (first !== undefined) throw new ProtocolError('log_unavailable')
              const refused = results.find(result => 'code' in result)
              if (refused !== undefined) throw new Error(JSON.stringify(refused))
              return results.map(result => 'sequence' in result ? result : undefined)
            }
          })
        } catch (error) {
          if (signal.aborted || (error as Error).name === 'StaleFence') return
          if ((error as { code?: string }).code !== 'log_unavailable') throw error
          // Only the host that has the lease raises the fence.
          if (this.isReplaced) return
          fence = await this.log.raise(name)
        }
      }
    })())
  }
}

/** Waits until nothing is appended any more. */
async function untilSettled (log: Log): Promise<void> {
  const state = async (): Promise<string> =>
    JSON.stringify((await log.head()).map(({ offset, epoch }) => [offset, epoch]))
  for (let before = ''; ;) {
    const now = await state()
    if (now === before) return
    before = now
    await delay(10 * LOOK_MS)
  }
}

type Step =
  | { readonly do: 'publish', readonly items: ReadonlyArray<{ symbol: string, isQuote: boolean }> }
  | { readonly do: 'lose', readonly losses: readonly number[] }
  | { readonly do: 'takeover', readonly inOrder: boolean }
  | { readonly do: 'wait' }

const publish = fc.record({
  do: fc.constant('publish' as const),
  items: fc.array(fc.record({ symbol: fc.constantFrom(...SYMBOLS), isQuote: fc.boolean() }), {
    minLength: 1,
    maxLength: 8
  })
})
const lose = fc.record({
  do: fc.constant('lose' as const),
  losses: fc.array(fc.nat(6), { minLength: 3, maxLength: 3 })
})
const takeover = fc.record({ do: fc.constant('takeover' as const), inOrder: fc.boolean() })
const wait = fc.record({ do: fc.constant('wait' as const) })

/** Of three shards, `quotes:C` and `trades:B` share one, and the journal is on another. */
const SHARED = [0, 4, 0]
/** A trade gets the offset of a lost quote that was decided about. */
const SAME_OFFSET: readonly Step[] = [
  { do: 'publish', items: [{ symbol: 'C', isQuote: true }] },
  ...Array<Step>(20).fill({ do: 'wait' }),
  { do: 'lose', losses: SHARED },
  { do: 'publish', items: [{ symbol: 'B', isQuote: false }] },
  ...Array<Step>(20).fill({ do: 'wait' }),
  { do: 'takeover', inOrder: true },
  { do: 'takeover', inOrder: true }
]

async function play (steps: readonly Step[], shards: number): Promise<string[]> {
  const log = new MemoryLog({
    channels: proofChannels,
    shards,
    retention: { messages: 10_000, seconds: 3600, bytes: 1 << 26 },
    maxTopics: 100,
    clock: { now, randomEpoch }
  })
  const publisher = new Publisher({ log, channels: proofChannels })
  const random = new Choices(steps.length)
  const journals = [1, 2].map(() => new JournalRunner(valuing, log, LOOK_MS))
  let host = new Host(log, random, random.pick(journals))
  await host.start()
  let made = 0
  let complete = true
  try {
    for (const step of steps) {
      switch (step.do) {
        case 'publish':
          await publisher.publish(step.items.map(({ symbol, isQuote }) => {
            if (isQuote) return { channel: 'quotes', symbol, data: { symbol, bid: String(++made) } }
            return { channel: 'trades', symbol, data: tradeOf(symbol, ++made) }
          }), { publisher: 'test' })
          break
        case 'lose':
          complete = false
          log.restart(
            (await log.head()).map(({ offset }, shard) => Math.max(0, offset - step.losses[shard]!))
          )
          break
        case 'takeover':
          await host.stop(step.inOrder)
          host = new Host(log, random, random.pick(journals))
          await host.start()
          break
        case 'wait':
          await delay(3)
      }
    }
    await untilSettled(log)
    const judge = async (): Promise<string[]> => await judgeOutputs(messagesOf(log), SYMBOLS, complete)
    let faults = await judge()
    for (const deadline = Date.now() + PATIENCE_MS; faults.length > 0 && Date.now() < deadline;) {
      await delay(LOOK_MS)
      faults = await judge()
    }
    return faults
  } finally {
    await host.stop(true)
    await log.close()
  }
}

for (const shards of [1, 3]) {
  test(`${shards} shards: each input brings about its outputs once, whichever host runs the processors`, async t => {
    const steps = fc.array(
      fc.oneof(
        { weight: 5, arbitrary: publish },
        { weight: 2, arbitrary: takeover },
        { weight: 2, arbitrary: wait }
      ),
      { minLength: 3, maxLength: 15 }
    )
    await fc.assert(fc.asyncProperty(steps, async list => {
      const faults = await play(list, shards)
      if (faults.length > 0) throw new Error(faults.join('; '))
    }), { numRuns: RUNS })
    t.pass(`${RUNS} runs`)
  })

  test(`${shards} shards: outputs of lost messages are corrected, and lost outputs come again`, async t => {
    const steps = fc.array(
      fc.oneof(
        { weight: 5, arbitrary: publish },
        { weight: 2, arbitrary: lose },
        { weight: 1, arbitrary: takeover },
        { weight: 2, arbitrary: wait }
      ),
      { minLength: 3, maxLength: 15 }
    )
    await fc.assert(fc.asyncProperty(steps, async list => {
      const faults = await play(list, shards)
      if (faults.length > 0) throw new Error(faults.join('; '))
    }), { numRuns: RUNS, examples: [[[...SAME_OFFSET]]] })
    t.pass(`${RUNS} runs`)
  })
}
