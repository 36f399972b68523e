import type { MessageWriter, Written } from '../format.js'
import type { Hub } from '../hub.js'
import { writeEach } from './write-each.js'
import { newestThatFit, oldestThatFit, SLICE_CHARACTERS } from './retained.js'
import { locate } from './position.js'

export interface HistoryRequest {
  /** The last sequence that the reader has; absent for the newest messages. */
  readonly after?: number
  /** The epochs of all shards when the reader saw `after`; without them no loss is detected. */
  readonly epochs?: readonly number[]
  readonly limit: number
}

export interface HistoryAnswer {
  /** The epochs of all shards: of the topic's shard as it was read, of the others as the node knows them. */
  readonly epoch: string
  /** Oldest first, after a `reset` if messages after the sequence were lost. */
  readonly messages: readonly Written[]
  /** The first sequence that the log still has; greater than `last` if it has none. */
  readonly first: number
  /** The topic's last sequence. */
  readonly last: number
  /** Whether there are newer messages. */
  readonly more: boolean
}

/**
 * Reads a topic's messages after a sequence. Returns undefined for a topic that never had a message.
 * @throws ProtocolError `log_unavailable`
 */
export async function readHistory (
  hub: Hub, writer: MessageWriter, topic: string, request: HistoryRequest
): Promise<HistoryAnswer | undefined> {
  const { log } = hub
  const { epochs, limit } = request
  const shard = log.shardOf(topic)
  const { last: newest } = await log.read(topic, { sequence: Number.MAX_SAFE_INTEGER }, 1)
  if (newest === undefined) return undefined
  const after = request.after ?? Math.max(0, newest.sequence - limit)
  let page = await log.read(topic, { sequence: after }, limit)
  const messages: Written[] = []
  if (epochs !== undefined && request.after !== undefined) {
    const [head] = await log.head([shard])
    const found = locate(after, epochs[shard] ?? NaN, page, head!)
    if ('lost' in found) {
      messages.push(writer.reset(topic, found.lost))
      // The sequence means nothing in this epoch: answer with the retained messages, from the oldest on.
      if (found.lost === 'epoch_changed') page = await log.read(topic, { sequence: 0 }, limit)
    }
  }
  const thoseThatFit = request.after === undefined ? newestThatFit : oldestThatFit
  const entries = thoseThatFit(page.entries, SLICE_CHARACTERS)
  messages.push(...writeEach(hub, writer, entries))
  const last = page.last?.sequence ?? 0
  return {
    epoch: hub.epochTextWith(shard, page.epoch),
    messages,
    first: page.first ?? last + 1,
    last,
    more: entries.length > 0 && entries.at(-1)!.sequence < last
  }
}
