import type { ShardHead } from '../log/log.js'
import type { Published, ProcessorContext, ProcessorMessage, RunEpochs } from './processor.js'

/** Messages that are appended at a time. */
const MAX_MESSAGES = 500

/** Where a run of a processor publishes: in the epochs in which it began, and in no others. */
export class Outputs {
  private readonly run: RunEpochs

  /**
   * @param head of the shard that the outputs follow from
   * @param epochs by shard, where outputs go
   */
  constructor (private readonly context: ProcessorContext, head: ShardHead, epochs: readonly number[]) {
    this.run = { lineage: head.epochs.map(({ epoch }) => epoch), epochs }
  }

  /** The epochs that the outputs follow from, oldest first. */
  get lineage (): readonly number[] {
    return this.run.lineage
  }

  /** Appends in order. @returns and throws as {@link ProcessorContext.publish} */
  async publish (messages: readonly ProcessorMessage[]): Promise<readonly Published[]> {
    const answers: Published[] = []
    for (let at = 0; at < messages.length; at += MAX_MESSAGES) answers.push(...await this.context.publish(messages.slice(at, at + MAX_MESSAGES), this.run))
    return answers
  }
}
