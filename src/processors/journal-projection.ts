import { isDeepStrictEqual } from 'node:util'
import { parseTopicKey } from '@tickwire/protocol'
import type { Log, Origin, ShardHead } from '../log/log.js'
import type { JournalMessage } from './journal.js'
import type { Outputs } from './outputs.js'
import type { JournalProcessor, Output, ProcessorMessage } from './processor.js'
import { readEntries } from './shard-inputs.js'

/** Higher than every part of a decision, so that a correction is newer than all of them. */
const CORRECTION_PART = Number.MAX_SAFE_INTEGER

/**
 * Up to which decision a server has published the outputs of a journal. It is kept from run to run: a run
 * that the log has failed does not publish them all again, which takes long where the log is slow.
 */
export class Projected {
  private epochs: readonly number[] = []
  private number = 0

  /**
   * Returns the number of the last decision all of whose outputs were published in some epochs; undefined if
   * nobody knows.
   * @param epochs by shard
   */
  upTo (epochs: readonly number[]): number | undefined {
    return isDeepStrictEqual(this.epochs, epochs) ? this.number : undefined
  }

  note (epochs: readonly number[], number: number): void {
    this.epochs = epochs
    this.number = number
  }
}

/** Publishes what follows from the decisions of a journal, during a run. */
export class JournalProjection<State, Decision> {
  constructor (
    private readonly processor: JournalProcessor<State, Decision>,
    private readonly log: Log,
    private readonly head: ShardHead,
    private readonly outputs: Outputs,
    private readonly projected: Projected
  ) {}

  /**
   * Publishes the outputs of retained decisions that were not published yet, and corrects the outputs of lost
   * ones.
   * @param state @param number after, and of, the last decision
   */
  async begin (state: State, number: number): Promise<void> {
    const known = this.projected.upTo(this.outputs.epochs)
    if (known === undefined) await this.publishAll(state, number)
    else for await (const decided of this.decisions(known)) await this.publishPage(decided)
  }

  /** Publishes the outputs of decisions, in their order. @param last the number of the last one */
  async publish (decisions: ReadonlyArray<Decision | undefined>, last: number): Promise<void> {
    const first = last - decisions.length + 1
    const { epoch } = this.head
    await this.publishPage(decisions.map((decision, index) => ({ decision, number: first + index, epoch })))
  }

  private async publishAll (state: State, number: number): Promise<void> {
    let first = number + 1
    /** By number of a decision, the epoch of its outputs. */
    const epochs = new Map<number, number>()
    const pages: Array<ReadonlyArray<Decided<Decision>>> = []
    for await (const page of this.decisions(0)) {
      pages.push(page)
      first = Math.min(first, page[0]!.number)
      for (const { number, epoch } of page) epochs.set(number, epoch)
    }
    // Corrections are published first. A correction replaces all outputs that its topic was still to get.
    await this.outputs.publish(await this.corrections(state, number, ({ offset, epoch, part }) => {
      const decided = epochs.get(offset)
      if (offset < first || decided === epoch) return true
      // A correction is of the epoch in which it was made: that of its last decision, or a later one.
      const { lineage } = this.outputs
      if (part !== CORRECTION_PART || decided === undefined) return false
      return lineage.indexOf(decided) <= lineage.indexOf(epoch)
    }))
    this.projected.note(this.outputs.epochs, first - 1)
    for (const page of pages) await this.publishPage(page)
  }

  /** Reads the decisions after one of a number. @throws BeginAnew */
  private async * decisions (after: number): AsyncGenerator<ReadonlyArray<Decided<Decision>>> {
    const { log, processor: { journal }, head } = this
    for await (const { entries } of readEntries(log, journal, { sequence: after }, head)) {
      yield entries.map(({ sequence: number, origin, payload }) => {
        const { decision } = JSON.parse(payload) as JournalMessage<Decision>
        return { number, epoch: origin!.epoch, decision }
      })
    }
  }

  private async publishPage (decided: ReadonlyArray<Decided<Decision>>): Promise<void> {
    await this.outputs.publish(decided.flatMap(one => this.outputsOf(one)))
    const last = decided.at(-1)
    if (last !== undefined) this.projected.note(this.outputs.epochs, last.number)
  }

  /**
   * @param stands whether the decision of an output is in the journal, or was there until retention dropped
   * it
   */
  private async corrections (
    state: State, number: number, stands: (origin: Origin) => boolean
  ): Promise<ProcessorMessage[]> {
    const { log, processor, head: { epoch } } = this
    const corrections: ProcessorMessage[] = []
    for (const [output, kept] of await log.origins(processor.name)) {
      if (output === processor.journal || stands(kept)) continue
      const to = parseTopicKey(output)
      const data = processor.correct(state, to)
      if (data === undefined) continue
      const at = { epoch, offset: number, part: CORRECTION_PART }
      corrections.push(journaled(processor, { ...to, data }, at))
    }
    return corrections
  }

  private outputsOf ({ decision, number, epoch }: Decided<Decision>): ProcessorMessage[] {
    const { processor } = this
    if (decision === undefined) return []
    const parts = new Map<string, number>()
    return processor.project(decision).map(output => {
      const name = JSON.stringify([output.channel, output.symbol, output.user])
      const part = parts.get(name) ?? 0
      parts.set(name, part + 1)
      return journaled(processor, output, { epoch, offset: number, part })
    })
  }
}

/** A message of the journal; one that only notes positions has no decision. */
interface Decided<Decision> {
  readonly decision: Decision | undefined
  readonly number: number
  readonly epoch: number
}

/** Returns a message with its place in a journal. */
export function journaled (
  { name: processor, journal: topic }: Pick<JournalProcessor<never>, 'name' | 'journal'>,
  output: Output,
  at: Pick<Origin, 'epoch' | 'offset' | 'part'>
): ProcessorMessage {
  return { ...output, origin: { processor, topic, ...at } }
}
