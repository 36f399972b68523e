import { setMaxListeners } from 'node:events'
import { parseTopicKey } from '@tickwire/protocol'
import { type Entry, epochAt, isGood, lastKept, type Log, type Origin, type ShardHead } from '../log/log.js'
import { EpochWatch } from './epochs.js'
import type { JournalMessage, Positions } from './journal.js'
import { Outputs } from './outputs.js'
import type { JournalProcessor, Output, ProcessorContext, ProcessorMessage } from './processor.js'
import { BeginAnew, inputOf, readTopic, ShardInputs, untilAborted } from './shard-inputs.js'

/** Behind all parts of a decision. */
const CORRECTION_PART = Number.MAX_SAFE_INTEGER
/** Decisions that are appended at a time. */
const MAX_DECISIONS = 500

/** A {@link JournalProcessor}, from the state that its journal says. */
export class JournalRunner<State, Decision> {
  /** @param lookMs see {@link EpochWatch} */
  constructor (private readonly processor: JournalProcessor<State, Decision>, private readonly log: Log, private readonly lookMs?: number) {}

  /** Until the signal is aborted. @throws where the log does not take or give what it should: it is run anew then */
  async run (context: ProcessorContext): Promise<void> {
    await untilAborted(context.signal, () => this.runInEpochs(context))
  }

  /** Until the log begins an epoch anywhere, or this falls behind. */
  private async runInEpochs (context: ProcessorContext): Promise<void> {
    const { log, processor } = this
    const channels = new Set(processor.inputs)
    const opened = await Promise.allSettled(Array.from({ length: log.shards }, (_, shard) => ShardInputs.follow(log, shard, channels)))
    const inputs = opened.flatMap(outcome => outcome.status === 'fulfilled' ? [outcome.value] : [])
    try {
      const failure = opened.find(outcome => outcome.status === 'rejected')
      if (failure !== undefined) throw failure.reason
      const watch = await EpochWatch.begin(log, this.lookMs)
      const { head } = inputs[log.shardOf(processor.journal)]!
      const journal = new Journal(processor, log, head, new Outputs(context, head, watch.epochs))
      await journal.load()
      await journal.project()
      for (const input of inputs) await journal.catchUp(input)
      while (!context.signal.aborted && await watch.holds()) await journal.decideAll(await arrivals(inputs, watch.lookMs, context.signal))
    } finally {
      for (const input of inputs) input.end()
    }
  }
}

/** What came in any shard; nothing where nothing came in time. @throws BeginAnew */
async function arrivals (inputs: readonly ShardInputs[], withinMs: number, signal: AbortSignal): Promise<Array<{ input: ShardInputs, entry: Entry }>> {
  const come = new AbortController()
  setMaxListeners(inputs.length, come.signal)
  const stop = (): void => { come.abort() }
  signal.addEventListener('abort', stop)
  // The first shard that has something wakes the others, which give what they have.
  const arrived = await Promise.all(inputs.map(async input => {
    const entries = await input.next(withinMs, come.signal).finally(stop)
    return entries.map(entry => ({ input, entry }))
  })).finally(() => { signal.removeEventListener('abort', stop) })
  return arrived.flat()
}

/** The journal while no epoch begins. */
class Journal<State, Decision> {
  private readonly topic: string
  private state: State
  private positions: Positions = {}
  /** Of the last decision. A decision is the message of the journal with its number as the sequence. */
  private number = 0

  constructor (
    private readonly processor: JournalProcessor<State, Decision>, private readonly log: Log, private readonly head: ShardHead, private readonly outputs: Outputs
  ) {
    this.topic = processor.journal
    this.state = processor.initial()
  }

  async load (): Promise<void> {
    const snapshot = await this.log.snapshot(this.topic)
    if (snapshot === undefined) {
      const { last } = await this.log.read(this.topic, { sequence: 0 }, 1)
      if (last !== undefined) throw new Error(`the state of the journal ${this.topic} is not known any more, so that ${this.processor.name} cannot go on from it`)
      return
    }
    const { positions, state } = JSON.parse(snapshot.payload) as JournalMessage<Decision, State>
    this.positions = positions
    this.state = state!
    this.number = snapshot.sequence
  }

