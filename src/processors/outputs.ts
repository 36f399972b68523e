import type { ShardHead } from '../log/log.js'
import type { Published, ProcessorContext, ProcessorMessage, RunEpochs } from './processor.js'

/** Most messages in one append: a log that is busy with other things must take them in time. */
const MAX_MESSAGES = 100

/** Publishes for one run of a processor: in the epochs in which the run began, and in no others. */
export class Outputs {
  private readonly run: RunEpochs

  /**
   * @param head of the shard that has the inputs of the outputs
   * @param epochs by shard, the epoch in which outputs are appended
   */
  constructor (private readonly context: ProcessorContext, head: ShardHead, epochs: readonly number[]) {
    this.run = { lineage: head.epochs.map(({ epoch }) => epoch), epochs }
  }

  /** The epochs of the inputs' shard, oldest first. */
  get lineage (): readonly number[] {
    return this.run.lineage
  }

  /** By shard, the epoch in which outputs are appended. */
  get epochs (): readonly number[] {
    return this.run.epochs
  }

  /** Appends in order. Returns and throws as {@link ProcessorContext.publish}. */
  async publish (messages: readonly ProcessorMessage[]): Promise<readonly Published[]> {
    const answers: Published[] = []
    for (let at = 0; at < messages.length; at += MAX_MESSAGES) {
      answers.push(...await this.context.publish(messages.slice(at, at + MAX_MESSAGES), this.run))
    }
    return answers
  }

  /**
   * Appends all of some messages, of which there are few enough for one append, or none of them: then each
   * answer is undefined.
   */
  async publishWhole (messages: readonly ProcessorMessage[]): Promise<readonly Published[]> {
    return await this.context.publish(messages, { ...this.run, whole: true })
  }
}
