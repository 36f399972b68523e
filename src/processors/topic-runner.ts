import { parseTopicKey, topicKey } from '@tickwire/protocol'
import { type Entry, epochAt, firstLost, isGood, type KeptOrigin, type Log, type Origin, type ShardHead } from '../log/log.js'
import { inEpochsOf, type Watched, watchEpochs } from './epochs.js'
import type { ProcessorContext, ProcessorMessage, RunEpochs, TopicProcessor } from './processor.js'
import { inputOf, readTopic, ShardInputs, untilAborted } from './shard-inputs.js'

/** How often it is looked whether the log has lost outputs. */
const LOOK_MS = 1000
/** Input topics that are restored at a time. */
const RESTORED_AT_A_TIME = 64
/** Outputs that are appended at a time. */
const MAX_OUTPUTS = 500
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
  private readonly lookMs: number

  /** @param times what a test may want shorter, in milliseconds */
  constructor (private readonly processor: TopicProcessor<State>, private readonly log: Log, private readonly shard: number, times: { readonly lookMs?: number } = {}) {
    this.lookMs = times.lookMs ?? LOOK_MS
  }

  /** Until the signal is aborted. @throws where the log does not take or give what it should: it is run anew then */
  async run (context: ProcessorContext): Promise<void> {
    await untilAborted(context.signal, () => this.runInEpoch(context))
  }

  /** Until the log begins an epoch where inputs or outputs are, or this falls behind. */
  private async runInEpoch (context: ProcessorContext): Promise<void> {
    const { log, shard, processor } = this
    const inputs = await ShardInputs.follow(log, shard, new Set(processor.inputs))
    try {
      const watched = await watchEpochs(log)
      const kept = await log.origins(processor.name)
      const work = new ShardWork(this, context, inputs.head, watched, kept)
      // An input that the log has lost altogether has outputs, too.
      const topics = [...new Set([...await inputs.topics(), ...[...kept.values()].map(({ topic }) => topic).filter(topic => log.shardOf(topic) === shard)])]
      for (let at = 0; at < topics.length; at += RESTORED_AT_A_TIME) {
        await Promise.all(topics.slice(at, at + RESTORED_AT_A_TIME).map(topic => work.begin(topic)))
      }
      await this.follow(inputs, work, watched, context.signal)
    } finally {
      inputs.end()
    }
  }

  private async follow (inputs: ShardInputs, work: ShardWork<State>, watched: Watched, signal: AbortSignal): Promise<void> {
    let lookedAt = performance.now()
    while (!signal.aborted) {
      const entries = await inputs.next(this.lookMs, signal)
      await work.process(entries.filter(({ offset }) => offset > inputs.head.offset))
      if (performance.now() - lookedAt < this.lookMs) continue
      lookedAt = performance.now()
      if (!await inEpochsOf(this.log, watched)) return
    }
  }

  /**
   * The state of an input topic behind outputs that were not lost, and up to which input that is. The newest of them may be one of several
   * of its input, of which the others were never appended: so its input is repeated, from the state before it.
   */
  async restore (topic: string, output: string, kept: KeptOrigin | undefined, head: ShardHead): Promise<{ readonly state: State, readonly offset: number }> {
    const to = parseTopicKey(output)
    const from = ({ payload, origin }: Entry): { state: State, offset: number } => ({ state: this.processor.restore(JSON.parse(payload), to), offset: origin!.offset })
    let newest: Entry | undefined
    for (let end = kept?.sequence ?? 0; end > 0;) {
      const start = Math.max(0, end - PAGE)
      const { entries } = await this.log.read(output, { sequence: start }, end - start)
      for (const entry of entries.toReversed()) {
        if (entry.sequence > end || !this.isOwn(entry.origin, topic) || !isGood(entry.origin!, head)) continue
        newest ??= entry
        if (entry.origin!.offset < newest.origin!.offset) return from(entry)
      }
      // Of an input whose outputs are the first that the log still has, nothing tells the state before it.
      if (newest !== undefined && (entries[0]?.sequence ?? Infinity) > start + 1) return from(newest)
      if (entries.length === 0) break
      end = start
    }
    return { state: this.processor.restore(undefined, to), offset: 0 }
  }

  private isOwn (origin: Origin | undefined, topic: string): boolean {
    return origin?.processor === this.processor.name && origin.topic === topic
  }

  outputOf (topic: string): string {
    return topicKey(this.processor.outputOf(parseTopicKey(topic)))
  }

  /** Reads messages into a state. @returns what they bring about, with its origins */
  apply (run: TopicRun<State>, entry: Entry, missed: boolean, head: ShardHead): ProcessorMessage[] {
    const { state, outputs } = this.processor.apply(run.state, inputOf(entry, missed))
    run.state = state
    run.offset = entry.offset
    return outputs.map((data, part) => this.message(run, data, { epoch: epochAt(entry.offset, head), offset: entry.offset, part }))
  }

  correction (run: TopicRun<State>, at: Pick<Origin, 'epoch' | 'offset'>): ProcessorMessage {
    return this.message(run, this.processor.correct(run.state, parseTopicKey(run.output)), { ...at, part: 0 })
  }

  private message ({ topic, output }: TopicRun<State>, data: unknown, at: Pick<Origin, 'epoch' | 'offset' | 'part'>): ProcessorMessage {
    return { ...parseTopicKey(output), data, origin: { processor: this.processor.name, topic, ...at } }
  }

  async read (topic: string, behind: number, upTo: Pick<ShardHead, 'epoch' | 'offset'>, take: (entry: Entry, missed: boolean) => void, page: () => Promise<void>): Promise<void> {
    for await (const entries of readTopic(this.log, topic, behind, upTo)) {
      for (const { entry, missed } of entries) take(entry, missed)
      await page()
    }
  }
}

