import { type IncomingMessage, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'
import type { Message } from '../helpers/clients.js'

/** Where the abuse comes from, so that the limits of an address do not concern the honest clients. */
export const ABUSER_ADDRESS = process.platform === 'linux' ? '127.0.0.2' : '127.0.0.1'
/** Of what was not sent yet, how much a flood may have lying: what it cannot send, it would only keep. */
const MOST_UNSENT = 1 << 20
const BREATH_MS = 10

/** A server that is abused, and what it said to that. */
export class Target {
  /** How often the abuser was told something: `closing rate_limited`, `429 too_many_connections`. */
  readonly told = new Map<string, number>()
  over = false
  private readonly sockets = new Set<{ destroy (): void }>()

  /** @param token of a user who may do nothing special */
  constructor (readonly port: number, readonly token: string) {}

  note (what: string): void {
    this.told.set(what, (this.told.get(what) ?? 0) + 1)
  }

  /** Bytes to the server, and whatever it answers. */
  raw (bytes: string): Socket {
    const socket = connect({ port: this.port, host: '127.0.0.1', localAddress: ABUSER_ADDRESS })
    this.sockets.add(socket)
    let text = ''
    socket.on('data', chunk => {
      if (text.length > 10_000) return
      if (text === '') this.note(`answered ${/^HTTP\/1.1 (\d+)/.exec(chunk.toString('latin1'))?.[1] ?? 'nonsense'}`)
      text += chunk.toString('latin1')
      const code = /"code":"([a-z_]+)"/.exec(text)?.[1]
      if (code !== undefined) {
        this.note(`refused ${code}`)
        text = 'x'.repeat(10_001)
      }
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.sockets.delete(socket)
      if (!this.over) this.note('disconnected')
    })
    socket.write(bytes)
    return socket
  }

  /** @param reads whether what comes is read */
  webSocket (query: string, reads = true): WebSocket {
    const socket = new WebSocket(`ws://127.0.0.1:${this.port}/v1/stream?${query}`, 'tickwire.v1.json', { localAddress: ABUSER_ADDRESS, perMessageDeflate: false })
    const held = { destroy: () => { socket.terminate() } }
    this.sockets.add(held)
    socket.on('unexpected-response', (upgrade, response) => {
      this.refused(response, () => {
        upgrade.destroy()
        // `ws` itself says nothing more of it.
        socket.emit('close', 1006)
      })
    })
    socket.on('error', () => {})
    socket.on('open', () => {
      if (!reads) socket.pause()
    })
    socket.on('message', (data: Buffer) => {
      // Parsing all of a flood's answers would be the abuser's own undoing.
      if (data[9] !== 0x65 && data[9] !== 0x63 && data[9] !== 0x73 && data[9] !== 0x6c) return
      const { type, code, rejected } = JSON.parse(data.toString()) as Message
      if (type === 'error' || type === 'closing') this.note(`${type} ${String(code)}`)
      if (type === 'lagging') this.note('lagging')
      if (type === 'subscribed') for (const { code: refusal } of rejected as Array<{ code: string }>) this.note(`rejected ${refusal}`)
    })
    socket.on('close', (code: number) => {
      this.sockets.delete(held)
      if (!this.over) this.note(code === 1006 ? 'disconnected' : `closed ${code}`)
    })
    return socket
  }

  /** A stream or an answer that nobody reads. */
  unread (path: string, accept: string): void {
    const ask = request({ port: this.port, host: '127.0.0.1', localAddress: ABUSER_ADDRESS, path, headers: { accept }, agent: false })
    this.sockets.add(ask)
    ask.on('response', response => {
      this.note(`answered ${response.statusCode}`)
      response.on('error', () => {})
    })
    ask.on('error', () => {})
    ask.on('close', () => {
      this.sockets.delete(ask)
      if (!this.over) this.note('disconnected')
    })
    ask.end()
  }

  /** Says something over and over as fast as it is taken, until the connection or the attack ends. */
  async flood (socket: WebSocket, next: () => string): Promise<void> {
    const gone = new Promise(resolve => { socket.once('close', resolve) })
    if (socket.readyState === WebSocket.CONNECTING) await Promise.race([gone, new Promise(resolve => { socket.once('open', resolve) })])
    while (!this.over && socket.readyState === WebSocket.OPEN) {
      for (let sent = 0; sent < 200 && socket.bufferedAmount < MOST_UNSENT; sent++) socket.send(next())
      await delay(socket.bufferedAmount < MOST_UNSENT ? 0 : BREATH_MS)
    }
  }

  /**
   * Keeps asking and reads nothing for a time, then reads everything that waits, and so on until the
   * connection or the attack ends.
   */
  async glance (socket: WebSocket, asked: string): Promise<void> {
    const gone = new Promise(resolve => { socket.once('close', resolve) })
    if (socket.readyState === WebSocket.CONNECTING) await Promise.race([gone, new Promise(resolve => { socket.once('open', resolve) })])
    for (let turn = 1; !this.over && socket.readyState === WebSocket.OPEN; turn++) {
      // More than a system takes for a peer that does not read, at less than the messages that one may send;
      // a longer time if that was not enough, because a busy server answers less in a time.
      for (let times = 0; times < 80 * turn && !this.over && socket.readyState === WebSocket.OPEN; times++) {
        for (let each = 0; each < 4; each++) socket.send(asked)
        await delay(100)
      }
      // The answer to this stands behind everything that waits.
      const id = `glance-${turn}`
      const read = new Promise<void>(resolve => {
        const listen = (data: Buffer): void => {
          if (!data.includes(id)) return
          socket.off('message', listen)
          resolve()
        }
        socket.on('message', listen)
      })
      socket.send(JSON.stringify({ action: 'ping', id }))
      socket.resume()
      await Promise.race([gone, read])
      socket.pause()
    }
  }

  /** Does something again and again, each time when it has ended, so many at once. */
  async again (atOnce: number, act: (index: number) => Promise<void>): Promise<void> {
    await Promise.all(Array.from({ length: atOnce }, async (_, index) => {
      while (!this.over) {
        await act(index)
        await delay(BREATH_MS)
      }
    }))
  }

  /** Until the attack is over. */
  async rest (everyMs = 50): Promise<void> {
    while (!this.over) await delay(everyMs)
  }

  end (): void {
    this.over = true
    for (const socket of this.sockets) socket.destroy()
  }

  private refused (response: IncomingMessage, done: () => void): void {
    let text = ''
    response.setEncoding('utf8').on('data', chunk => { text += String(chunk) }).on('close', () => {
      this.note(`refused ${(JSON.parse(text) as { code: string }).code}`)
      done()
    })
  }
}
