import { type Message, openWire, type TransportName, type Wire, type WireOptions } from '../helpers/wires.js'

/** How a client makes a connection; its cursor is beside this. */
export interface Approach extends Omit<WireOptions, 'after'> {
  readonly transport: TransportName
}

/** A client that keeps its last cursor, and goes on from it with each connection that it makes. */
export abstract class FleetClient {
  cursor: string | undefined
  /** Milliseconds since 1970, of the newest cursor. */
  cursorAt = 0
  /** Whether the present connection has been given a cursor. */
  settled = false
  protected wire: Wire | undefined
  protected connection = 0
  /** When the client last received something, in milliseconds since 1970. */
  protected heardAt = 0
  private timer: NodeJS.Timeout | undefined
  private over = false

  open (): void {
    const connection = ++this.connection
    const isOpen = (): boolean => connection === this.connection
    this.settled = false
    this.heardAt = Date.now()
    const { transport, ...options } = this.approach()
    this.wire = openWire(transport, { ...options, after: this.cursor }, {
      onMessage: message => {
        if (!isOpen()) return
        this.heardAt = Date.now()
        this.take(message)
      },
      onCursor: cursor => { if (isOpen()) this.mark(cursor) },
      onAnswer: () => { if (isOpen()) this.answered() },
      onRefused: reason => { if (isOpen()) this.refused(reason) },
      onClosed: () => { if (isOpen()) this.lost() }
    })
  }

  /** Leaves for good. */
  close (): void {
    this.over = true
    clearTimeout(this.timer)
    this.detach()?.cut()
  }

  /** Returns how to open the next connection. The client forgets here what it knew of the one before. */
  protected abstract approach (): Approach

  protected abstract take (message: Message): void

  /** Somebody else ended the connection. */
  protected abstract lost (): void

  /** A poll is answered: its messages come next. */
  protected answered (): void {}

  /** The server gave another answer than the stream; the connection ends next. */
  protected refused (_reason: string): void {}

  protected mark (cursor: string): void {
    this.heardAt = this.cursorAt = Date.now()
    this.cursor = cursor
    this.settled = true
  }

  /** Stops listening to the connection. @returns its wire, to cut or to leave */
  protected detach (): Wire | undefined {
    const { wire } = this
    this.connection++
    this.wire = undefined
    this.settled = false
    return wire
  }

  /** What the client does next, in place of what it was to do. */
  protected next (milliseconds: number, act: () => void): void {
    clearTimeout(this.timer)
    if (!this.over) this.timer = setTimeout(act, milliseconds)
  }

  protected openIn (milliseconds: number): void {
    this.next(milliseconds, () => { this.open() })
  }
}
