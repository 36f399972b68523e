/** The server's time, from the times that it writes. */
export class ServerClock {
  readonly #now: () => number
  /** Milliseconds by which the server's clock is ahead. */
  #ahead: number | undefined

  constructor (now: () => number) {
    this.#now = now
  }

  /** Notes a time of the server. The message that was under way for the shortest time says most. */
  saw (time: unknown): void {
    const ahead = Date.parse(String(time)) - this.#now()
    if (ahead > (this.#ahead ?? -Infinity)) this.#ahead = ahead
  }

  serverNow (): number {
    return this.#now() + (this.#ahead ?? 0)
  }

  /** Returns the milliseconds from a time of the server to one of the client. */
  between (time: string, at: number): number {
    return Math.max(0, at + (this.#ahead ?? 0) - Date.parse(time))
  }
}
