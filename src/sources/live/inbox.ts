/**
 * What has come and is not yet read, in order, within a bound. Connections put in as it comes; one reader
 * takes it out in batches, no faster than the log takes its messages.
 */
export class Inbox<Item> {
  private items: Item[] = []
  private characters = 0
  private wake: (() => void) | undefined

  constructor (private readonly maxItems: number, private readonly maxCharacters: number) {}

  /** Whether the caller should drop further items, except those with a size of 0. */
  get isFull (): boolean {
    return this.items.length >= this.maxItems || this.characters >= this.maxCharacters
  }

  /** @param size its length in characters; 0 for what must never be left out */
  put (item: Item, size: number): void {
    this.items.push(item)
    this.characters += size
    if (this.wake !== undefined) {
      this.wake()
      this.wake = undefined
    }
  }

  /**
   * Takes out all there is, as soon as there is something.
   * @returns nothing once the signal has aborted
   */
  async take (signal: AbortSignal): Promise<readonly Item[]> {
    if (this.items.length === 0 && !signal.aborted) {
      await new Promise<void>(resolve => {
        this.wake = resolve
        signal.addEventListener('abort', this.stop)
      })
      signal.removeEventListener('abort', this.stop)
    }
    if (signal.aborted) return []
    const { items } = this
    this.items = []
    this.characters = 0
    return items
  }

  private readonly stop = (): void => { this.wake?.() }
}
