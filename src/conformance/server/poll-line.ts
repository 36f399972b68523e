import type { ErrorCode } from '@tickwire/protocol'
import { gzipSync } from 'node:zlib'
import type { Asked } from '../asked.js'
import type { Item, Json } from '../notation.js'
import type { Line } from './line.js'
import type { Visit } from './visit.js'

/** Polls that follow one another: each cursor ends the answer to one of them. */
export class PollLine implements Line {
  readonly transport = 'polling'
  pending: readonly Asked[]
  /** Messages that the script has sent behind the last cursor; an answer that breaks off carries them. */
  tail: Json[] = []
  readonly token: string | undefined
  private cursor: string | undefined

  /** @param next waits for the poll that goes on from a cursor */
  constructor (
    private visit: Visit | undefined,
    private readonly next: (cursor: string | undefined) => Promise<Visit>,
    private readonly isCompressed = false
  ) {
    this.pending = visit!.asked
    this.cursor = visit!.after
    this.token = visit!.token
  }

  get isGone (): boolean {
    return this.visit?.isGone === true
  }

  grant (): void {
    this.pending = []
  }

  async send (items: readonly Item[]): Promise<void> {
    for (const item of items) {
      // Of control messages an answer has none (PROTOCOL.md, Polling).
      if (item.kind === 'message') this.tail.push(item.json)
      if (item.kind !== 'cursor') continue
      const visit = await this.held()
      this.answer(visit, JSON.stringify({ cursor: item.cursor, messages: this.tail, more: item.more }))
      this.tail = []
      this.cursor = item.cursor
      this.visit = undefined
    }
  }

  /** Answers the next poll with nothing new. */
  async answerEmpty (): Promise<void> {
    const visit = await this.held()
    this.answer(visit, JSON.stringify({ cursor: this.cursor, messages: [], more: false }))
    this.visit = undefined
  }

  async cut (): Promise<void> {
    const visit = await this.held()
    const body = JSON.stringify({ messages: this.tail, cursor: 'never-sent', more: false })
    visit.response!.writeHead(200, {
      'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body))
    })
    const half = body.slice(0, Math.ceil(body.length / 2))
    await new Promise<void>(resolve => { visit.response!.write(half, () => { resolve() }) })
    visit.socket.end()
    this.visit = undefined
  }

  async close (code: ErrorCode, retryAfterMs: number | undefined): Promise<number> {
    const visit = await this.held()
    const at = performance.now()
    visit.refuse(code, retryAfterMs)
    this.visit = undefined
    return at
  }

  freeze (): void {}

  dispose (): void {
    this.visit?.socket.destroy()
  }

  private async held (): Promise<Visit> {
    if (this.visit === undefined || this.visit.isGone) this.visit = await this.next(this.cursor)
    return this.visit
  }

  private answer ({ request, response }: Visit, body: string): void {
    const id = request.headers['x-request-id']
    const isGzip = this.isCompressed && String(request.headers['accept-encoding']).includes('gzip')
    response!.writeHead(200, {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      ...(id === undefined ? {} : { 'x-request-id': id }),
      ...(isGzip ? { 'content-encoding': 'gzip' } : {})
    })
    response!.end(isGzip ? gzipSync(body) : body)
  }
}
