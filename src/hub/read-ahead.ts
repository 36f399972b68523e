/** How many topics are read at a time, at most: the log answers many reads in one round trip. */
const MOST_AT_A_TIME = 128

export interface ReadAheadOptions<Answer> {
  /** The epoch of a topic's shard: an answer is only good in the epoch for which it was read. */
  epochOf (topic: string): number | undefined
  read (topic: string): Promise<Answer>
  charactersOf (answer: Answer): number
  /** About how many characters may be read at a time. */
  readonly atATime: number
  /** How many topics, at most, if an answer may be much larger than those before it. */
  most? (): number
}

/**
 * Reads what topics need one after another. With a topic it reads some that follow it, so that many topics
 * do not take a round trip each: every time twice as many as before, as far as answers of the size of the
 * last ones fit.
 */
export class ReadAhead<Answer> {
  private readonly known = new Map<string, { readonly epoch: number | undefined, readonly answer: Answer }>()
  private count = 1

  constructor (private readonly options: ReadAheadOptions<Answer>) {}

  /**
   * Returns what a topic needs; a promise if it must be read.
   * @param following the topics that come next, with or without this one
   */
  take (topic: string, following: Iterable<string>): Answer | Promise<Answer> {
    const known = this.known.get(topic)
    this.known.delete(topic)
    const isGood = known !== undefined && known.epoch === this.options.epochOf(topic)
    return isGood ? known.answer : this.read(topic, following)
  }

  /** Forgets what was read for topics whose turn has not come. */
  clear (): void {
    this.known.clear()
  }

  private async read (topic: string, following: Iterable<string>): Promise<Answer> {
    const topics = [topic]
    const most = Math.min(this.count, this.options.most?.() ?? MOST_AT_A_TIME)
    for (const other of following) {
      if (topics.length >= most) break
      if (other !== topic && !this.known.has(other)) topics.push(other)
    }
    const epochs = topics.map(other => this.options.epochOf(other))
    const answers = await Promise.all(topics.map(other => this.options.read(other)))
    let characters = 0
    for (const [index, answer] of answers.entries()) {
      characters += this.options.charactersOf(answer)
      if (index > 0) this.known.set(topics[index]!, { epoch: epochs[index], answer })
    }
    const fitting = Math.floor(this.options.atATime * topics.length / Math.max(1, characters))
    this.count = Math.max(1, Math.min(2 * this.count, fitting, MOST_AT_A_TIME))
    return answers[0]!
  }
}
