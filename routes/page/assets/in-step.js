/**
 * Whether all columns stand at the same sequences. Messages are under way at any moment, so a column is in step
 * when it holds all that any column held at the look before.
 */
export class InStep {
  /** By topic: the highest sequence that any column held at the last look. */
  #before = new Map()

  /**
   * Called a few times a second.
   * @param {import('./rule.js').Rule[]} rules
   * @returns {{ topics: number, behind: number[] }} how many topics there are, and how many messages each column is behind
   */
  look (rules) {
    const now = new Map()
    // Histories begin where a column came in, so only what all of them hold can be compared.
    const common = [...rules[0].topics.keys()].filter(topic => rules.every(({ topics }) => topics.has(topic)))
    for (const topic of common) now.set(topic, Math.max(...rules.map(({ topics }) => topics.get(topic).last)))
    const behind = rules.map(({ topics }) => {
      let messages = 0
      for (const [topic, last] of this.#before) messages += Math.max(0, last - (topics.get(topic)?.last ?? last))
      return messages
    })
    this.#before = now
    return { topics: now.size, behind }
  }
}
