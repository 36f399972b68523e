import { randomUUID } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import type { Coordination } from '../../coordination/coordination.js'
import type { WantedTopic } from '../../sources/source.js'

const KIND = 'heatmap'
/** How often other nodes are asked, and how long they have to answer. */
const ASK_EVERY_MS = 1000
const ANSWER_MS = 500
/**
 * Heatmaps that are made at a time, however many symbols clients ask for. Those that clients name come before
 * those of sets: one client of `*` must not take the heatmaps of all others.
 */
const MAX_WANTED = 1000

type Questions = Pick<Coordination, 'ask' | 'answer'>

/** Knows which heatmaps somebody subscribes to, on any node. */
export class Wanted {
  private local: () => readonly WantedTopic[] = () => []
  private elsewhere: readonly WantedTopic[] = []
  private askedAt = -Infinity
  /** Marks the questions of this node. */
  private readonly own = randomUUID()

  constructor (private readonly coordination: Questions) {}

  /** Begins to answer other nodes. @param local what somebody on this node subscribes to */
  attach (local: () => readonly WantedTopic[]): void {
    this.local = local
    this.coordination.answer(question => {
      const { kind, from } = JSON.parse(question) as { readonly kind?: unknown, readonly from?: unknown }
      if (kind !== KIND || from === this.own) return ''
      const wanted = local().slice(0, MAX_WANTED)
        .map(({ channel, symbol, isNamed }) => [channel, symbol, isNamed])
      return wanted.length === 0 ? '' : JSON.stringify(wanted)
    })
  }

  /** Returns what is wanted on this node now, and was on others when they were last asked. */
  async everywhere (): Promise<readonly WantedTopic[]> {
    if (performance.now() - this.askedAt >= ASK_EVERY_MS) await this.ask()
    const wanted = new Map<string, WantedTopic>()
    const all = [...this.local(), ...this.elsewhere]
    for (const topic of [...all.filter(({ isNamed }) => isNamed), ...all.filter(({ isNamed }) => !isNamed)]) {
      const name = `${topic.channel}:${topic.symbol}`
      if (wanted.has(name)) continue
      if (wanted.size === MAX_WANTED) break
      wanted.set(name, topic)
    }
    return [...wanted.values()]
  }

  /** Asks the other nodes. If they cannot be asked, what is wanted here counts alone. */
  private async ask (): Promise<void> {
    this.askedAt = performance.now()
    const question = JSON.stringify({ kind: KIND, from: this.own })
    const answers = await this.coordination.ask(question, ANSWER_MS).catch(() => [])
    this.elsewhere = answers.filter(answer => answer !== '').flatMap(answer =>
      (JSON.parse(answer) as [string, string, boolean][])
        .map(([channel, symbol, isNamed]) => ({ channel, symbol, isNamed })))
  }
}
