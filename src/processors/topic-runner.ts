import { parseTopicKey, topicKey } from '@tickwire/protocol'
import {
  type Entry, epochAt, isGood, type KeptOrigin, lastKept, type Log, type Origin, type ShardHead
} from '../log/log.js'
import { atATime } from './at-a-time.js'
import { EpochWatch } from './epochs.js'
import { Outputs } from './outputs.js'
import type { ProcessorContext, ProcessorMessage, TopicProcessor } from './processor.js'
import { inputOf, readTopic, ShardInputs, untilAborted } from './shard-inputs.js'

/** Input topics that are restored at the same time. */
const RESTORED_AT_A_TIME = 64
/** Outputs in one read when looking for one that was not lost. */
const PAGE = 100

/** An input topic: the offset up to which it has been processed, and the state there. */
interface TopicRun<State> {
  readonly topic: string
  readonly output: string
  state: State
  offset: number
}

/** Runs a {@link TopicProcessor} on one shard, from the state that its outputs say. */
export class TopicRunner<State> {
  /** @param lookMs see {@link EpochWatch} */
  constructor (
    private readonly processor: TopicProcessor<State>,
    private readonly log: Log,
    private readonly shard: number,
    private readonly lookMs?: number
  ) {}

  /**
   * Runs until the signal is aborted.
   * @throws if the log fails to take or give messages; the caller runs it again then
   */
  async run (context: ProcessorContext): Promise<void> {
    await untilAborted(context.signal, () => this.runInEpoch(context))
  }

  /** Runs until the log begins an epoch anywhere, or the run falls too far behind. */
  private async runInEpoch (context: ProcessorContext): Promise<void> {
    const { log, shard, processor } = this
    const inputs = await ShardInputs.follow(log, shard, new Set(processor.inputs))
    try {
      const watch = await EpochWatch.start(log, this.lookMs)
      const kept = await log.origins(processor.name)
      const outputs = new Outputs(context, inputs.head, watch.epochs)
      const work = new ShardWork(processor, log, inputs.head, kept, outputs)
      const topics = await inputs.topicsWith(kept)
      await atATime(RESTORED_AT_A_TIME, topics, topic => work.startTopic(topic))
      while (!context.signal.aborted && await watch.holds()) {
        await work.applyAll(await inputs.next(watch.lookMs, context.signal))
      }
    } finally {
      inputs.end()
    }
  }
}

/** The topics of a shard during a run, in which no epoch begins. */
class ShardWork<State> {
  private readonly runs = new Map<string, TopicRun<State>>()

  /**
   * @param head where the shard stood when following began
   * @param kept by output topic, the newest origin of the processor
   */
  constructor (
    private readonly processor: TopicProcessor<State>,
    private readonly log: Log,
    private readonly head: ShardHead,
    private readonly kept: ReadonlyMap<string, KeptOrigin>,
    private readonly outputs: Outputs
  ) {}

  /** Restores a topic's state, and processes its messages from there to the head at which following began. */
  async startTopic (topic: string): Promise<TopicRun<State>> {
    const { processor, log, head } = this
    const output = topicKey(processor.outputOf(parseTopicKey(topic)))
    const kept = this.kept.get(output)
    const run: TopicRun<State> = { topic, output, ...await this.restore(topic, output, kept) }
    this.runs.set(topic, run)
    if (kept !== undefined && !isGood(kept, head)) await this.correct(run, lastKept(kept, head))
    for await (const page of readTopic(log, topic, run.offset, head)) {
      await this.outputs.publish(page.flatMap(({ entry, missed }) => this.apply(run, entry, missed)))
    }
    return run
  }

  /** Applies entries of the shard, in its order, and publishes what follows from them. */
  async applyAll (entries: readonly Entry[]): Promise<void> {
    const messages: ProcessorMessage[] = []
    for (const entry of entries) {
      const run = this.runs.get(entry.topic) ?? await this.startTopic(entry.topic)
      if (entry.offset > run.offset) messages.push(...this.apply(run, entry, entry.previous > run.offset))
    }
    await this.outputs.publish(messages)
  }

  /**
   * Restores the state of an input topic from an output that was not lost, and the offset of the input that
   * this output follows from. The log may have taken one output of the newest input and not others of the
   * same input. So the state is that before the newest input, and the processor repeats that input.
   */
  private async restore (
    topic: string,
    output: string,
    kept: KeptOrigin | undefined
  ): Promise<{ readonly state: State, readonly offset: number }> {
    const { processor, log, head } = this
    const to = parseTopicKey(output)
    const from = ({ payload, origin }: Entry): { state: State, offset: number } => {
      return { state: processor.restore(JSON.parse(payload), to), offset: origin!.offset }
    }
    const stands = (origin: Origin | undefined): boolean => {
      return origin?.processor === processor.name && origin.topic === topic && isGood(origin, head)
    }
    let newest: Entry | undefined
    for (let end = kept?.sequence ?? 0; end > 0;) {
      const start = Math.max(0, end - PAGE)
      const { entries } = await log.read(output, { sequence: start }, end - start)
      for (const entry of entries.toReversed()) {
        if (entry.sequence > end || !stands(entry.origin)) continue
        newest ??= entry
        if (entry.origin!.offset < newest.origin!.offset) return from(entry)
      }
      // The outputs of the newest input are the first that the log retains: nothing says the state before
      // them.
      if (newest !== undefined && (entries[0]?.sequence ?? Infinity) > start + 1) return from(newest)
      if (entries.length === 0) break
      end = start
    }
    return { state: processor.restore(undefined, to), offset: 0 }
  }

  /**
   * Corrects the output topic after a loss of input messages.
   * @param upTo the last offset of the messages that outputs followed from and that are not lost
   */
  private async correct (run: TopicRun<State>, upTo: number): Promise<void> {
    const { processor, log, head } = this
    for await (const page of readTopic(log, run.topic, run.offset, { epoch: head.epoch, offset: upTo })) {
      for (const { entry, missed } of page) this.apply(run, entry, missed)
    }
    run.offset = Math.max(run.offset, upTo)
    // The epoch makes the correction older than the outputs of the next message, which is of this epoch or a
    // later one.
    const data = processor.correct(run.state, parseTopicKey(run.output))
    const at = { epoch: epochAt(upTo + 1, head), offset: upTo, part: 0 }
    await this.outputs.publish([this.message(run, data, at)])
  }

  /** Applies a message to the state of its topic. @returns its outputs */
  private apply (run: TopicRun<State>, entry: Entry, missed: boolean): ProcessorMessage[] {
    const { state, outputs } = this.processor.apply(run.state, inputOf(entry, missed, this.head))
    run.state = state
    run.offset = entry.offset
    const { offset } = entry
    const epoch = epochAt(offset, this.head)
    return outputs.map((data, part) => this.message(run, data, { epoch, offset, part }))
  }

  private message (
    { topic, output }: TopicRun<State>,
    data: unknown,
    at: Pick<Origin, 'epoch' | 'offset' | 'part'>
  ): ProcessorMessage {
    return { ...parseTopicKey(output), data, origin: { processor: this.processor.name, topic, ...at } }
  }
}
