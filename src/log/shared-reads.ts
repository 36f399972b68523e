/** Reads that many callers ask for at once: all who ask before a read is sent share its answer. */
export class SharedReads<Answer> {
  private readonly running = new Map<string, Promise<unknown>>()
  private readonly next = new Map<string, Promise<Answer>>()

  /** @param key names the read: reads with the same answer have the same key */
  read (key: string, send: () => Promise<Answer>): Promise<Answer> {
    const next = this.next.get(key)
    if (next !== undefined) return next
    const running = this.running.get(key)
    if (running === undefined) return this.start(key, send)
    const answer = running.then(() => {
      this.next.delete(key)
      return this.start(key, send)
    })
    this.next.set(key, answer)
    return answer
  }

  private start (key: string, send: () => Promise<Answer>): Promise<Answer> {
    const answer = send()
    const ended = answer
      .then(() => {}, () => {})
      .then(() => { if (this.running.get(key) === ended) this.running.delete(key) })
    this.running.set(key, ended)
    return answer
  }
}
