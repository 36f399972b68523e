/**
 * What a message means to a client by the rule of PROTOCOL.md:
 * - `new`: it follows on, and is applied;
 * - `duplicate`: the client has it;
 * - `gap`: something is missing between; the server never sends one without a reset;
 * - `reset`: what is known of its topic is forgotten;
 * - `control`: it is no message of a topic.
 */
export type Verdict = 'new' | 'duplicate' | 'gap' | 'reset' | 'control'

/** A message as far as the rule looks at it. */
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
 * The client's rule, through reconnects: hand it every message, tell it of every cursor that is kept and of every
 * connection. It needs no more of a connection than that.
 */
export class ClientRule {
  /** By topic, the last sequence that was accepted. */
  private readonly last = new Map<string, number>()
  /** By topic, where it stood when the cursor came that is kept; 0: nothing. */
  private readonly atCursor = new Map<string, number>()
  /** By topic, where the present connection stands, where that is not what the cursor says; 0: nothing. */
  private readonly here = new Map<string, number>()
  private epoch: unknown

  /** A connection begins: it goes on from the cursor that is kept. */
  connected (): void {
    this.here.clear()
  }

  /** A cursor came, and is kept. */
  cursor (): void {
    for (const [topic, sequence] of this.here) this.atCursor.set(topic, sequence)
    this.here.clear()
  }

  take (message: Message): Verdict {
    if (message.type === 'subscribed' || message.type === 'epoch') this.enter(message.epoch)
    if (typeof message.channel !== 'string') return 'control'
    const topic = typeof message.symbol === 'string' ? `${message.channel}:${message.symbol}` : message.channel
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
   * Another epoch: what came on an earlier connection behind the cursor may be lost, and its sequences given out
   * again. What the server knows that it sent it resets itself.
   */
  private enter (epoch: unknown): void {
    const before = this.epoch
    this.epoch = epoch
    if (before === undefined || before === epoch) return
    for (const [topic, last] of this.last) {
      const sure = this.here.get(topic) ?? this.atCursor.get(topic) ?? 0
      if (sure === 0) this.last.delete(topic)
      else if (sure < last) this.last.set(topic, sure)
    }
  }
}
