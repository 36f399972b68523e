export interface InterestOptions {
  readonly shards: number
  /** How long the node still follows a shard that nobody needs any more, in milliseconds. */
  readonly lingerMs: number
  isAwake (shard: number): boolean
  /** Begins to follow a shard. @throws ProtocolError `log_unavailable` */
  wake (shard: number): Promise<void>
  /** Stops following a shard. If that must wait, it does nothing; it is called again after `lingerMs`. */
  sleep (shard: number): void
}

interface Shard {
  /** How many callers need it. */
  count: number
  /** Set while it is being woken; all who need it share the promise. */
  waking: Promise<void> | undefined
  /** Set while it is awake and nobody needs it. */
  timer: NodeJS.Timeout | undefined
}

/** Counts how many callers need each shard, and puts a shard to sleep once nobody needs it (ADR 27). */
export class Interest {
  private readonly shards: readonly Shard[]
  private closed = false

  constructor (private readonly options: InterestOptions) {
    const newShard = (): Shard => ({ count: 0, waking: undefined, timer: undefined })
    this.shards = Array.from({ length: options.shards }, newShard)
  }

  /**
   * Resolves once the node follows all of the shards; it follows them until {@link release}.
   * @throws ProtocolError `log_unavailable`; the caller must not release the shards then
   */
  async follow (shards: readonly number[]): Promise<void> {
    this.retain(shards)
    const asleep = shards.filter(shard => !this.options.isAwake(shard))
    if (asleep.length === 0) return
    try {
      await Promise.all(asleep.map(shard => this.wake(shard)))
    } catch (error) {
      this.release(shards)
      throw error
    }
  }

  /** Keeps shards awake that another caller keeps awake already, beyond that one's {@link release}. */
  retain (shards: readonly number[]): void {
    for (const index of shards) {
      const shard = this.shards[index]!
      if (shard.count++ > 0) continue
      clearTimeout(shard.timer)
      shard.timer = undefined
    }
  }

  release (shards: readonly number[]): void {
    for (const shard of shards) {
      this.shards[shard]!.count--
      this.lingerIfFree(shard)
    }
  }

  close (): void {
    this.closed = true
    for (const { timer } of this.shards) clearTimeout(timer)
  }

  private async wake (index: number): Promise<void> {
    const shard = this.shards[index]!
    shard.waking ??= this.options.wake(index).finally(() => {
      shard.waking = undefined
      // If another shard could not be woken, the callers that needed both have released this one meanwhile.
      this.lingerIfFree(index)
    })
    await shard.waking
  }

  private lingerIfFree (index: number): void {
    const shard = this.shards[index]!
    if (this.closed || shard.count > 0 || !this.options.isAwake(index)) return
    clearTimeout(shard.timer)
    shard.timer = setTimeout(() => {
      this.options.sleep(index)
      this.lingerIfFree(index)
    }, this.options.lingerMs).unref()
  }
}