  /** Publishes what follows from the decisions that the log holds, and corrects what followed from those that it has lost. */
  async project (): Promise<void> {
    const { log, topic } = this
    let first = this.number + 1
    /** By number of a decision, the epoch that its outputs have. */
    const epochs = new Map<number, number>()
    const projected: ProcessorMessage[] = []
    for await (const page of readTopic(log, topic, 0, this.head)) {
      for (const { entry: { sequence, origin, payload } } of page) {
        first = Math.min(first, sequence)
        epochs.set(sequence, origin!.epoch)
        projected.push(...this.outputsOf(sequence, origin!.epoch, (JSON.parse(payload) as JournalMessage<Decision>).decision))
      }
    }
    // Corrections come first, and stand for all that the corrected topics were still to be given.
    await this.outputs.publish(await this.corrections(({ offset, epoch, part }) => {
      const decided = epochs.get(offset)
      if (offset < first || decided === epoch) return true
      // A correction has the epoch in which it was made, which is that of its last decision or a later one.
      const { lineage } = this.outputs
      return part === CORRECTION_PART && decided !== undefined && lineage.indexOf(decided) <= lineage.indexOf(epoch)
    }))
    await this.outputs.publish(projected)
  }

  /** @param stands whether the decision that an output follows from is in the journal, or was before retention dropped it */
  private async corrections (stands: (origin: Origin) => boolean): Promise<ProcessorMessage[]> {
    const { log, processor, topic } = this
    const corrections: ProcessorMessage[] = []
    for (const [output, kept] of await log.origins(processor.name)) {
      if (output === topic || stands(kept)) continue
      const to = parseTopicKey(output)
      const data = processor.correct(this.state, to)
      if (data !== undefined) corrections.push(this.message({ ...to, data }, { epoch: this.head.epoch, offset: this.number, part: CORRECTION_PART }))
    }
    return corrections
  }

  /** Decides about what came in a shard since its position in the journal, as far as the shard stood when it began to be followed. */
  async catchUp (input: ShardInputs): Promise<void> {
    const { head, shard } = input
    const known = this.positions[shard]
    // What the shard has lost is decided about for good.
    const from = known === undefined ? 0 : lastKept({ epoch: known[0], offset: known[1] }, head)
    const found: Array<{ input: ShardInputs, entry: Entry, missed: boolean }> = []
    for (const topic of await input.topics()) {
      for await (const page of readTopic(this.log, topic, from, head)) found.push(...page.map(one => ({ input, ...one })))
    }
    await this.decideAll(found.sort((a, b) => a.entry.offset - b.entry.offset))
  }

  /** Decides about messages, in their order. */
  async decideAll (arrivals: ReadonlyArray<{ readonly input: ShardInputs, readonly entry: Entry, readonly missed?: boolean }>): Promise<void> {
    let decisions: Decision[] = []
    let messages: ProcessorMessage[] = []
    for (const { input: { head, shard }, entry, missed = false } of arrivals) {
      const before = this.positions[shard]
      if (before !== undefined && isGood({ epoch: before[0], offset: before[1] }, head) && entry.offset <= before[1]) continue
      const decision = this.processor.decide(this.state, inputOf(entry, missed))
      this.positions = { ...this.positions, [shard]: [epochAt(entry.offset, head), entry.offset] }
      if (decision === undefined) continue
      this.state = this.processor.apply(this.state, decision)
      decisions.push(decision)
      messages.push({
        channel: this.topic,
        data: { positions: this.positions, decision },
        origin: { processor: this.processor.name, topic: this.topic, epoch: this.head.epoch, offset: this.number + decisions.length, part: 0 }
      })
      if (decisions.length < MAX_DECISIONS) continue
      await this.write(messages, decisions)
      decisions = []
      messages = []
    }
    await this.write(messages, decisions)
  }

  private async write (messages: readonly ProcessorMessage[], decisions: readonly Decision[]): Promise<void> {
    if (messages.length === 0) return
    const answers = await this.outputs.publish(messages)
    const projected: ProcessorMessage[] = []
    for (const [index, answer] of answers.entries()) {
      const number = ++this.number
      if (answer === undefined) throw new Error(`the journal ${this.topic} refuses a decision of the processor ${this.processor.name}`)
      // The journal has lost its last messages, or has one that this run does not know of: it came late.
      if (answer.repeated === true || answer.sequence !== number) throw new BeginAnew()
      projected.push(...this.outputsOf(number, this.head.epoch, decisions[index]!))
    }
    await this.outputs.publish(projected)
  }

  private outputsOf (number: number, epoch: number, decision: Decision): ProcessorMessage[] {
    const parts = new Map<string, number>()
    return this.processor.project(decision).map(output => {
      const name = JSON.stringify([output.channel, output.symbol, output.user])
      const part = parts.get(name) ?? 0
      parts.set(name, part + 1)
      return this.message(output, { epoch, offset: number, part })
    })
  }

  private message (output: Output, at: Pick<Origin, 'epoch' | 'offset' | 'part'>): ProcessorMessage {
    return { ...output, origin: { processor: this.processor.name, topic: this.topic, ...at } }
  }
}
