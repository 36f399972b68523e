import { parseTopicKey, type Topic, topicKey } from '@tickwire/protocol'
import { type Entry, isGood, type KeptOrigin, type Log, type Origin, type ShardHead } from '../log/log.js'
import { DueTimes, TICK_MS } from './due-times.js'
import { EpochWatch } from './epochs.js'
import { Outputs } from './outputs.js'
import type { Budget, ProcessorContext, ProcessorMessage, ViewProcessor } from './processor.js'
import { BeginAnew, inputOf, readTopic, ShardInputs, untilAborted } from './shard-inputs.js'

/** Input topics that are restored at the same time. */
const RESTORED_AT_A_TIME = 16
/** Outputs in one read. */
const PAGE = 500
/** Messages that the states of all shards may keep one by one. */
const MOST_KEPT = 1_000_000
/** After this time a view is asked again whose output the log has refused. */
const REFUSED_PAUSE_MS = 1000
/** Outputs that are gathered into one append, unless one topic has more. */
const MAX_GATHERED = 500

export interface ViewRunnerOptions {
  /** See {@link EpochWatch}. */
  readonly lookMs?: number
  /** The log's time, in milliseconds since 1970; default: the clock of this server. */
  readonly now?: () => number
}

/** An output topic, and where the view stands in it. */
interface OutputTopic {
  readonly key: string
  readonly topic: Topic
  /** The sequence of the last message that the view has heard or said. */
  sequence: number
  /** The newest origin that the log has of it in this epoch. */
  offset: number
  part: number
}

/** An input topic: the offset up to which it has been applied, and the state there. */
interface View<State> {
  readonly topic: string
  readonly outputs: readonly OutputTopic[]
  readonly state: State
  offset: number
}

/** Runs a {@link ViewProcessor} on one shard. */
export class ViewRunner<State> {
  constructor (
    private readonly processor: ViewProcessor<State>,
    private readonly log: Log,
    private readonly shard: number,
    private readonly options: ViewRunnerOptions = {}
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
    const { log, shard, processor, options: { lookMs, now = Date.now } } = this
    const { signal } = context
    const inputs = await ShardInputs.follow(log, shard, new Set(processor.inputs))
    try {
      const watch = await EpochWatch.start(log, lookMs)
      const kept = await log.origins(processor.name)
      const outputs = new Outputs(context, inputs.head, watch.epochs)
      const views = new Views(processor, log, inputs.head, watch.epochs, kept, outputs, now)
      const topics = await inputs.topicsWith(kept)
      for (let at = 0; at < topics.length && !signal.aborted; at += RESTORED_AT_A_TIME) {
        await Promise.all(topics.slice(at, at + RESTORED_AT_A_TIME).map(topic => views.restore(topic)))
      }
      while (!signal.aborted && await watch.holds()) {
        await views.publishDue()
        const waitMs = views.isWaiting ? Math.min(TICK_MS, watch.lookMs) : watch.lookMs
        await views.applyAll(await inputs.next(waitMs, signal))
      }
    } finally {
      inputs.end()
    }
  }
}

/** The topics of a shard during a run, in which no epoch begins. */
class Views<State> {
  private readonly views = new Map<string, View<State>>()
  /** The views that may have something to publish now. */
  private readonly touched = new Set<View<State>>()
  private readonly times = new DueTimes<View<State>>()
  private readonly budget: Budget

  /**
   * @param head where the shard stood when following began
   * @param epochs by shard, the epoch of this run
   * @param kept by output topic, the newest origin of the processor
   */
  constructor (
    private readonly processor: ViewProcessor<State>,
    private readonly log: Log,
    private readonly head: ShardHead,
    private readonly epochs: readonly number[],
    private readonly kept: ReadonlyMap<string, KeptOrigin>,
    private readonly outputs: Outputs,
    private readonly now: () => number
  ) {
    this.budget = { used: 0, most: MOST_KEPT / log.shards }
  }

  /** Whether a view waits for its time. */
  get isWaiting (): boolean {
    return this.times.size > 0
  }

  /** Makes the state of a topic from what the log has, and publishes nothing. */
  async restore (topic: string): Promise<View<State>> {
    const { processor, log, head } = this
    const input = parseTopicKey(topic)
    const pages = readTopic(log, topic, 0, head)
    let page = await pages.next()
    const first = page.done === true ? await this.nextSequence(topic) : page.value[0]!.entry.sequence
    const outputs = processor.outputsOf(input).map(output => this.outputTopic(output))
    const state = processor.initial(input, first, this.budget)
    const view: View<State> = { topic, outputs, state, offset: 0 }
    for (const output of outputs) await this.hear(view, output)
    for (; page.done !== true; page = await pages.next()) {
      // The log has dropped more than it had when `first` was read.
      if (view.offset > 0 && page.value[0]!.missed) throw new BeginAnew()
      for (const { entry, missed } of page.value) this.apply(view, entry, missed)
    }
    this.views.set(topic, view)
    this.touched.add(view)
    return view
  }

