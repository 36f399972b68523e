import type { ChannelDefinition, Channels } from '@tickwire/protocol'
import type { Log } from '../log/log.js'
import type { Publisher } from '../publisher/publisher.js'
import { CompactedTopics } from './compacted-topics.js'
import { LateStore } from './late-store.js'
import { mayHoldRows, openStore, type StoreSettings } from './open-store.js'
import type { Store, StoreLog } from './store.js'

export interface KeepOptions {
  readonly settings: StoreSettings
  /** A log in memory. */
  readonly log: Log
  readonly channels: Channels
  readonly publisher: Publisher
  readonly write: StoreLog
  /** The application's channels. */
  readonly own?: readonly ChannelDefinition[] | undefined
  /** The store, if it is open already; it is closed if this throws. */
  readonly opened?: Store | undefined
}

/**
 * Brings the compacted topics of a log in memory back from the store, and keeps them there from now on. The
 * store opens only when it must: if the application has compacted channels of its own, if the store may have
 * something already, or at the first message that is to be kept.
 * @throws ConfigError if the store cannot be used
 */
export async function keepCompacted (
  { settings, log, channels, publisher, write, own = [], opened }: KeepOptions
): Promise<CompactedTopics> {
  const open = (): Promise<Store> => openStore(settings, { isShared: false, log: write })
  const isNeeded = opened !== undefined || mayHoldRows(settings) ||
    own.some(({ compacted }) => compacted === true)
  const store = opened ?? (isNeeded ? await open() : new LateStore(open, write))
  try {
    const [topics, restored] = await CompactedTopics.keep({
      log,
      channels,
      publisher,
      store,
      onRefused: (topic, reason) => {
        const message = 'a stored topic cannot be brought back; it stays in the store'
        write('error', { event: 'store', topic, reason }, message)
      }
    })
    if (isNeeded) {
      write('info', { event: 'store', topics: restored }, 'compacted topics were brought back from the store')
    }
    return topics
  } catch (error) {
    await store.close()
    throw error
  }
}
