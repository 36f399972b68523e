/** The shard of a topic, by its key: the same in every log and on every node (FNV-1a). */
export function shardOf (topic: string, shards: number): number {
  if (shards === 1) return 0
  let hash = 0x811c9dc5
  for (let i = 0; i < topic.length; i++) hash = Math.imul(hash ^ topic.charCodeAt(i), 0x01000193)
  return (hash >>> 0) % shards
}
