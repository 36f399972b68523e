import { type ErrorCode, errorTable } from '@tickwire/protocol'
import { setTimeout as delay } from 'node:timers/promises'
import { createGzip, constants, type Gzip } from 'node:zlib'
import type { Asked } from '../asked.js'
import type { Item } from '../notation.js'
import type { WriteEvents } from '../setup.js'
import type { Watch } from '../watch.js'
import { type Grant, HEARTBEAT_MS, type Line } from './line.js'
import { retryFields, type Visit } from './visit.js'

const RETRY_MS = 800
const DEFAULT_HEARTBEAT_SECONDS = 25
/** Between two pieces of a block, so that they mostly arrive one by one. */
const PIECE_PAUSE_MS = 2

const messageBlock = (json: object): string => `data: ${JSON.stringify(json)}\n\n`
const cursorBlock = (cursor: string): string => `event: cursor\nid: ${cursor}\ndata: ${cursor}\n\n`

/** A connection over Server-Sent Events. */
export class EventStreamLine implements Line {
  readonly transport = 'event-stream'
  readonly token: string | undefined
  pending: readonly Asked[]
  private cursor: string | undefined
  private isFrozen = false
  private readonly gzip: Gzip | undefined
  /** What is written goes out piece by piece, in order. */
  private written: Promise<void> = Promise.resolve()
  private readonly heartbeat = setInterval(() => { this.beat() }, HEARTBEAT_MS)

  constructor (
    private readonly visit: Visit, watch: Watch, private readonly writeEvents: WriteEvents = block => [block],
    isCompressed = false
  ) {
    this.token = visit.token
    this.pending = visit.asked
    const response = visit.response!
    response.on('close', () => {
      clearInterval(this.heartbeat)
      watch.changed()
    })
    const isGzip = isCompressed && String(visit.request.headers['accept-encoding']).includes('gzip')
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-store, no-transform',
      connection: 'close',
      'x-accel-buffering': 'no',
      ...(isGzip ? { 'content-encoding': 'gzip' } : {})
    })
    if (isGzip) {
      this.gzip = createGzip()
      this.gzip.pipe(response)
    }
    const seconds = visit.query.heartbeat ?? DEFAULT_HEARTBEAT_SECONDS
    const welcome = {
      type: 'welcome',
      protocol: 'tickwire.v1',
      connection_id: `script-${Math.round(visit.at)}`,
      server_time: new Date().toISOString(),
      heartbeat_ms: seconds * 1000
    }
    void this.write(`retry: ${RETRY_MS}\n${messageBlock(welcome)}`)
  }

  get isGone (): boolean {
    return this.visit.isGone
  }

  grant ({ epoch }: Grant): void {
    const channels = new Map<string, Asked[]>()
    for (const asked of this.pending) {
      const [channel = ''] = asked.selector.split(':')
      channels.set(channel, [...channels.get(channel) ?? [], asked])
    }
    for (const [channel, asked] of channels) {
      const isResumed = asked.some(({ after }) => after !== undefined)
      void this.write(messageBlock({
        type: 'subscribed',
        subscription_id: `s-${channel}`,
        channel,
        symbols: asked.filter(({ selector }) => selector !== channel)
          .map(({ selector }) => selector.slice(channel.length + 1)),
        rejected: [],
        epoch,
        ...(isResumed ? { recovered: true } : {})
      }))
    }
    this.pending = []
    this.cursor = undefined
  }

  async send (items: readonly Item[]): Promise<void> {
    const blocks = items.map(item =>
      item.kind === 'cursor' ? cursorBlock(item.cursor) : messageBlock(item.json))
    const last = items.at(-1)
    this.cursor = last?.kind === 'cursor' ? last.cursor : undefined
    await this.write(blocks.join(''))
  }

  /** Writes text to the stream as it is. */
  async write (text: string): Promise<void> {
    this.written = this.written.then(async () => { await this.writePieces(text) })
    await this.written
  }

  async cut (): Promise<void> {
    // A chunked answer that ends without its last chunk is a broken one.
    await this.written
    this.visit.socket.end()
  }

  async close (code: ErrorCode, retryAfterMs: number | undefined): Promise<number> {
    const at = performance.now()
    const closing = { type: 'closing', code, reason: errorTable[code].message, ...retryFields(retryAfterMs) }
    const retry = retryAfterMs === undefined ? '' : `retry: ${retryAfterMs}\n`
    await this.write(retry + messageBlock(closing))
    if (this.gzip === undefined) this.visit.response!.end()
    else this.gzip.end()
    return at
  }

  /** Ends the stream without a word, as a server does that dies in order. */
  async finish (): Promise<void> {
    await this.written
    this.visit.response!.end()
  }

  freeze (): void {
    this.isFrozen = true
  }

  dispose (): void {
    clearInterval(this.heartbeat)
    this.visit.socket.destroy()
  }

  private beat (): void {
    if (this.isFrozen || this.pending.length > 0) return
    // A comment says no more than that the connection lives: no cursor covers what was sent last.
    void this.write(this.cursor === undefined ? ':\n' : cursorBlock(this.cursor))
  }

  private async writePieces (text: string): Promise<void> {
    const pieces = this.writeEvents(text)
    for (const [index, piece] of pieces.entries()) {
      if (this.isGone) return
      if (this.gzip === undefined) this.visit.response!.write(piece)
      else {
        this.gzip.write(piece)
        await new Promise<void>(resolve => { this.gzip!.flush(constants.Z_SYNC_FLUSH, resolve) })
      }
      if (index < pieces.length - 1) await delay(PIECE_PAUSE_MS)
    }
  }
}
