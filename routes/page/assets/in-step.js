/**
 * Compares the sequences of all columns. Some messages are always under way, so a column is in step if it has
 * everything that any column had at the last comparison.
 */
export class InStep {
  /** By topic, the highest sequence of any column at the last comparison. */
  #before = new Map()

  /**
   * Compares the columns; called a few times a second.
   * @param {import('./column.js').Column[]} columns
   * @returns {{ topics: number, behind: number[] }} the number of topics, and how many messages each column
   *   is behind
   */
  look (columns) {
    const now = new Map()
    // A history begins where its column joined, so only topics that all columns have can be compared.
    const isCommon = topic => columns.every(({ topics }) => topics.has(topic))
    for (const topic of [...columns[0].topics.keys()].filter(isCommon)) {
      now.set(topic, Math.max(...columns.map(({ topics }) => topics.get(topic).last)))
    }
    const behind = columns.map(({ topics }) => {
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
