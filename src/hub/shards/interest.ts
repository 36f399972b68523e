export interface InterestOptions {
  readonly shards: number
  /** How long a shard is followed on when nobody needs it any more, in milliseconds. */
  readonly lingerMs: number
  isAwake (shard: number): boolean
  /** Begins to follow a shard. @throws ProtocolError `log_unavailable` */
  wake (shard: number): Promise<void>
  /** Ends to follow a shard, unless that must wait: then it is asked again. */
  sleep (shard: number): void
}

interface Shard {
  /** Those who need it. */
  count: number
  /** While it is being woken: once for all who need it. */
  waking: Promise<void> | undefined
  /** While nobody needs it. */
  timer: NodeJS.Timeout | undefined
}

/** Counts who needs which shards, and lets those sleep that nobody needs (ADR 27). */
export class Interest {
  private readonly shards: readonly Shard[]
  private closed = false

  constructor (private readonly options: InterestOptions) {
    this.shards = Array.from({ length: options.shards }, () => ({ count: 0, waking: undefined, timer: undefined }))
  }

  /** Resolves when shards are followed; they stay so until {@link release}. @throws ProtocolError `log_unavailable`: none is held then */
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

  /** Holds shards that somebody holds already. */
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
      // Where another shard could not be woken, those who needed both have gone.
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
