/**
 * What a message means to a client (PROTOCOL.md, The client's rule):
 * - `new`: the message follows on, and the client applies it;
 * - `duplicate`: the client already has it;
 * - `gap`: messages before it are missing; the server never sends one without a reset;
 * - `reset`: the client forgets what it holds of the topic;
 * - `control`: it is not a message of a topic.
 */
export type Verdict = 'new' | 'duplicate' | 'gap' | 'reset' | 'control'

/** The fields of a message that the rule reads. */
interface Message {
  readonly type: string
  readonly channel?: unknown
  readonly symbol?: unknown
  readonly sequence?: unknown
  readonly prev?: unknown
  readonly snapshot?: unknown
  readonly epoch?: unknown
}

/**
 * The client's rule, across reconnects. The client hands it every message, in order, and calls it for every
 * cursor that it keeps and for every connection that it opens.
 */
export class ClientRule {
  /** By topic, the last sequence that the client accepted. */
  private readonly last = new Map<string, number>()
  /** By topic, the last sequence when the kept cursor came; 0: none. */
  private readonly atCursor = new Map<string, number>()
  /** By topic, the last sequence that this connection was sent after the kept cursor; 0: none. */
  private readonly here = new Map<string, number>()
  private epoch: unknown

  /**
   * @param onBack is told of each topic that goes back to an earlier sequence, because what the client has of
   *   it beyond that may be lost (rule 5); 0: nothing of the topic is sure
   */
  constructor (private readonly onBack?: (topic: string, sequence: number) => void) {}

  /** Notes that a connection begins; it resumes from the kept cursor. */
  connected (): void {
    this.here.clear()
  }

  /** Notes that a cursor came and that the client keeps it. */
  cursor (): void {
    for (const [topic, sequence] of this.here) this.atCursor.set(topic, sequence)
    this.here.clear()
  }

  /** Returns the last sequence that the client has of a topic. */
  lastOf (topic: string): number | undefined {
    return this.last.get(topic)
  }

  /** The last sequence of each topic that the client has. */
  positions (): ReadonlyMap<string, number> {
    return this.last
  }

  /** Goes back to a sequence: the client did not keep the messages after it. Undefined: it has none. */
  goBack (topic: string, sequence: number | undefined): void {
    if (sequence === undefined) this.forget(topic)
    else this.last.set(topic, sequence)
  }

  /** Forgets a topic, which is no longer subscribed, or whose state the client asks for anew. */
  forget (topic: string): void {
    this.last.delete(topic)
    this.atCursor.delete(topic)
    this.here.delete(topic)
  }

  /**
   * Returns a topic of which the client has messages that came after the kept cursor; undefined if there is
   * none.
   */
  beyondCursor (): string | undefined {
    for (const [topic, last] of this.last) if (last > (this.atCursor.get(topic) ?? 0)) return topic
    return undefined
  }

  /** Judges a message and remembers its sequence. */
  take (message: Message): Verdict {
    if (message.type === 'subscribed' || message.type === 'epoch') this.enterEpoch(message.epoch)
    const { channel, symbol } = message
    // An acknowledgement names a sequence, and brings no message.
    if (typeof channel !== 'string' || message.type === 'acknowledged') return 'control'
    const topic = typeof symbol === 'string' ? `${channel}:${symbol}` : channel
    if (message.type === 'reset') {
      this.last.delete(topic)
      this.here.set(topic, 0)
      return 'reset'
    }
    const { sequence } = message
    if (typeof sequence !== 'number') return 'control'
    this.here.set(topic, sequence)
    const last = this.last.get(topic)
    const replaces = message.snapshot === true
    if (last !== undefined && (replaces ? sequence < last : sequence <= last)) return 'duplicate'
    this.last.set(topic, sequence)
    const before = typeof message.prev === 'number' ? message.prev : sequence - 1
    return last === undefined || replaces || before <= last ? 'new' : 'gap'
  }

  /**
   * In another epoch, messages that came on an earlier connection after the cursor may be lost, and other
   * messages may have their sequences. The client goes back to its cursor, or to what this connection was
   * sent since; the server itself resets what it knows that it sent (PROTOCOL.md, The client's rule, 5).
   */
  private enterEpoch (epoch: unknown): void {
    const before = this.epoch
    this.epoch = epoch
    if (before === undefined || before === epoch) return
    for (const [topic, last] of this.last) {
      const sure = this.sureOf(topic)
      if (sure >= last) continue
      if (sure === 0) this.last.delete(topic)
      else this.last.set(topic, sure)
      this.onBack?.(topic, sure)
    }
  }

  private sureOf (topic: string): number {
    return this.here.get(topic) ?? this.atCursor.get(topic) ?? 0
  }
}
