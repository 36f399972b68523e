import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** The key of RFC 6455, 1.3. Nobody checks the answer to it. */
const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
const CURSOR = /"cursor":"([^"]+)"/g
/** Payloads up to here have a length of two bytes (RFC 6455, 5.2). */
const MOST_BYTES = 0xffff

export interface PeerOptions {
  readonly subprotocol: string
  /** An offer of extensions; absent: none. */
  readonly extensions?: string
  readonly token?: string
}

/** A client that reads everything, knows only the newest cursor, and costs next to nothing. */
export class Peer {
  /** The newest cursor that it was sent, as far as it could be read. */
  cursor: string | undefined
  /** Bytes. */
  received = 0

  private constructor (private readonly socket: Socket) {
    socket.on('error', () => {})
    socket.on('data', (bytes: Buffer) => {
      // A compressed cursor is not found, and is not needed.
      for (const [, cursor] of bytes.toString('latin1').matchAll(CURSOR)) this.cursor = cursor
      this.received += bytes.length
    })
  }

  /** Opens a WebSocket. @param path with the query */
  static async webSocket (port: number, path: string, options: PeerOptions): Promise<Peer> {
    const { subprotocol, extensions, token } = options
    return await Peer.open(port, [
      `GET ${path} HTTP/1.1`, 'Host: warm-up', 'Connection: Upgrade', 'Upgrade: websocket',
      'Sec-WebSocket-Version: 13', `Sec-WebSocket-Key: ${KEY}`, `Sec-WebSocket-Protocol: ${subprotocol}`,
      ...extensions === undefined ? [] : [`Sec-WebSocket-Extensions: ${extensions}`],
      ...token === undefined ? [] : [`Authorization: Bearer ${token}`]
    ])
  }

  /** Opens an event stream. @param path with the query */
  static async eventStream (port: number, path: string): Promise<Peer> {
    return await Peer.open(port, [
      `GET ${path} HTTP/1.1`, 'Host: warm-up', 'Accept: text/event-stream', 'Accept-Encoding: gzip'
    ])
  }

  private static async open (port: number, head: readonly string[]): Promise<Peer> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    socket.write(`${head.join('\r\n')}\r\n\r\n`)
    return new Peer(socket)
  }

  /** Sends a text in one frame, whose mask is all zeros. */
  send (text: string): void {
    const payload = Buffer.from(text)
    if (payload.length > MOST_BYTES) throw new Error(`a frame takes at most ${MOST_BYTES} bytes`)
    this.socket.write(Buffer.concat([
      Buffer.from([0x81, 0x80 | 126, payload.length >> 8, payload.length & 0xff, 0, 0, 0, 0]), payload
    ]))
  }

  end (): void {
    this.socket.destroy()
  }
}
