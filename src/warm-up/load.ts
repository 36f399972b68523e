import { Agent, request, type RequestOptions } from 'node:http'
import { BATCH_SUBPROTOCOL, JSON_SUBPROTOCOL } from '@tickwire/protocol'
import { Peer } from './peer.js'

const SYMBOLS = Array.from({ length: 40 }, (_, number) => `WARM${number}`)
/** How many of the symbols a client follows, in each channel. */
const EACH = 8
/** Messages of one batch. */
const BATCH = 10
/** Clients of each kind that stay. */
const STAYING = 6
/** Once in so many batches one client resumes and another polls. */
const RESUMES_EVERY = 4

/** A client that was sent messages has received more than this. */
const LEAST_BYTES = 4096

const DEFLATE = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover'

/** The load that a server will see: batches are published, and clients of every wire read and come back. */
export class Load {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 1 })
  private turns = 0

  private constructor (
    private readonly port: number,
    private readonly token: string,
    private readonly staying: readonly Peer[],
    private readonly publisher: Peer
  ) {}

  /** @param token permits to publish everything */
  static async begin (port: number, token: string): Promise<Load> {
    const staying = Array.from({ length: STAYING }, (_, turn) => [
      Peer.webSocket(port, pathOf(turn), { subprotocol: JSON_SUBPROTOCOL }),
      Peer.webSocket(port, pathOf(turn), { subprotocol: BATCH_SUBPROTOCOL }),
      Peer.webSocket(port, pathOf(turn), { subprotocol: JSON_SUBPROTOCOL, extensions: DEFLATE }),
      Peer.eventStream(port, pathOf(turn))
    ]).flat()
    const publisher = Peer.webSocket(port, '/v1/stream', { subprotocol: JSON_SUBPROTOCOL, token })
    return new Load(port, token, await Promise.all(staying), await publisher)
  }

  /** Publishes a batch: over HTTP and over WebSocket in turns. */
  async turn (): Promise<void> {
    const turn = this.turns++
    const messages = messagesOf(turn)
    const lines = messages.map(message => JSON.stringify(message)).join('\n')
    if (turn % 2 === 0) await this.ask('POST', '/v1/publish', lines)
    else this.publisher.send(JSON.stringify({ action: 'publish', id: String(turn), messages }))
    if (turn % RESUMES_EVERY === 0) await this.resume(turn)
  }

  /** How many clients have been sent nothing beyond the first answer: the load is not what it should be. */
  get starving (): number {
    return this.staying.filter(({ received }) => received < LEAST_BYTES).length
  }

  end (): void {
    this.agent.destroy()
    this.publisher.end()
    for (const peer of this.staying) peer.end()
  }

  /** A client comes back with the cursor of one that stays, and another asks once. */
  private async resume (turn: number): Promise<void> {
    const { cursor } = this.staying[turn % STAYING]!
    const path = cursor === undefined ? pathOf(turn) : `${pathOf(turn)}&after=${encodeURIComponent(cursor)}`
    const back = turn % (2 * RESUMES_EVERY) === 0
      ? await Peer.webSocket(this.port, path, { subprotocol: JSON_SUBPROTOCOL })
      : await Peer.eventStream(this.port, path)
    await this.ask('GET', path)
    back.end()
  }

  private async ask (method: 'GET' | 'POST', path: string, body?: string): Promise<void> {
    const options: RequestOptions = {
      agent: this.agent,
      host: '127.0.0.1',
      port: this.port,
      method,
      path,
      headers: body === undefined
        ? { accept: 'application/json' }
        : { 'content-type': 'application/x-ndjson', authorization: `Bearer ${this.token}` }
    }
    await new Promise<void>((resolve, reject) => {
      request(options, answer => {
        const { statusCode } = answer
        if (statusCode !== 200) reject(new Error(`${method} ${path} was answered with ${statusCode}`))
        answer.on('end', resolve).on('error', reject).resume()
      }).on('error', reject).end(body)
    })
  }
}

const pathOf = (turn: number): string => {
  const symbols = Array.from({ length: EACH }, (_, index) => SYMBOLS[(turn + index * 5) % SYMBOLS.length])
  return `/v1/stream?subscribe=quotes:${symbols.join(',')}&subscribe=trades:${symbols.join(',')}`
}

/** Trades and quotes in turns, as they come from a market. */
function messagesOf (turn: number): object[] {
  const timestamp = new Date().toISOString()
  return Array.from({ length: BATCH }, (_, index) => {
    const number = turn * BATCH + index
    const symbol = SYMBOLS[(number * 7) % SYMBOLS.length]!
    const price = `${100 + number % 10}.${number % 90 + 10}`
    return number % 2 === 0
      ? { channel: 'trades', symbol, data: { symbol, price, size: '1', timestamp } }
      : { channel: 'quotes', symbol, data: { symbol, bid: price, ask: price, last: price } }
  })
}
