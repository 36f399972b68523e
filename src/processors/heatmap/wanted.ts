import type { Coordination } from '../../coordination/coordination.js'
import type { WantedTopic } from '../../sources/source.js'

const KIND = 'heatmap'
/** How long other nodes have to say what they want; the next question is asked anyway. */
const ANSWER_MS = 500
/** Heatmaps that are made at a time, however many symbols clients ask for. */
export const MAX_WANTED = 1000

type Questions = Pick<Coordination, 'ask' | 'answer'>

/** Knows which heatmaps somebody subscribes to, on any node. */
export class Wanted {
  private local: () => Iterable<WantedTopic> = () => []

  constructor (private readonly coordination: Questions) {}

  /** Begins to answer other nodes. @param local what somebody on this node subscribes to */
  attach (local: () => Iterable<WantedTopic>): void {
    this.local = local
    this.coordination.answer(question => {
      const { kind } = JSON.parse(question) as { readonly kind?: unknown }
      if (kind !== KIND) return ''
      const wanted = [...this.here()].map(({ channel, symbol }) => [channel, symbol])
      return wanted.length === 0 ? '' : JSON.stringify(wanted)
    })
  }

  /** Returns what somebody on this node subscribes to. */
  * here (): Iterable<WantedTopic> {
    let count = 0
    for (const topic of this.local()) {
      if (++count > MAX_WANTED) return
      yield topic
    }
  }

  /** Asks all nodes. Returns what is wanted here if the others cannot be asked. */
  async everywhere (): Promise<readonly WantedTopic[]> {
    const answers = await this.coordination.ask(JSON.stringify({ kind: KIND }), ANSWER_MS).catch(() => [])
    const wanted = new Map<string, WantedTopic>()
    const add = (topic: WantedTopic): void => { wanted.set(`${topic.channel}:${topic.symbol}`, topic) }
    for (const topic of this.here()) add(topic)
    for (const answer of answers) {
      if (answer === '') continue
      for (const [channel, symbol] of JSON.parse(answer) as [string, string][]) add({ channel, symbol })
    }
    return [...wanted.values()].slice(0, MAX_WANTED)
  }
}
