import { WebSocket } from 'ws'
import type { SourceMessage } from '../../src/sources/source.js'
import type { Venue, VenueParser } from '../../src/sources/venues/venue.js'
import type { Message } from '../helpers/clients.js'

/**
 * If nothing comes for this many milliseconds twice in a row, the client gives the connection up. One silence
 * may only mean that the process stood still: between two timers it reads what has come.
 */
const SILENCE_MS = 300
const ANSWER_MS = 2000
const RETRY_MS = 20

const TYPES: Readonly<Record<string, string>> = { book: 'book', trades: 'trade', quotes: 'quote' }

const COINBASE_CHANNELS = ['level2_batch', 'matches', 'ticker', 'heartbeat']

/** What a client of a venue asks for. */
interface Wanted {
  readonly path: string
  readonly frames: readonly string[]
  /** Paths of snapshots. */
  readonly requests: readonly string[]
}

function wanted (venue: string, pairs: readonly string[]): Wanted {
  switch (venue) {
    case 'kraken': {
      const params = { channel: 'book', symbol: pairs, depth: 10 }
      return { path: '/v2', frames: [JSON.stringify({ method: 'subscribe', params })], requests: [] }
    }
    case 'coinbase': return {
      path: '/',
      frames: [JSON.stringify({ type: 'subscribe', product_ids: pairs, channels: COINBASE_CHANNELS })],
      requests: []
    }
    default: return {
      path: `/stream?streams=${streamsOf(pairs).join('/')}`,
      frames: [],
      requests: pairs.map(pair => `/api/v3/depth?symbol=${pair}&limit=1000`)
    }
  }
}

const streamsOf = (pairs: readonly string[]): string[] => pairs.flatMap(pair =>
  ['depth@100ms', 'aggTrade', 'bookTicker'].map(stream => `${pair.toLowerCase()}@${stream}`))

/**
 * The simplest client that is right: at any fault it makes its books stale and begins anew. It shows that a
 * venue server and its oracle work, without the server's own connectors.
 */
export class PlainClient {
  private readonly parser: VenueParser
  private webSocket: WebSocket | undefined
  private readonly good = new Set<string>()
  private readonly lastTrade = new Map<string, number>()
  private timer: NodeJS.Timeout | undefined
  private isClosed = false

  /** @param open makes a parser; a wrong one shows what the oracle sees */
  constructor (
    private readonly venue: Venue, private readonly host: string, private readonly pairs: readonly string[],
    private readonly onMessage: (message: Message) => void,
    open: () => VenueParser = () => venue.createParser()
  ) {
    this.parser = open()
    this.connect()
  }

  close (): void {
    this.isClosed = true
    clearTimeout(this.timer)
    this.webSocket?.terminate()
  }

  private connect (): void {
    if (this.isClosed) return
    const { path, frames, requests } = wanted(this.venue.name, this.pairs)
    const webSocket = new WebSocket(`ws://${this.host}${path}`)
    this.webSocket = webSocket
    this.watch()
    webSocket.on('error', () => {}).on('close', () => { this.again(webSocket) })
    webSocket.on('ping', () => { if (this.webSocket === webSocket) this.watch() })
    webSocket.on('open', () => {
      for (const frame of frames) webSocket.send(frame)
      for (const request of requests) void this.ask(webSocket, request)
    })
    webSocket.on('message', (data, isBinary) => {
      if (this.webSocket !== webSocket) return
      this.watch()
      if (!isBinary) this.take(webSocket, () => this.parser.parse((data as Buffer).toString('utf8')))
    })
  }

  private async ask (webSocket: WebSocket, request: string): Promise<void> {
    const url = new URL(request, `http://${this.host}`)
    const body = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) })
      .then(async answer => await answer.text())
      .catch(() => '')
    if (this.webSocket === webSocket) this.take(webSocket, () => this.parser.answer!(url, body))
  }

  private take (webSocket: WebSocket, read: () => readonly SourceMessage[]): void {
    let messages: readonly SourceMessage[]
    try {
      messages = read()
    } catch {
      return this.again(webSocket)
    }
    if (this.pass(messages)) this.again(webSocket)
  }

  /** @returns whether a book became stale */
  private pass (messages: readonly SourceMessage[]): boolean {
    let isAnyStale = false
    for (const { channel, symbol, snapshot, data } of messages) {
      const isStale = channel === 'book' && (data as { stale?: true }).stale === true
      if (isStale && !this.good.delete(symbol!)) continue
      if (channel === 'book' && !isStale) this.good.add(symbol!)
      // A publisher refuses what is no trade or quote.
      const isOdd = Object.values(data as object).some(value => typeof value !== 'string')
      if (channel !== 'book' && isOdd) continue
      const isKnown = channel === 'trades' && !this.isNew(symbol!, data as { trade_id: string })
      if (isKnown) continue
      const whole = snapshot === true ? { snapshot } : {}
      this.onMessage({ type: TYPES[channel]!, symbol: symbol!, ...whole, data })
      if (isStale) isAnyStale = true
    }
    return isAnyStale
  }

  /** A trade that comes twice or too late is none. */
  private isNew (symbol: string, { trade_id: id }: { readonly trade_id: string }): boolean {
    const isNew = Number(id) > (this.lastTrade.get(symbol) ?? 0)
    if (isNew) this.lastTrade.set(symbol, Number(id))
    return isNew
  }

  /** Begins anew, once. */
  private again (webSocket: WebSocket): void {
    if (this.webSocket !== webSocket || this.isClosed) return
    this.webSocket = undefined
    webSocket.terminate()
    this.pass(this.parser.cut('lost'))
    clearTimeout(this.timer)
    this.timer = setTimeout(() => { this.connect() }, RETRY_MS)
  }

  private watch (isQuiet = false): void {
    clearTimeout(this.timer)
    if (this.isClosed) return
    const { webSocket } = this
    this.timer = setTimeout(() => {
      if (!isQuiet) this.watch(true)
      else if (webSocket !== undefined) this.again(webSocket)
    }, SILENCE_MS)
  }
}
