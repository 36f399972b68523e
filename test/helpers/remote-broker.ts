import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { MadeBroker } from './made-broker.js'

/**
 * A broker elsewhere, as `examples/broker/http-broker.js` knows it: an HTTP server. It may lose requests and
 * answers, repeat and hold back what it says, go away and come back.
 */
export class RemoteBroker extends MadeBroker {
  /** The next requests that are lost before they are done, and the next whose answers are lost. */
  loseRequests = 0
  loseAnswers = 0
  /** Whether everything is said twice. */
  repeats = false
  /** How it says no. */
  refusal = 422
  /** How many events before the position come again. */
  rewind = 0
  private readonly readers = new Map<ServerResponse, number>()
  private isHeld = false
  override onEvent = (): void => { this.write() }

  private constructor (private server: Server, private readonly port: number) {
    super()
  }

  static async start (): Promise<RemoteBroker> {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const broker = new RemoteBroker(server, (server.address() as AddressInfo).port)
    broker.serve()
    return broker
  }

  get url (): string {
    return `http://127.0.0.1:${this.port}`
  }

  async goAway (): Promise<void> {
    this.readers.clear()
    this.server.closeAllConnections()
    await new Promise(resolve => { this.server.close(resolve) })
  }

  async comeBack (): Promise<void> {
    this.server = createServer()
    this.server.listen(this.port, '127.0.0.1')
    await once(this.server, 'listening')
    this.serve()
  }

  /** Cuts all who read events. */
  cut (): void {
    for (const reader of this.readers.keys()) reader.destroy()
    this.readers.clear()
  }

  hold (isHeld: boolean): void {
    this.isHeld = isHeld
    this.write()
  }

  /** Says a line to all who read events now, whatever it is. */
  sayLine (line: string): void {
    for (const reader of this.readers.keys()) reader.write(`${line}\n`)
  }

  private serve (): void {
    this.server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.answer(request, response).catch(() => { response.destroy() })
    })
  }

  private async answer (request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url!, this.url)
    if (pathname === '/events') {
      response.writeHead(200).flushHeaders()
      this.readers.set(response, Math.max(0, Number(searchParams.get('after')) - this.rewind))
      response.on('close', () => { this.readers.delete(response) })
      this.write()
      return
    }
    const body = await json(request)
    if (this.loseRequests > 0) {
      this.loseRequests--
      response.destroy()
      return
    }
    const [, , id = '', action = 'submit'] = pathname.split('/')
    const refusal = this.perform(action, id, body)
    if (this.loseAnswers > 0) {
      this.loseAnswers--
      response.destroy()
    } else response.writeHead(refusal === undefined ? 200 : this.refusal).end(refusal)
  }

  private write (): void {
    if (this.isHeld) return
    for (const [reader, from] of this.readers) {
      for (const event of this.events.slice(from)) {
        const line = `${JSON.stringify(event)}\n`
        reader.write(this.repeats ? line + line : line)
      }
      this.readers.set(reader, this.events.length)
    }
  }
}
