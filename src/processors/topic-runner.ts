import { parseTopicKey, topicKey } from '@tickwire/protocol'
import { type Entry, epochAt, isGood, type KeptOrigin, lastKept, type Log, type Origin, type ShardHead } from '../log/log.js'
import { EpochWatch } from './epochs.js'
import { Outputs } from './outputs.js'
import type { ProcessorContext, ProcessorMessage, TopicProcessor } from './processor.js'
import { inputOf, readTopic, ShardInputs, untilAborted } from './shard-inputs.js'

/** Input topics that are restored at a time. */
const RESTORED_AT_A_TIME = 64
/** Outputs that are looked through at a time for one that was not lost. */
const PAGE = 100

/** An input topic: how far it has been processed, and the state there. */
interface TopicRun<State> {
  readonly topic: string
  readonly output: string
  state: State
  offset: number
}

/** A {@link TopicProcessor} on one shard, from the state that its outputs say. */
export class TopicRunner<State> {
  /** @param lookMs see {@link EpochWatch} */
  constructor (private readonly processor: TopicProcessor<State>, private readonly log: Log, private readonly shard: number, private readonly lookMs?: number) {}

  /** Until the signal is aborted. @throws where the log does not take or give what it should: it is run anew then */
  async run (context: ProcessorContext): Promise<void> {
    await untilAborted(context.signal, () => this.runInEpoch(context))
  }

  /** Until the log begins an epoch where inputs or outputs are, or this falls behind. */
  private async runInEpoch (context: ProcessorContext): Promise<void> {
    const { log, shard, processor } = this
    const inputs = await ShardInputs.follow(log, shard, new Set(processor.inputs))
    try {
      const watch = await EpochWatch.begin(log, this.lookMs)
      const kept = await log.origins(processor.name)
      const work = new ShardWork(processor, log, inputs.head, kept, new Outputs(context, inputs.head, watch.epochs))
      // An input that the log has lost altogether has outputs, too.
      const topics = [...new Set([...await inputs.topics(), ...[...kept.values()].map(({ topic }) => topic).filter(topic => log.shardOf(topic) === shard)])]
      for (let at = 0; at < topics.length; at += RESTORED_AT_A_TIME) {
        await Promise.all(topics.slice(at, at + RESTORED_AT_A_TIME).map(topic => work.begin(topic)))
      }
      while (!context.signal.aborted && await watch.holds()) await work.process(await inputs.next(watch.lookMs, context.signal))
    } finally {
      inputs.end()
    }
  }
}

/** The topics of a shard while no epoch begins. */
class ShardWork<State> {
  private readonly runs = new Map<string, TopicRun<State>>()

  /**
   * @param head where the shard stood when it began to be followed
   * @param kept by output topic, the newest origin
   */
  constructor (
    private readonly processor: TopicProcessor<State>, private readonly log: Log, private readonly head: ShardHead,
    private readonly kept: ReadonlyMap<string, KeptOrigin>, private readonly outputs: Outputs
  ) {}

  /** Restores a topic's state, and goes on from there to where the shard stood when it began to be followed. */
  async begin (topic: string): Promise<TopicRun<State>> {
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

  /** What came in the shard, in its order. */
  async process (entries: readonly Entry[]): Promise<void> {
    const messages: ProcessorMessage[] = []
    for (const entry of entries) {
      const run = this.runs.get(entry.topic) ?? await this.begin(entry.topic)
      if (entry.offset > run.offset) messages.push(...this.apply(run, entry, entry.previous > run.offset))
    }
    await this.outputs.publish(messages)
  }

  /**
   * The state of an input topic behind outputs that were not lost, and up to which input that is. The log may have taken the newest output
   * and not others of the same input: the processor repeats that input, from the state before it.
   */
  private async restore (topic: string, output: string, kept: KeptOrigin | undefined): Promise<{ readonly state: State, readonly offset: number }> {
    const { processor, log, head } = this
    const to = parseTopicKey(output)
    const from = ({ payload, origin }: Entry): { state: State, offset: number } => ({ state: processor.restore(JSON.parse(payload), to), offset: origin!.offset })
    const stands = (origin: Origin | undefined): boolean => origin?.processor === processor.name && origin.topic === topic && isGood(origin, head)
    let newest: Entry | undefined
    for (let end = kept?.sequence ?? 0; end > 0;) {
      const start = Math.max(0, end - PAGE)
      const { entries } = await log.read(output, { sequence: start }, end - start)
      for (const entry of entries.toReversed()) {
        if (entry.sequence > end || !stands(entry.origin)) continue
        newest ??= entry
        if (entry.origin!.offset < newest.origin!.offset) return from(entry)
      }
      // Of an input whose outputs are the first that the log still has, nothing tells the state before it.
      if (newest !== undefined && (entries[0]?.sequence ?? Infinity) > start + 1) return from(newest)
      if (entries.length === 0) break
      end = start
    }
    return { state: processor.restore(undefined, to), offset: 0 }
  }

  /** Corrects what follows from lost messages. @param upTo the last offset that is left of those that outputs follow from */
  private async correct (run: TopicRun<State>, upTo: number): Promise<void> {
    const { processor, log, head } = this
    for await (const page of readTopic(log, run.topic, run.offset, { epoch: head.epoch, offset: upTo })) {
      for (const { entry, missed } of page) this.apply(run, entry, missed)
    }
    run.offset = Math.max(run.offset, upTo)
    // It is older than whatever follows from the next message, which was appended in this epoch or a later one.
    await this.outputs.publish([this.message(run, processor.correct(run.state, parseTopicKey(run.output)), { epoch: epochAt(upTo + 1, head), offset: upTo, part: 0 })])
  }

  /** Applies a message to the state of its topic. @returns its outputs */
  private apply (run: TopicRun<State>, entry: Entry, missed: boolean): ProcessorMessage[] {
    const { state, outputs } = this.processor.apply(run.state, inputOf(entry, missed))
    run.state = state
    run.offset = entry.offset
    return outputs.map((data, part) => this.message(run, data, { epoch: epochAt(entry.offset, this.head), offset: entry.offset, part }))
  }

  private message ({ topic, output }: TopicRun<State>, data: unknown, at: Pick<Origin, 'epoch' | 'offset' | 'part'>): ProcessorMessage {
    return { ...parseTopicKey(output), data, origin: { processor: this.processor.name, topic, ...at } }
  }
}