  /** The sequence that a topic's next message will have. */
  private async nextSequence (topic: string): Promise<number> {
    const { last } = await this.log.read(topic, { sequence: Number.MAX_SAFE_INTEGER }, 1)
    return (last?.sequence ?? 0) + 1
  }

  /** Applies entries of the shard, in its order. */
  async applyAll (entries: readonly Entry[]): Promise<void> {
    for (const entry of entries) {
      const view = this.views.get(entry.topic) ?? await this.restore(entry.topic)
      if (entry.offset <= view.offset) continue
      this.apply(view, entry, entry.previous > view.offset)
      this.touched.add(view)
    }
  }

  /** Publishes what is due. @throws BeginAnew */
  async publishDue (): Promise<void> {
    const now = this.now()
    for (const view of this.times.take(now)) this.touched.add(view)
    let messages: ProcessorMessage[] = []
    let said: Array<readonly [View<State>, OutputTopic]> = []
    while (this.touched.size > 0) {
      for (const view of this.touched) {
        this.touched.delete(view)
        const { outputs, next } = this.processor.due(view.state, now)
        this.times.set(view, next)
        for (const output of outputs) {
          const topic = topicKey(output)
          const to = view.outputs.find(({ key }) => key === topic)!
          messages.push({ ...output, origin: this.nextOrigin(view, to) })
          said.push([view, to])
        }
        if (messages.length >= MAX_GATHERED) break
      }
      if (messages.length > 0) await this.publish(messages, said)
      messages = []
      said = []
    }
  }

  private async publish (
    messages: readonly ProcessorMessage[],
    said: ReadonlyArray<readonly [View<State>, OutputTopic]>
  ): Promise<void> {
    const answers = await this.outputs.publish(messages)
    const others = new Map<OutputTopic, View<State>>()
    for (const [index, answer] of answers.entries()) {
      const [view, to] = said[index]!
      if (answer === undefined) {
        this.processor.unsaid(view.state, messages[index]!)
        this.times.set(view, this.now() + REFUSED_PAUSE_MS)
        continue
      }
      // An append that was given up has come late, and the log has refused this one for it.
      if (answer.repeated === true) throw new BeginAnew()
      if (others.has(to)) continue
      if (answer.sequence === to.sequence + 1) to.sequence++
      else others.set(to, view)
    }
    // Somebody else has published there, too.
    for (const [to, view] of others) {
      await this.hear(view, to)
      this.touched.add(view)
    }
  }

  /** Hears what an output topic says after what the view has heard or said. @throws BeginAnew */
  private async hear (view: View<State>, output: OutputTopic): Promise<void> {
    const { processor, log, head } = this
    const { key, topic } = output
    for (;;) {
      const { entries, epoch, last } = await log.read(key, { sequence: output.sequence }, PAGE)
      if (epoch !== this.epochs[log.shardOf(key)]) throw new BeginAnew()
      for (const { payload, origin, sequence } of entries) {
        const stands = origin?.processor === processor.name && isGood(origin, head)
        const missed = sequence > output.sequence + 1
        processor.hear(view.state, { topic, data: JSON.parse(payload), stands, missed })
        output.sequence = sequence
      }
      if (entries.length === PAGE) continue
      output.sequence = Math.max(output.sequence, last?.sequence ?? 0)
      return
    }
  }

  private apply (view: View<State>, entry: Entry, missed: boolean): void {
    this.processor.apply(view.state, inputOf(entry, missed, this.head))
    view.offset = entry.offset
  }

  private outputTopic (topic: Topic): OutputTopic {
    const key = topicKey(topic)
    const kept = this.kept.get(key)
    const isOfEpoch = kept?.epoch === this.head.epoch
    return {
      key,
      topic,
      sequence: 0,
      offset: isOfEpoch ? kept.offset : 0,
      part: isOfEpoch ? kept.part : -1
    }
  }

  /**
   * Returns the origin of a view's next output: that of its newest input, and newer than all that the log has
   * of the topic. It is of this run's epoch, whenever the input came: a later loss of the input shows in its
   * offset, and an output of an epoch that lost messages is older.
   */
  private nextOrigin ({ topic, offset }: View<State>, to: OutputTopic): Origin {
    to.part = offset > to.offset ? 0 : to.part + 1
    to.offset = Math.max(to.offset, offset)
    const { processor: { name: processor }, head: { epoch } } = this
    return { processor, topic, epoch, offset: to.offset, part: to.part }
  }
}
