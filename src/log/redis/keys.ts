/**
 * The keys of the log, all of them. Those of a shard carry one hash tag, so that a script stays in one slot. Shard 0 holds what every
 * node must hear, instruments and `system`, beside its share of the other topics.
 *
 * | key | holds |
 * |---|---|
 * | `{tw:k}:meta` | hash: layout, shards, run (of the Redis process that wrote last), epoch, start, offset, time, bytes, topics with messages, what the last mark said, and of each source `fence:<source>` |
 * | `{tw:k}:epochs` | list of `epoch:start`, the last 32 |
 * | `{tw:k}:seq` | hash: topic → `sequence,offset` of its last message, and `,-` behind it where the topic has no messages any more; never removed |
 * | `{tw:k}:recent` | stream of whole batches, of about a minute; its ids are their last offsets |
 * | `{tw:k}:marks` | stream of marks, about one a second: `<time>-<offset>`, and the bytes appended until then |
 * | `{tw:k}:t:<topic>` | stream: `<offset>-<sequence>`; in `p` previous offset, time, and `r` where it replaces the state; data `d`; in `o` the origin of what a processor published |
 * | `{tw:k}:snap:<topic>` | hash: the folded state, its sequence, offset and time |
 * | `{tw:k}:answers:<node>` | hash: number of a batch → its answer, the last of a node |
 * | `{tw:k}:origins:<processor>` | hash: output topic → sequence and offset of the message with the newest origin, and that: `5:17:<epoch>:<offset>:<part>:<processor>:<input topic>` |
 * | `{tw:k}:once:<topic>\n<key>` | answer to a message with an idempotency key, for ten minutes |
 * | `{tw:k}:lease` | the node that drops what is too old, for some seconds |
 * | `{tw:k}:live` | channel on which each batch is told |
 */
export class ShardKeys {
  private readonly tag: string

  constructor (prefix: string, shard: number) {
    this.tag = `{${prefix}:${shard}}:`
  }

  /** What every script begins with. */
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
