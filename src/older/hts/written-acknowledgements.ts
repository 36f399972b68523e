import type { Connection } from '../../connection/connection.js'

interface Written {
  readonly sequence: number
  readonly epoch: string
}

/**
 * Acknowledges what was written to a client that knows no acknowledgements (docs/compat.md): one at a time,
 * up to the newest message of a channel.
 */
export class WrittenAcknowledgements {
  /** By channel. */
  private readonly written = new Map<string, Written>()
  private isRunning = false

  constructor (private readonly connection: Connection) {}

  note (channel: string, sequence: number): void {
    this.written.set(channel, { sequence, epoch: this.connection.hub.epochText() })
    if (this.isRunning) return
    this.isRunning = true
    // The message is only being encoded now, and others of its window may follow.
    setImmediate(() => { void this.run() })
  }

  private async run (): Promise<void> {
    const { connection, written } = this
    for (let [next] = written; next !== undefined && connection.isOpen; [next] = written) {
      const [channel, upTo] = next
      written.delete(channel)
      try {
        await connection.context.acknowledging.acknowledge(connection.identity, { channel, ...upTo })
      } catch (error) {
        // The next message acknowledges this one as well.
        connection.report(error)
      }
    }
    this.isRunning = false
  }
}
