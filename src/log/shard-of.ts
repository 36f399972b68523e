import {
  alertRules, instrumentOverrides, instruments, strategies, system, topicKey
} from '@tickwire/protocol'
import { COMMON_SHARD } from './log.js'

const INSTRUMENT_PREFIXES = [instruments, instrumentOverrides].map(({ name }) =>
  topicKey({ channel: name, symbol: '' }))
const isInstrument = (topic: string): boolean =>
  topic.startsWith(instruments.name) && INSTRUMENT_PREFIXES.some(prefix => topic.startsWith(prefix))
const SYSTEM = topicKey({ channel: system.name })
const USER_LIST_PREFIXES = [alertRules, strategies].map(({ name }) => topicKey({ channel: name, user: '' }))
const isUserList = (topic: string): boolean => USER_LIST_PREFIXES.some(prefix => topic.startsWith(prefix))

/**
 * Returns the shard of a topic by its key: the same in every log and on every node. Topics that every node
 * must hear are on the shard that all nodes follow (ADR 27); FNV-1a spreads the others.
 */
export function shardOf (topic: string, shards: number): number {
  if (shards === 1 || topic === SYSTEM || isInstrument(topic)) return COMMON_SHARD
  if (isUserList(topic)) return COMMON_SHARD
  let hash = 0x811c9dc5
  for (let i = 0; i < topic.length; i++) hash = Math.imul(hash ^ topic.charCodeAt(i), 0x01000193)
  return (hash >>> 0) % shards
}
