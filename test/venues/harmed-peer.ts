import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import type { FrameHarm, Misbehaviour } from './misbehaviour.js'
import type { About, Peer } from './venue-protocol.js'

/** A field of a frame with a text or a number. */
const FIELD = /"(\w+)":("[^"]*"|-?\d[\d.eE+-]*)/g
const WRONG = ['null', 'true', '{"a":[]}', '[[1]]']
/** The opcode of a text, with the bit that says that it is whole. */
const WHOLE_TEXT = 0x81
/** Says that the length follows in two bytes. */
const LONG = 126
/** How many frames come between a word that the server goes down and its end. */
const LAST_FRAMES = 5

/** A connection on which a venue's frames come to harm. */
export class HarmedPeer implements Peer {
  private isSilent = false
  /** By symbol and kind, the frame that the next one will overtake. */
  private readonly late = new Map<string, string>()
  private left = Infinity

  /** @param shutdown a frame that says that the connection will be cut */
  constructor (
    private readonly webSocket: WebSocket, private readonly socket: Socket,
    private readonly misbehaviour: Misbehaviour, private readonly asBinary: boolean,
    private readonly shutdown: (() => string) | undefined
  ) {
    webSocket.on('ping', payload => { if (!this.isSilent) webSocket.pong(payload) })
  }

  get isDeaf (): boolean {
    return this.isSilent
  }

  send (text: string, about?: About): void {
    if (this.isSilent) return
    const harm = about === undefined ? undefined : this.misbehaviour.frame(about.pair)
    const key = about === undefined ? '' : `${about.kind} ${about.pair}`
    const late = this.late.get(key)
    this.late.delete(key)
    if (harm === undefined) this.write(text)
    else if (harm === 'swap' && late === undefined) this.late.set(key, text)
    else this.harm(harm, text)
    if (late !== undefined) this.write(late)
    if (--this.left === 0) this.close(1012, 'service restart')
  }

  ping (): void {
    if (!this.isSilent) this.webSocket.ping()
  }

  close (code: number, reason: string): void {
    if (!this.isSilent) this.webSocket.close(code, reason)
  }

  /** Sends what has waited to be overtaken. */
  settle (): void {
    for (const text of this.late.values()) if (!this.isSilent) this.write(text)
    this.late.clear()
  }

  private write (text: string): void {
    this.webSocket.send(this.asBinary ? Buffer.from(text) : text)
  }

  private harm (harm: FrameHarm, text: string): void {
    const { misbehaviour, socket } = this
    switch (harm) {
      case 'drop': return
      case 'double':
        this.write(text)
        return this.write(text)
      case 'swap': return this.write(text)
      case 'broken text': return this.write(text.slice(0, misbehaviour.below(text.length)))
      case 'wrong type': return this.write(this.withWrongType(text))
      case 'binary':
        this.webSocket.send(Buffer.from([0xff, 0x00, 0xc3, 0x28, 0x80]))
        return this.write(text)
      case 'cut':
        socket.destroy()
        return
      case 'cut in a frame': return this.cutIn(Buffer.from(text))
      case 'half-close':
        socket.end()
        return
      case 'silence':
        this.isSilent = true
        return
      case 'shutdown':
        this.write(text)
        if (this.shutdown === undefined) return this.close(1012, 'service restart')
        this.write(this.shutdown())
        this.left = Math.min(this.left, LAST_FRAMES)
    }
  }

  private withWrongType (text: string): string {
    const fields = [...text.matchAll(FIELD)]
    const field = fields[this.misbehaviour.below(Math.max(1, fields.length))]
    if (field === undefined) return '[]'
    const [whole, name] = field
    const wrong = WRONG[this.misbehaviour.below(WRONG.length)]
    return `${text.slice(0, field.index)}"${name}":${wrong}${text.slice(field.index + whole.length)}`
  }

  private cutIn (payload: Buffer): void {
    const header = Buffer.from([WHOLE_TEXT, LONG, payload.length >> 8 & 0xff, payload.length & 0xff])
    this.socket.write(Buffer.concat([header, payload.subarray(0, payload.length >> 1)]))
    this.socket.destroySoon()
  }
}
