import { COMMON_SHARD, type Log } from '../log/log.js'
import { arrivals } from './arrivals.js'
import { EpochWatch } from './epochs.js'
import { Projected } from './journal-projection.js'
import { JournalRun, type JournalRunOptions } from './journal-run.js'
import { Outputs } from './outputs.js'
import type { JournalProcessor, ProcessorContext } from './processor.js'
import { ShardInputs, untilAborted } from './shard-inputs.js'

/**
 * A processor that notes its positions does so this often, in milliseconds. A server that takes over repeats
 * at most the messages of that time.
 */
const NOTED_MS = 5000

/** Runs a {@link JournalProcessor}, from the state of its journal. */
export class JournalRunner<State, Decision> implements JournalRunOptions {
  readonly projected = new Projected()

  /** @param lookMs see {@link EpochWatch} @param notedMs @param now see {@link JournalRunOptions} */
  constructor (
    private readonly processor: JournalProcessor<State, Decision>,
    private readonly log: Log,
    private readonly lookMs?: number,
    readonly notedMs = NOTED_MS,
    readonly now = Date.now
  ) {}

  /**
   * Runs until the signal is aborted.
   * @throws if the log fails to take or give messages; the caller runs it again then
   */
  async run (context: ProcessorContext): Promise<void> {
    await untilAborted(context.signal, () => this.runInEpochs(context))
  }

  /** Runs until the log begins an epoch anywhere, or the run falls too far behind. */
  private async runInEpochs (context: ProcessorContext): Promise<void> {
    const { log, processor } = this
    const { rules } = processor
    const channels = new Set([...processor.inputs, ...rules === undefined ? [] : [rules.channel]])
    const inputs = await ShardInputs.followAll(log, channels)
    try {
      const watch = await EpochWatch.start(log, this.lookMs)
      const { head } = inputs[log.shardOf(processor.journal)]!
      const outputs = new Outputs(context, head, watch.epochs)
      const journal = new JournalRun(processor, log, head, outputs, this)
      try {
        await journal.load()
        await journal.project()
        await journal.learnRules(inputs[COMMON_SHARD]!)
        await journal.follow(inputs)
        for (const input of inputs) await journal.catchUp(input)
        while (!context.signal.aborted && await watch.holds()) {
          await journal.decideAll(await arrivals(inputs, journal.waitMs(watch.lookMs), context.signal))
          await journal.decideDue(inputs)
          await journal.notePositions()
        }
      } finally {
        journal.end()
      }
    } finally {
      for (const input of inputs) input.end()
    }
  }
}
