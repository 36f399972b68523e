import type { Bar } from '@tickwire/protocol'

/** Past bars that a strategy gets when it starts. */
const MOST_BARS = 500

export interface PastBar {
  readonly bar: Bar
  /** When the log took it, in milliseconds since 1970. */
  readonly time: number
}

/** The last closed bars of a topic, each as it was when it closed, in the order of their starts. */
export class BarHistory {
  private bars: PastBar[] = []

  /**
   * Takes a message of the topic.
   * @returns the bar if it has just closed; a bar that is forming, a revision, and a bar that is older than
   *   the last one are none
   */
  add (bar: Bar, time: number): PastBar | undefined {
    const last = this.bars.at(-1)
    if (!bar.closed || (bar.revision ?? 0) !== 0) return undefined
    if (last !== undefined && bar.start <= last.bar.start) return undefined
    const past = { bar, time }
    this.bars.push(past)
    if (this.bars.length > 2 * MOST_BARS) this.bars = this.bars.slice(-MOST_BARS)
    return past
  }

  get last (): PastBar | undefined {
    return this.bars.at(-1)
  }

  /** Returns the bars before a start; all without one. */
  before (start = '~'): readonly PastBar[] {
    return this.bars.filter(({ bar }) => bar.start < start).slice(-MOST_BARS)
  }

  /** Returns the bars that the log took after a time. */
  after (time: number): readonly PastBar[] {
    return this.bars.filter(past => past.time > time)
  }
}
