import { foldState } from '../helpers/state-follower.js'

/** A message that the server acknowledged. */
export interface Published {
  readonly topic: string
  readonly sequence: number
  readonly data: object
  /** How many losses the log had behind it. */
  readonly generation: number
  /** The number of the loss that took it; undefined: the log still has it. */
  lostIn: number | undefined
  /** What a client holds of the topic after it, where the topic has a state. */
  readonly state: unknown
  readonly at: number
}

/** Says which message of a topic some data is: no two messages of a topic say the same. */
export type Identify = (topic: string, data: unknown) => string

/** All that was ever in the log, and what of it was lost. */
export class Truth {
  /** When the log lost messages, in milliseconds. */
  readonly losses: number[] = []
  private readonly retained = new Map<string, Published[]>()
  private readonly byIdentity = new Map<string, Published>()

  constructor (private readonly identify: Identify, private readonly hasState: (topic: string) => boolean) {}

  get topics (): string[] {
    return [...this.retained.keys()]
  }

  get generation (): number {
    return this.losses.length
  }

  /** Notes what a publisher was told. @param replaces whether it was published as a snapshot */
  note (topic: string, sequence: number, data: object, replaces: boolean): void {
    const messages = this.retained.get(topic) ?? []
    this.retained.set(topic, messages)
    const before = messages.at(-1)
    if (sequence !== messages.length + 1) throw new Error(`the server gave ${topic} the sequence ${sequence} after ${messages.length}`)
    const published = {
      topic,
      sequence,
      data,
      generation: this.generation,
      lostIn: undefined,
      state: this.hasState(topic) ? foldState(before?.state, data, replaces) : undefined,
      at: Date.now()
    }
    messages.push(published)
    this.byIdentity.set(`${topic} ${this.identify(topic, data)}`, published)
  }

  /** Notes that the log has lost messages. @param kept by topic, the last sequence that it still has */
  lose (kept: ReadonlyMap<string, number>): void {
    this.losses.push(Date.now())
    for (const [topic, messages] of this.retained) {
      for (const lost of messages.splice(kept.get(topic) ?? 0)) lost.lostIn = this.generation
    }
  }

  /** By topic, the last sequence that the log has. */
  heads (): Map<string, number> {
    return new Map([...this.retained].map(([topic, messages]) => [topic, messages.length]))
  }

  last (topic: string): Published | undefined {
    return this.retained.get(topic)?.at(-1)
  }

  at (topic: string, sequence: number): Published | undefined {
    return this.retained.get(topic)?.[sequence - 1]
  }

  /** The message that some data is, whether the log still has it or not. */
  find (topic: string, data: unknown): Published | undefined {
    return this.byIdentity.get(`${topic} ${this.identify(topic, data)}`)
  }
}
