import { type Acknowledgement, acknowledgementTopic } from '@tickwire/protocol'
import { lastKept, type Log, type ShardHead } from './log.js'

/**
 * Returns the offset up to which a topic of an acknowledged channel is acknowledged, 0 if nothing is. If the
 * log has lost the acknowledged message, that is the last offset before the loss.
 * @param payload of the topic's acknowledgement; undefined if it has none
 * @param head of the topic's shard
 */
export function acknowledgedUpTo (payload: string | undefined, head: ShardHead): number {
  return payload === undefined ? 0 : lastKept(JSON.parse(payload) as Acknowledgement, head)
}

export interface Acknowledged {
  /** The offset up to which the topic is acknowledged, see {@link acknowledgedUpTo}. */
  readonly offset: number
  /** The acknowledgement, if there is one. */
  readonly kept: Acknowledgement | undefined
  /** The head of the topic's shard. */
  readonly head: ShardHead
}

/** Reads up to where a topic of an acknowledged channel is acknowledged. */
export async function readAcknowledged (
  log: Pick<Log, 'snapshot' | 'head' | 'shardOf'>, topic: string
): Promise<Acknowledged> {
  // The head is read last, so that it is not behind what was acknowledged.
  const payload = (await log.snapshot(acknowledgementTopic(topic)))?.payload
  const [head] = await log.head([log.shardOf(topic)])
  const kept = payload === undefined ? undefined : JSON.parse(payload) as Acknowledgement
  return { offset: acknowledgedUpTo(payload, head!), kept, head: head! }
}
