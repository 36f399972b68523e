import type { Entry } from '../../log/log.js'
import type { CatchUpParts } from './catch-up-parts.js'
import { mergeEntries } from '../conflation/conflate.js'
import { mergedMessage } from '../conflation/merged.js'
import type { Written } from '../format.js'
import { writeEach } from './write-each.js'
import { oldestThatFit, SLICE_CHARACTERS } from './retained.js'
import { readMerged, type TopicStart } from './read-merged.js'
import { isWhole } from '../conflation/view.js'

/** The part of a catch-up that reads the messages after its position, and writes them. */
export class SliceReader {
  constructor (private readonly catchUp: CatchUpParts) {}

  /** Reads the messages after the position, up to the hub's and at most `limit`, and moves it. */
  async next (limit: number): Promise<Entry[]> {
    const { plan } = this.catchUp
    let entries: Entry[] = []
    // First the shards where no cursor holds yet: an answer that ends with a cursor stays short.
    const behind = plan.behind(plan.position)
    for (const shard of behind.length > 0 ? behind : plan.shards) {
      if (entries.length >= limit || plan.pending.size > 0) break
      entries = entries.concat(this.withoutCutTopics(await this.read(shard, limit - entries.length)))
    }
    return entries
  }

  /** Writes messages as the client wants them: each, or those of a throttled topic as one. */
  emit (entries: readonly Entry[]): Written[] {
    const { hub, plan, selection, writer } = this.catchUp
    const texts: Written[] = []
    const throttled = new Map<string, Entry[]>()
    for (const entry of entries) {
      const { topic } = entry
      // The topic has failed in this slice; the next one resets it.
      if (plan.pending.has(topic)) continue
      if (entry.previous === 0 && entry.offset > (plan.lostTopics ?? Infinity) && !plan.sent.has(topic)) {
        hub.counters.resets.epoch_changed++
        texts.push(writer.reset(topic, 'epoch_changed'))
      }
      plan.markSent(topic, entry.offset)
      if (!this.merges || isWhole(selection.view(topic))) this.emitOne(entry, texts)
      else if (throttled.has(topic)) throttled.get(topic)!.push(entry)
      else throttled.set(topic, [entry])
    }
    for (const [topic, waiting] of throttled) {
      try {
        texts.push(writer.data(mergedMessage(mergeEntries(hub.channelOf(topic)!, waiting))))
      } catch (error) {
        hub.failures.note(topic, 'conflate', error)
        plan.lose(topic)
      }
    }
    return texts
  }

  private emitOne (entry: Entry, texts: Written[]): void {
    const { hub, plan, writer } = this.catchUp
    const { topic } = entry
    // Messages that do not build on each other need no state: a reset replaces one that cannot be encoded.
    if (typeof hub.channelOf(topic)?.reduce !== 'function') {
      for (const text of writeEach(hub, writer, [entry])) texts.push(text)
      return
    }
    try {
      texts.push(writer.data(entry))
    } catch (error) {
      hub.failures.note(topic, 'encode', error)
      plan.lose(topic)
    }
  }

  /** Whether a message is to be sent one by one here. */
  readonly wants = (topic: string, offset: number): boolean => {
    const { plan, selection, options } = this.catchUp
    if (!selection.has(topic) || offset <= (plan.floors.get(topic) ?? 0)) return false
    return !options.except(topic) && !plan.joinsByState(topic)
  }

  private async read (shard: number, limit: number): Promise<readonly Entry[]> {
    const { hub, plan } = this.catchUp
    const { flushed, recent } = hub.shards[shard]!
    const position = plan.position[shard]!
    if (position >= flushed || plan.epochs[shard] !== hub.epoch(shard)) return []
    if (!recent.covers(position)) return await this.readLog(shard, flushed, limit)
    const entries: Entry[] = []
    let end = flushed
    let characters = 0
    recent.after(position, this.wants, entry => {
      characters += entry.payload.length
      if (entries.push(entry) < limit && (characters < SLICE_CHARACTERS || this.merges)) return true
      end = entry.offset
      return false
    })
    plan.advance(shard, end)
    return entries
  }

  private async readLog (shard: number, flushed: number, limit: number): Promise<readonly Entry[]> {
    const { hub, plan, selection, options } = this.catchUp
    const epoch = plan.epochs[shard]
    const topics: TopicStart[] = []
    for (const [topic, last] of selection.existing(hub.directory)) {
      if (hub.log.shardOf(topic) !== shard || options.except(topic) || plan.joinsByState(topic)) continue
      const from = Math.max(plan.position[shard]!, plan.floors.get(topic) ?? 0)
      if (last.offset > from) topics.push({ topic, from })
    }
    // Asked for before the read, so that the batch which brings the log's epoch to the hub is not missed.
    const advanced = hub.advanced()
    const page = await readMerged(hub.log, topics, epoch!, flushed, limit)
    if (hub.epoch(shard) !== epoch) return []
    if (page === undefined) {
      await advanced
      return []
    }
    for (const topic of page.trimmed) plan.restate(topic, options.dropped)
    // Trimmed topics need their reset first. The position stays until then, because they go on from it.
    if (plan.pending.size > 0) return []
    const entries = this.merges ? page.entries : oldestThatFit(page.entries, SLICE_CHARACTERS)
    plan.advance(shard, entries.length < page.entries.length ? entries.at(-1)!.offset : page.end)
    return entries.filter(({ topic, offset }) => this.wants(topic, offset))
  }

  /** Whether messages of throttled topics are merged here: then a page is not cut at the size of a slice. */
  private get merges (): boolean {
    return this.catchUp.options.reduced === 'merge' && this.catchUp.selection.reduced
  }

  /**
   * Makes the state of each cut topic pending, in place of its messages.
   * @returns the messages of the other topics
   */
  private withoutCutTopics (entries: readonly Entry[]): readonly Entry[] {
    const { plan, selection, options } = this.catchUp
    if (options.reduced === 'join' || !selection.reduced) return entries
    return entries.filter(({ topic }) => {
      const isCut = selection.view(topic).depth > 0
      if (isCut && !plan.pending.has(topic)) plan.requireState(topic)
      return !isCut
    })
  }
}
