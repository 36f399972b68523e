import { type AlertRule, channelOfRule, parseTopicKey, topicKey, WINDOW_MS } from '@tickwire/protocol'
import type { Input, Past } from '../processor.js'
import { parseAmount } from '../amount.js'
import type { Outcome } from './series.js'
import { type MovesSeries, TopicWatch, valueOf } from './topic-watch.js'
import { type Kept, Watch } from './watch.js'

/** Rules by their id, as the journal has them. */
export type KeptRules = Readonly<Record<string, Kept>>

/** All rules, by user and by the topic that they watch: a message finds the rules of its topic alone. */
export class AlertBook {
  private readonly users = new Map<string, Map<string, Watch>>()
  /** By channel and symbol. */
  private readonly topics = new Map<string, Map<string, TopicWatch>>()

  /** Returns the ids of all rules. */
  ids (): Set<string> {
    return new Set([...this.users.values()].flatMap(watches => [...watches.keys()]))
  }

  /**
   * Replaces the rules of a user. Those that stay as they are go on watching.
   * @param kept what the journal has of rules
   * @param at when the log accepted the message that has them
   * @returns the rules that are gone, and the past that new ones need
   */
  learn (
    user: string, rules: readonly AlertRule[], kept: KeptRules, at = Infinity
  ): { readonly gone: readonly string[], readonly pasts: readonly Past[] } {
    const before = this.users.get(user) ?? new Map<string, Watch>()
    const after = new Map<string, Watch>()
    const pasts: Past[] = []
    for (const rule of rules) {
      const known = before.get(rule.rule_id)
      if (known?.rule.version === rule.version) {
        after.set(rule.rule_id, known)
        continue
      }
      const watch = new Watch(user, rule, kept[rule.rule_id], at)
      after.set(rule.rule_id, watch)
      const begun = this.topicOf(rule).add(watch)
      // Left last: a window that a changed rule still needs would be recalled from the log otherwise.
      if (known !== undefined) this.leave(known)
      if (begun !== undefined) pasts.push(pastOf(rule, begun))
    }
    const gone: string[] = []
    for (const [id, watch] of before) {
      if (after.has(id)) continue
      this.leave(watch)
      gone.push(id)
    }
    if (after.size === 0) this.users.delete(user)
    else this.users.set(user, after)
    return { gone, pasts }
  }

  /** Whether a topic has rules. */
  concerns (topic: string): boolean {
    const { channel, symbol } = parseTopicKey(topic)
    return this.topics.get(channel)?.has(symbol ?? '') === true
  }

  observe ({ topic: { channel, symbol = '' }, data, timestamp }: Input): Outcome | undefined {
    const found = this.topics.get(channel)?.get(symbol)
    if (found === undefined) return undefined
    const outcome: Outcome = { changed: [], alerted: [] }
    found.observe(data as object, timestamp, outcome)
    return outcome.changed.length === 0 ? undefined : outcome
  }

  private topicOf (rule: AlertRule): TopicWatch {
    const channel = channelOfRule(rule)
    let symbols = this.topics.get(channel)
    if (symbols === undefined) this.topics.set(channel, symbols = new Map())
    let topic = symbols.get(rule.symbol)
    if (topic === undefined) symbols.set(rule.symbol, topic = new TopicWatch())
    return topic
  }

  private leave (watch: Watch): void {
    const { rule } = watch
    const symbols = this.topics.get(channelOfRule(rule))
    const topic = symbols?.get(rule.symbol)
    topic?.remove(watch)
    if (topic?.isEmpty === true) symbols!.delete(rule.symbol)
  }
}

function pastOf (rule: AlertRule, { field, moves }: MovesSeries): Past {
  return {
    topic: topicKey({ channel: channelOfRule(rule), symbol: rule.symbol }),
    lengthMs: WINDOW_MS[rule.within!],
    recall: ({ data, timestamp }) => {
      const price = valueOf(data as object, field)
      const exact = price === undefined ? undefined : parseAmount(price)
      if (exact !== undefined && exact.digits > 0n) moves.add(price!, exact, timestamp)
    }
  }
}
