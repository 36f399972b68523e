import type { Selection } from '../audience/selector.js'
import type { Hub } from '../hub.js'
import type { Plan, PlanOptions } from './plan.js'

/**
 * Finds the topics that come up while a catch-up is under way, and those that enter or leave its selection.
 */
export class NewTopics {
  /** Topics that were there at the last look. */
  private readonly seen = new Set<string>()
  /** Those of them that were being sent already. */
  private readonly live = new Set<string>()
  private membersSeen: number
  /** Whether a topic that is born meanwhile may have to join by its state. */
  private readonly looks: boolean

  constructor (
    private readonly plan: Plan,
    private readonly hub: Hub,
    private readonly selection: Selection,
    private readonly options: PlanOptions
  ) {
    this.membersSeen = hub.membership.version
    this.looks = selection.reduced || options.restates !== undefined
    for (const [topic] of selection.existing(hub.directory)) {
      this.seen.add(topic)
      if (options.except(topic)) this.noteLive(topic)
    }
  }

  /** Whether symbols have changed their sets since the last look: what that causes is still to be sent. */
  get movesUnseen (): boolean {
    return this.membersSeen !== this.hub.membership.version
  }

  /**
   * Looks for topics that came up since the last look and must be sent as their state: those that are
   * throttled or cut, and those whose symbols came into a set.
   * @returns whether there are any
   */
  look (): boolean {
    const moved = this.movesUnseen
    this.membersSeen = this.hub.membership.version
    if (!this.looks && !moved) return false
    let found = moved && this.noteMoves()
    if (!this.looks && !this.selection.hasSets) return found
    for (const [topic] of this.selection.existing(this.hub.directory)) {
      if (this.seen.has(topic)) continue
      this.seen.add(topic)
      if (this.options.except(topic)) {
        this.noteLive(topic)
        found ||= this.plan.joining.has(topic)
      } else if (moved && this.selection.bySetOnly(topic)) {
        this.plan.restate(topic, 'entered')
        found = true
      } else if (this.plan.joinsByState(topic)) {
        this.plan.restate(topic, this.plan.lostTopics === undefined ? undefined : 'epoch_changed')
        found = true
      }
    }
    return found
  }

  /**
   * Symbols changed their sets: the client may not want their topics any more, may have begun to get them
   * live, or may have come to want them here alone.
   */
  private noteMoves (): boolean {
    const { plan, seen, live } = this
    for (const topics of [plan.pending, plan.joining]) {
      for (const topic of [...topics.keys()]) if (!this.selection.has(topic)) plan.forget(topic)
    }
    for (const topics of [seen, live]) {
      for (const topic of topics) if (!this.selection.has(topic)) topics.delete(topic)
    }
    let found = false
    for (const topic of seen) {
      const isLive = this.options.except(topic)
      if (isLive === live.has(topic)) continue
      found = true
      if (isLive) {
        plan.forget(topic)
        this.noteLive(topic)
      } else {
        live.delete(topic)
        plan.restate(topic, 'entered')
      }
    }
    return found
  }

  private noteLive (topic: string): void {
    this.live.add(topic)
    if (this.options.restates?.(topic) === true) this.plan.requireJoin(topic)
  }
}