/** The topics of a shard while no epoch begins. */
class ShardWork<State> {
  private readonly runs = new Map<string, TopicRun<State>>()
  private readonly epochs: RunEpochs

  constructor (
    private readonly runner: TopicRunner<State>, private readonly context: ProcessorContext, private readonly head: ShardHead, epochs: Watched, private readonly kept: ReadonlyMap<string, KeptOrigin>
  ) {
    this.epochs = { lineage: head.epochs.map(({ epoch }) => epoch), epochs }
  }

  /** Restores a topic's state, and goes on from there to where the shard stood when it began to be followed. */
  async begin (topic: string): Promise<void> {
    const { runner, head } = this
    const output = runner.outputOf(topic)
    const kept = this.kept.get(output)
    const run: TopicRun<State> = { topic, output, ...await runner.restore(topic, output, kept, head) }
    this.runs.set(topic, run)
    if (kept !== undefined && !isGood(kept, head)) await this.correct(run, kept)
    let messages: ProcessorMessage[] = []
    await runner.read(topic, run.offset, head, (entry, missed) => { messages.push(...runner.apply(run, entry, missed, head)) }, async () => {
      await this.publish(messages)
      messages = []
    })
  }

  /** What follows from messages that are lost is corrected, from the last one before them that is not. */
  private async correct (run: TopicRun<State>, kept: KeptOrigin): Promise<void> {
    const { runner, head } = this
    const lost = firstLost(kept.epoch, head)
    // Of an epoch that is not known, all before the present one may be lost.
    const upTo = (lost === undefined || lost === 0 ? head.epochs.at(-1)!.start : lost) - 1
    await runner.read(run.topic, run.offset, { epoch: head.epoch, offset: upTo }, (entry, missed) => { runner.apply(run, entry, missed, head) }, async () => {})
    run.offset = Math.max(run.offset, upTo)
    // It is older than whatever follows from the next message, which was appended in this epoch or a later one.
    await this.publish([runner.correction(run, { epoch: epochAt(upTo + 1, head), offset: upTo })])
  }

  /** What came in the shard, in its order. */
  async process (entries: readonly Entry[]): Promise<void> {
    const messages: ProcessorMessage[] = []
    for (const entry of entries) {
      let run = this.runs.get(entry.topic)
      if (run === undefined) {
        await this.begin(entry.topic)
        run = this.runs.get(entry.topic)!
      }
      if (entry.offset > run.offset) messages.push(...this.runner.apply(run, entry, entry.previous > run.offset, this.head))
    }
    await this.publish(messages)
  }

  private async publish (messages: readonly ProcessorMessage[]): Promise<void> {
    for (let at = 0; at < messages.length; at += MAX_OUTPUTS) await this.context.publish(messages.slice(at, at + MAX_OUTPUTS), this.epochs)
  }
}
