const SECOND_MS = 1000

/** Bounds how many bytes go out in any second, however the seconds are cut. */
export class Pace {
  private readonly sent: { readonly time: number, readonly bytes: number }[] = []
  private total = 0

  /** @param now the time in milliseconds */
  constructor (private readonly bytesPerSecond: number, private readonly now: () => number) {}

  /** Returns how long to wait before so many bytes may go out. A message that is too large may go alone. */
  waitMs (bytes: number): number {
    const now = this.now()
    while (this.sent.length > 0 && this.sent[0]!.time <= now - SECOND_MS) {
      this.total -= this.sent.shift()!.bytes
    }
    let over = this.total + bytes - this.bytesPerSecond
    let last = now - SECOND_MS
    for (const { time, bytes: earlier } of this.sent) {
      if (over <= 0) break
      over -= earlier
      last = time
    }
    return last + SECOND_MS - now
  }

  note (bytes: number): void {
    this.sent.push({ time: this.now(), bytes })
    this.total += bytes
  }
}
