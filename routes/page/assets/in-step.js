/**
 * Compares the sequences of all columns. Some messages are always under way, so a column is in step if it has
 * everything that any column had at the last comparison.
 */
export class InStep {
  /** By topic, the highest sequence of any column at the last comparison. */
  #before = new Map()

  /**
   * Compares the columns; called a few times a second.
   * @param {import('./rule.js').Rule[]} rules
   * @returns {{ topics: number, behind: number[] }} the number of topics, and how many messages each column
   *   is behind
   */
  look (rules) {
    const now = new Map()
    // A history begins where its column joined, so only topics that all columns have can be compared.
    const common = [...rules[0].topics.keys()].filter(topic => rules.every(({ topics }) => topics.has(topic)))
    for (const topic of common) now.set(topic, Math.max(...rules.map(({ topics }) => topics.get(topic).last)))
    const behind = rules.map(({ topics }) => {
      let messages = 0
      for (const [topic, last] of this.#before) {
        messages += Math.max(0, last - (topics.get(topic)?.last ?? last))
      }
      return messages
    })
    this.#before = now
    return { topics: now.size, behind }
  }
}
