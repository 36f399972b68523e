import { setMaxListeners } from 'node:events'
import { parseTopicKey } from '@tickwire/protocol'
import { type Entry, epochAt, firstLost, isGood, type Log, type Origin, type ShardHead } from '../log/log.js'
import { inEpochsOf, type Watched, watchEpochs } from './epochs.js'
import type { JournalMessage, Positions } from './journal.js'
import type { JournalProcessor, Output, ProcessorContext, ProcessorMessage, RunEpochs } from './processor.js'
import { BeginAnew, inputOf, readTopic, ShardInputs, untilAborted } from './shard-inputs.js'

/** How often it is looked whether the log has lost anything. */
const LOOK_MS = 1000
/** Behind all parts of a decision. */
const CORRECTION_PART = Number.MAX_SAFE_INTEGER
/** Decisions that are appended at a time. */
const MAX_DECISIONS = 500

/** A {@link JournalProcessor}, from the state that its journal says. */
export class JournalRunner<State, Decision> {
  private readonly lookMs: number

  /** @param times what a test may want shorter, in milliseconds */
  constructor (private readonly processor: JournalProcessor<State, Decision>, private readonly log: Log, times: { readonly lookMs?: number } = {}) {
    this.lookMs = times.lookMs ?? LOOK_MS
  }

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
      const watched = await watchEpochs(log)
      const journal = new Journal(processor, log, context, inputs[log.shardOf(processor.journal)]!.head, watched)
      await journal.load()
      await journal.project()
      for (const input of inputs) await journal.catchUp(input)
      let lookedAt = performance.now()
      while (!context.signal.aborted) {
        await journal.decideAll(await this.arrivals(inputs, context.signal))
        if (performance.now() - lookedAt < this.lookMs) continue
        lookedAt = performance.now()
        if (!await inEpochsOf(log, watched)) return
      }
    } finally {
      for (const input of inputs) input.end()
    }
  }

  /** What came in any shard. @throws BeginAnew */
  private async arrivals (inputs: readonly ShardInputs[], signal: AbortSignal): Promise<Array<{ input: ShardInputs, entry: Entry }>> {
    const come = new AbortController()
    setMaxListeners(inputs.length, come.signal)
    const stop = (): void => { come.abort() }
    signal.addEventListener('abort', stop)
    // The first shard that has something wakes the others, which give what they have.
    const arrived = await Promise.all(inputs.map(async input => {
      const entries = await input.next(this.lookMs, come.signal).finally(() => { come.abort() })
      return entries.map(entry => ({ input, entry }))
    })).finally(() => { signal.removeEventListener('abort', stop) })
    return arrived.flat()
  }
}

/** The journal while no epoch begins. */
class Journal<State, Decision> {
  private readonly topic: string
  private readonly epochs: RunEpochs
  private state: State
  private positions: Positions = {}
  /** Of the last decision. A decision is the message of the journal with its number as the sequence. */
  private number = 0

  constructor (
    private readonly processor: JournalProcessor<State, Decision>, private readonly log: Log, private readonly context: ProcessorContext, private readonly head: ShardHead, epochs: Watched
  ) {
    this.topic = processor.journal
    this.epochs = { lineage: head.epochs.map(({ epoch }) => epoch), epochs }
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
    const outputs: ProcessorMessage[] = []
    for await (const page of readTopic(log, topic, 0, this.head)) {
      for (const { entry: { sequence, origin, payload } } of page) {
        first = Math.min(first, sequence)
        epochs.set(sequence, origin!.epoch)
        outputs.push(...this.outputsOf(sequence, origin!.epoch, (JSON.parse(payload) as JournalMessage<Decision>).decision))
      }
    }
    // Corrections come first, and stand for all that the corrected topics were still to be given.
    await this.publish(await this.corrections(({ offset, epoch, part }) => {
      const decided = epochs.get(offset)
      if (offset < first || decided === epoch) return true
      // A correction has the epoch in which it was made, which is that of its last decision or a later one.
      const { lineage } = this.epochs
      return part === CORRECTION_PART && decided !== undefined && lineage.indexOf(decided) <= lineage.indexOf(epoch)
    }))
    await this.publish(outputs)
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
    const from = this.start(shard, head)
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
    const answers = await this.context.publish(messages, this.epochs)
    const outputs: ProcessorMessage[] = []
    for (const [index, answer] of answers.entries()) {
      const number = ++this.number
      if (answer === undefined) throw new Error(`the journal ${this.topic} refuses a decision of the processor ${this.processor.name}`)
      // The journal has lost its last messages, or has one that this run does not know of: it came late.
      if (answer.repeated === true || answer.sequence !== number) throw new BeginAnew()
      outputs.push(...this.outputsOf(number, this.head.epoch, decisions[index]!))
    }
    await this.publish(outputs)
  }

  /** Behind which offset of a shard nothing has been decided about. What the shard has lost is decided about for good. */
  private start (shard: number, head: ShardHead): number {
    const known = this.positions[shard]
    if (known === undefined) return 0
    const [epoch, offset] = known
    if (isGood({ epoch, offset }, head)) return offset
    const lost = firstLost(epoch, head)
    return (lost === undefined || lost === 0 ? head.epochs.at(-1)!.start : lost) - 1
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

  private async publish (messages: readonly ProcessorMessage[]): Promise<void> {
    for (let at = 0; at < messages.length; at += MAX_DECISIONS) await this.context.publish(messages.slice(at, at + MAX_DECISIONS), this.epochs)
  }
}
