/** Says at once what happens, and what happens again within a period together at its end. */
export class Periodic<Event> {
  private timer: NodeJS.Timeout | undefined
  private count = 0
  private latest: Event | undefined

  constructor (
    private readonly periodMs: number, private readonly say: (count: number, latest: Event) => void
  ) {}

  /** @param count how often, or how much */
  add (count: number, event: Event): void {
    this.count += count
    this.latest = event
    if (this.timer === undefined) this.end()
  }

  /** Says what was not said yet. */
  close (): void {
    if (this.latest !== undefined) this.tell(this.latest)
    clearTimeout(this.timer)
    this.timer = undefined
  }

  private end (): void {
    this.timer = undefined
    if (this.latest === undefined) return
    this.tell(this.latest)
    this.timer = setTimeout(() => { this.end() }, this.periodMs).unref()
  }

  private tell (latest: Event): void {
    const { count } = this
    this.count = 0
    this.latest = undefined
    this.say(count, latest)
  }
}
