import { type ChannelDefinition, ProtocolError, topicKey } from '@tickwire/protocol'
import { COMMON_SHARD, type Log, StaleEpoch } from '../log/log.js'
import type { Publisher } from '../publisher/publisher.js'

/** How often a change is tried again because another one came first. */
const MAX_TRIES = 50

export interface UserListOptions {
  readonly log: Log
  readonly publisher: Pick<Publisher, 'publishOne'>
  /** Compacted, without symbols, and on the shard that every server follows. */
  readonly channel: ChannelDefinition
  /** The field of its data that has the list. */
  readonly field: string
  /** The processor in the origins of changes. The log orders the changes of a user's list by them. */
  readonly processor: string
}

/**
 * What users keep as a list: their alert rules, their strategies. The list of a user is one message. A change
 * is appended only if it follows from the message before (ADR 47).
 */
export class UserList<Item> {
  constructor (private readonly options: UserListOptions) {}

  /** @throws ProtocolError `log_unavailable` */
  async read (user: string): Promise<readonly Item[]> {
    return (await this.readState(user)).items
  }

  /**
   * Replaces the list of a user by another that follows from it.
   * @param edit may be called several times; if it returns the list that it gets, nothing is appended
   * @throws ProtocolError `log_unavailable`, `overloaded`; what `edit` throws
   */
  async change (user: string, edit: (items: readonly Item[]) => readonly Item[]): Promise<void> {
    const { log, publisher, channel: { name: channel }, field, processor } = this.options
    const topic = topicKey({ channel, user })
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const [head] = await log.head([COMMON_SHARD])
      const { epoch, epochs } = head!
      const { items, sequence } = await this.readState(user)
      const after = edit(items)
      if (after === items) return
      // Two changes that follow from the same message have the same origin, and the log takes one of them.
      const origin = { processor, topic, epoch, offset: sequence, part: 0 }
      const data = after.length === 0 ? null : { [field]: after }
      try {
        const result = await publisher.publishOne({ channel, user, data, origin }, {
          lineage: epochs.map(known => known.epoch), epochs: [epoch]
        })
        if (result.repeated !== true) return
      } catch (error) {
        if (!(error instanceof StaleEpoch)) throw error
      }
    }
    throw new ProtocolError('overloaded', 'the list changes too often at once; send the change again')
  }

  private async readState (
    user: string
  ): Promise<{ readonly items: readonly Item[], readonly sequence: number }> {
    const { log, channel, field } = this.options
    const topic = topicKey({ channel: channel.name, user })
    // Asked for first: a message that comes between the two reads must not be taken for known.
    const { last } = await log.read(topic, { sequence: Number.MAX_SAFE_INTEGER }, 1)
    const state = await log.snapshot(topic)
    if (state === undefined) return { items: [], sequence: last?.sequence ?? 0 }
    const data = JSON.parse(state.payload) as Readonly<Record<string, readonly Item[]>>
    return { items: data[field] ?? [], sequence: state.sequence }
  }
}
