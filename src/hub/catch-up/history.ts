import { decodeEpoch, encodeEpoch } from '@tickwire/protocol'
import type { MessageWriter, Written } from '../format.js'
import type { Hub } from '../hub.js'
import { writeEach } from './write-each.js'
import { newestThatFit, oldestThatFit, SLICE_CHARACTERS } from './retained.js'
import { locate } from './position.js'

export interface HistoryRequest {
  /** The last sequence that the reader has; absent: the newest messages. */
  readonly after?: number
  /** The epochs of all shards in which `after` was seen; without them no loss is detected. */
  readonly epochs?: readonly number[]
  readonly limit: number
}

export interface HistoryAnswer {
  /** The epochs of all shards: that of the topic as it was read, others as the node knows them. */
  readonly epoch: string
  /** As they were written, oldest first; a `reset` before them where what came after the sequence was lost. */
  readonly messages: readonly Written[]
  /** What the log still holds. Beyond `last` where it holds nothing. */
  readonly first: number
  readonly last: number
  /** Whether newer messages are left. */
  readonly more: boolean
}

/** A topic's messages after a sequence; undefined for a topic that never was. */
export async function readHistory (hub: Hub, writer: MessageWriter, topic: string, request: HistoryRequest): Promise<HistoryAnswer | undefined> {
  const { log } = hub
  const { epochs, limit } = request
  const shard = log.shardOf(topic)
  const known = await log.read(topic, { sequence: Number.MAX_SAFE_INTEGER }, 1)
  if (known.last === undefined) return undefined
  const after = request.after ?? Math.max(0, known.last.sequence - limit)
  let page = await log.read(topic, { sequence: after }, limit)
  const messages: Written[] = []
  if (epochs !== undefined && request.after !== undefined) {
    const [head] = await log.head([shard])
    const found = locate(after, epochs[shard] ?? NaN, page, head!)
    if ('lost' in found) {
      messages.push(writer.reset(topic, found.lost))
      // The sequence means nothing in this epoch: what the log holds is all that can be given.
      if (found.lost === 'epoch_changed') page = await log.read(topic, { sequence: 0 }, limit)
    }
  }
  // Without a sequence the newest are asked for.
  const entries = request.after === undefined ? newestThatFit(page.entries, SLICE_CHARACTERS) : oldestThatFit(page.entries, SLICE_CHARACTERS)
  messages.push(...writeEach(hub, writer, entries))
  const last = page.last?.sequence ?? 0
  const epoch = encodeEpoch(decodeEpoch(hub.epochText())!.map((told, index) => index === shard ? page.epoch : told))
  return { epoch, messages, first: page.first ?? last + 1, last, more: entries.length > 0 && entries.at(-1)!.sequence < last }
}
