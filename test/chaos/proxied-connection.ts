import { connect, type Socket } from 'node:net'
import { type Pace, Pipe } from './pipe.js'

/** What a request is for, by its head. */
export type Kind = 'websocket' | 'event-stream' | 'request'

/** What the proxy does with a request: it passes it on, never answers it, or answers by itself. */
export type Treatment = 'pass' | 'hang' | Page

/** An answer of the proxy's own: a page, and no JSON. */
export interface Page {
  readonly status: number
  readonly text: string
}

/** What a connection asks of the proxy that it goes through. */
export interface Surroundings {
  readonly pace: Readonly<Pace>
  readonly target: number
  random (): number
  treat (kind: Kind): Treatment
  /** What the proxy says if nobody listens at the target. Undefined: it breaks the connection. */
  unreachable (): Page | undefined
  /** Whether it holds back what a new event stream brings; `all`: its head as well. */
  holdsBack (): 'body' | 'all' | undefined
  closed (connection: ProxiedConnection): void
}

const HEAD_END = Buffer.from('\r\n\r\n')

function kindOf (head: string): Kind {
  if (/^upgrade: *websocket/mi.test(head)) return 'websocket'
  return /^accept:.*text\/event-stream/mi.test(head) ? 'event-stream' : 'request'
}

function written ({ status, text }: Page): string {
  const body = `<html><head><title>${status}</title></head><body><h1>${text}</h1></body></html>\n`
  return `HTTP/1.1 ${status} ${text}\r\nContent-Type: text/html\r\nContent-Length: ${body.length}\r\n` +
    `Connection: close\r\n\r\n${body}`
}

/**
 * A client's connection through the proxy. It reads the heads of requests, and passes on everything else as
 * it is; requests have no bodies (clients of the stream send none).
 */
export class ProxiedConnection {
  private kind: Kind | undefined
  private unread = Buffer.alloc(0)
  private far: Socket | undefined
  private up: Pipe | undefined
  private down: Pipe | undefined
  /** How much of the answer's head has been seen, where the rest is to be held back. */
  private seen = Buffer.alloc(0)
  private isStalled = false
  private isOver = false
  /** One side is gone, and the other one is not told. */
  private isHalf = false

  constructor (private readonly near: Socket, private readonly around: Surroundings) {
    near.setNoDelay(true)
    near.on('data', (chunk: Buffer) => { this.take(chunk) })
    near.on('end', () => {
      if (this.up === undefined) near.end()
      else this.up.finish()
    })
    near.on('error', () => { if (!this.isHalf) this.far?.resetAndDestroy() })
    near.on('close', () => { this.sideClosed() })
  }

  /** Breaks both sides: with RST, or with FIN as if both had ended. */
  cut (how: 'rst' | 'fin'): void {
    if (how === 'rst') {
      this.near.resetAndDestroy()
      this.far?.resetAndDestroy()
    } else {
      this.isHalf = true
      this.up?.deafen()
      this.near.resume()
      this.near.end()
      this.far?.destroy()
    }
  }

  stall (): void {
    this.isStalled = true
    this.near.pause()
    this.up?.stall()
    this.down?.stall()
  }

  goOn (): void {
    if (!this.isStalled || this.isHalf) return
    this.isStalled = false
    if (this.up === undefined) this.near.resume()
    this.up?.goOn()
    this.down?.goOn()
  }

  /** The server's side is gone, and the client is told nothing. */
  loseServer (): void {
    this.isHalf = true
    this.up?.deafen()
    this.far?.resetAndDestroy()
  }

  /** The client's side is gone, and the server is told nothing; it writes until it notices. */
  loseClient (): void {
    this.isHalf = true
    this.down?.stall()
    this.near.resetAndDestroy()
  }

  holdBack (): void {
    if (this.kind === 'event-stream') this.down?.hold()
  }

  release (): void {
    this.down?.release()
  }

  close (): void {
    this.near.destroy()
    this.far?.destroy()
  }

  private take (chunk: Buffer): void {
    if (this.isOver) return
    if (this.kind === 'websocket') return this.up!.push(chunk)
    this.unread = Buffer.concat([this.unread, chunk])
    for (let end = this.unread.indexOf(HEAD_END); end >= 0; end = this.unread.indexOf(HEAD_END)) {
      const head = this.unread.subarray(0, end + HEAD_END.length)
      this.unread = this.unread.subarray(head.length)
      this.request(head)
      if (this.isOver) return
    }
  }

  private request (head: Buffer): void {
    const kind = this.kind = kindOf(head.toString('latin1'))
    const treatment = this.around.treat(kind)
    if (treatment === 'pass') return this.upstream(kind).push(head)
    this.isOver = true
    if (treatment !== 'hang') this.answer(treatment)
  }

  private answer (page: Page): void {
    this.near.end(written(page))
  }

  private upstream (kind: Kind): Pipe {
    if (this.up !== undefined) return this.up
    const { near, around } = this
    const far = this.far = connect({ port: around.target, host: '127.0.0.1', allowHalfOpen: true })
    far.setNoDelay(true)
    const up = this.up = new Pipe(near, far, around.pace, () => around.random())
    const down = this.down = new Pipe(far, near, around.pace, () => around.random())
    let isReached = false
    const held = kind === 'event-stream' ? around.holdsBack() : undefined
    if (held === 'all') down.hold()
    far.on('connect', () => { isReached = true })
    far.on('data', (chunk: Buffer) => {
      down.push(chunk)
      if (held === 'body') this.holdBehindHead(chunk)
    })
    far.on('end', () => { if (!this.isHalf) down.finish() })
    far.on('error', () => {
      if (this.isHalf) return
      const page = isReached ? undefined : around.unreachable()
      this.isOver = true
      if (page === undefined) near.resetAndDestroy()
      else this.answer(page)
    })
    far.on('close', () => { this.sideClosed() })
    if (this.isStalled) this.stall()
    return up
  }

  private holdBehindHead (chunk: Buffer): void {
    if (this.seen.includes(HEAD_END) || this.around.holdsBack() === undefined) return
    this.seen = Buffer.concat([this.seen, chunk])
    if (this.seen.includes(HEAD_END)) this.down!.hold()
  }

  private sideClosed (): void {
    const { near, far, isHalf } = this
    if (near.destroyed && !isHalf) far?.destroy()
    if (near.destroyed && (far?.destroyed ?? true)) this.around.closed(this)
  }
}
