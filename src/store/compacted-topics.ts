import { channelOfKey, type Channels, isRemoval, parseTopicKey } from '@tickwire/protocol'
import type { Entry, Log, Tailing } from '../log/log.js'
import type { Publication, Publisher } from '../publisher/publisher.js'
import { newestTimestamp, readStates, type State } from './states.js'
import type { LateStore } from './late-store.js'
import { accessTo, type Store, type StoreAccess } from './store.js'

export interface CompactedTopicsOptions {
  /** A log that forgets everything with its process. */
  readonly log: Log
  readonly channels: Channels
  readonly publisher: Publisher
  /** Nothing comes back from a store that is not open yet. */
  readonly store: Store | LateStore
  /** Called if a stored message cannot be brought back: it stays in the store. */
  readonly onRefused: (topic: string, reason: string) => void
}

/**
 * Lets the topics of compacted channels outlive a log in memory. It brings them back from the store into the
 * log, and then writes each of their new messages to the store.
 */
export class CompactedTopics {
  private readonly tailings: Tailing[] = []
  /**
   * A time in ms, newer than every stored row, so that rows of this process replace them even if the clock
   * was set back.
   */
  private notBefore = 0

  private constructor (private readonly options: CompactedTopicsOptions) {}

  /**
   * Call it before anything else is published, so that nothing is older than what comes back.
   * @returns the topics, kept from now on, and how many came back
   * @throws if the store cannot be read
   */
  static async keep (options: CompactedTopicsOptions): Promise<[CompactedTopics, number]> {
    const topics = new CompactedTopics(options)
    const restored = await topics.restore()
    await topics.follow()
    return [topics, restored]
  }

  /** Gives access to the store, which is closed with the topics. */
  get access (): StoreAccess {
    const { store } = this.options
    return 'query' in store ? accessTo(store) : store
  }

  /** Writes what waits, and closes the store. */
  async close (): Promise<void> {
    for (const { end } of this.tailings) end()
    await this.options.store.close()
  }

  private async restore (): Promise<number> {
    const { store, publisher, onRefused } = this.options
    let restored = 0
    if (!('query' in store)) return restored
    this.notBefore = (await newestTimestamp(store) ?? -1) + 1
    for await (const states of readStates(store)) {
      const results = await publisher.publishOwn(states.map(publicationOf))
      for (const [index, result] of results.entries()) {
        if ('code' in result) onRefused(states[index]!.topic, result.message)
        else restored++
      }
    }
    return restored
  }

  private async follow (): Promise<void> {
    const { log } = this.options
    for (let shard = 0; shard < log.shards; shard++) {
      this.tailings.push(await log.tail(shard, ({ epoch, entries }) => {
        for (const entry of entries) this.write(entry, epoch.epoch)
      }))
    }
  }

  private write ({ topic, sequence, timestamp, payload }: Entry, epoch: number): void {
    // Every message comes here.
    const channel = this.options.channels.get(channelOfKey(topic))
    if (channel?.compacted !== true) return
    const { symbol = null, user = null } = parseTopicKey(topic)
    const data = isRemoval(channel, payload) ? null : payload
    this.options.store.write('states', {
      topic,
      channel: channel.name,
      symbol,
      user_id: user,
      data,
      epoch,
      sequence,
      timestamp: Math.max(timestamp, this.notBefore)
    })
  }
}

const publicationOf = ({ channel, symbol, user_id: user, data }: State): Publication => ({
  channel,
  symbol: symbol ?? undefined,
  user: user ?? undefined,
  data: JSON.parse(data)
})
