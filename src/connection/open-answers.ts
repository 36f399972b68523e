/** Answers that come behind their action's turn, of which a client has only so many at a time. */
export class OpenAnswers {
  private count = 0
  private waiting: (() => void) | undefined

  constructor (private readonly most: number) {}

  /** Resolves when one more may be added. Actions take turns, so that only one waits. */
  async room (): Promise<void> {
    if (this.count >= this.most) await new Promise<void>(resolve => { this.waiting = resolve })
  }

  /** @param answer must not reject */
  add (answer: Promise<void>): void {
    this.count++
    void answer.finally(() => {
      this.count--
      this.waiting?.()
      this.waiting = undefined
    })
  }
}
