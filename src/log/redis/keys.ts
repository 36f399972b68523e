/**
 * All keys of the log. The keys of one shard share a hash tag, `{tw:k}` for shard k, so that a script stays
 * in one slot. Shard 0 holds what every node must hear, `instruments` and `system`, beside its share of the
 * other topics.
 *
 * - `{tw:k}:meta`: a hash with layout, shards, run (the Redis process that wrote last), epoch, start, offset,
 *   time, bytes, topics (the number of topics with messages), marked, marked_bytes and oldest (from the last
 *   mark), and `fence:<source>` for each source.
 * - `{tw:k}:epochs`: a list of the last 32 `epoch:start`.
 * - `{tw:k}:seq`: a hash of topic → `sequence,offset` of its last message, followed by `,-` if the topic has
 *   no messages any more. Its fields are never removed.
 * - `{tw:k}:recent`: a stream of whole batches, about a minute of them. An id is the last offset of its
 *   batch.
 * - `{tw:k}:marks`: a stream of marks, about one a second: `<time>-<offset>`, and the bytes appended until
 *   then.
 * - `{tw:k}:t:<topic>`: a stream with ids `<offset>-<sequence>`. Field `p` has the previous offset, the time,
 *   and `r` if the message replaces the state; `d` the data; `o` the origin, if a processor published the
 *   message.
 * - `{tw:k}:snap:<topic>`: a hash with the folded state, its sequence, offset and time.
 * - `{tw:k}:answers:<node>`: a hash of batch number → answer, for the last batches of a node.
 * - `{tw:k}:origins:<processor>`: a hash of output topic → the sequence and offset of the message with the
 *   newest origin, and that origin: `5:17:<epoch>:<offset>:<part>:<processor>:<input topic>`.
 * - `{tw:k}:once:<length of topic>:<topic><key>`: the sequence and offset of the message that has an
 *   idempotency key, for as long as its channel says.
 * - `{tw:k}:lease`: for some seconds, the node that drops what is too old.
 * - `{tw:k}:live`: the channel on which each batch is published.
 */
export class ShardKeys {
  private readonly tag: string

  constructor (prefix: string, shard: number) {
    this.tag = `{${prefix}:${shard}}:`
  }

  /** The keys that every script gets first. */
  get common (): readonly string[] {
    return [this.meta, this.epochs]
  }

  get meta (): string { return `${this.tag}meta` }
  get epochs (): string { return `${this.tag}epochs` }
  get live (): string { return `${this.tag}live` }
  get seq (): string { return `${this.tag}seq` }
  get recent (): string { return `${this.tag}recent` }
  get marks (): string { return `${this.tag}marks` }
  get lease (): string { return `${this.tag}lease` }
  stream (topic: string): string { return `${this.tag}t:${topic}` }
  snapshot (topic: string): string { return `${this.tag}snap:${topic}` }
  answers (node: string): string { return `${this.tag}answers:${node}` }
  origins (processor: string): string { return `${this.tag}origins:${processor}` }
  once (topic: string, key: string): string { return `${this.tag}once:${topic.length}:${topic}${key}` }
}

/** The field of `meta` that holds a source's fence. */
export const fenceField = (source: string): string => `fence:${source}`
