import type { CloseReason, Transport } from '../../src/connection/transport.js'
import type { Wire } from '../../src/dialects/dialect.js'
import { native } from './native.js'
import type { Message } from './clients.js'

/** Lines of JSON, which a test can read back at once. */
export const lines: Wire = { encode: payloads => Buffer.from(payloads.map(payload => payload + '\n').join('')) }

/** A wire without a network: what is written is parsed at once; it can be made to stall. */
export class MemoryWire implements Transport {
  readonly name = 'memory'
  readonly format = native.on(lines)
  readonly knownAtOnce = true
  readonly heardAt = 0
  readonly messages: Message[] = []
  closedWith: CloseReason | undefined
  stalled = false
  /** Stalls behind the next message of this type: what answers an action is then on its way. */
  stallsAt: string | undefined
  /** Stalls behind each write, like a peer that reads slowly. */
  drips = false
  writes = 0

  constructor (
    readonly cursorWithEachFlush: boolean,
    private readonly onMessage: (message: Message) => void = () => {}
  ) {}

  write (buffers: readonly Buffer[]): number {
    this.writes++
    if (this.drips) this.stalled = true
    const bytes = Buffer.concat(buffers)
    for (const line of bytes.toString().split('\n')) {
      if (line === '') continue
      const message = JSON.parse(line) as Message
      this.messages.push(message)
      if (message.type === this.stallsAt) this.stalled = true
      this.onMessage(message)
    }
    return bytes.length
  }

  unsent (): number {
    return this.stalled ? 100_000 : 0
  }

  pause (): void {}

  close (reason: CloseReason, lastWords: Buffer): void {
    this.write([lastWords])
    this.closedWith = reason
  }

  tick (): void {}
}

/**
 * Returns what a client was told of its topics, a text for each message: `reset A`, `state A 2`,
 * `message A 3`.
 * @param withEpochs whether `epoch` stands where a new epoch was told
 */
export const topicMessages = (wire: MemoryWire, withEpochs = false): string[] =>
  wire.messages.flatMap(({ type, symbol, sequence, snapshot }) => {
    if (type === 'reset') return `reset ${symbol}`
    if (type === 'epoch' && withEpochs) return type
    return sequence === undefined ? [] : `${snapshot === true ? 'state' : 'message'} ${symbol} ${sequence}`
  })
