import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Test } from 'tap'
import { WebSocket } from 'ws'
import { until } from './clients.js'
import type { TestServer } from './server.js'

export interface OlderMessage {
  readonly type: string
  readonly symbol?: string
  readonly message?: string
  readonly code?: string
  readonly data?: Readonly<Record<string, unknown>>
  readonly [field: string]: unknown
}

/** A client of `/api/ws` or `/ws/heatmap`: it knows nothing but JSON over a WebSocket. */
export class OlderClient {
  readonly messages: OlderMessage[] = []
  /** When each came, by a clock that never goes back. */
  readonly times: number[] = []
  closed: number | undefined

  constructor (t: Test, readonly socket: WebSocket) {
    socket.on('message', data => {
      this.times.push(performance.now())
      this.messages.push(JSON.parse(String(data)) as OlderMessage)
    })
    socket.on('close', code => { this.closed = code })
    socket.on('error', () => {})
    t.teardown(() => { socket.terminate() })
  }

  static async open (t: Test, server: TestServer, path: string, token = ''): Promise<OlderClient> {
    const client = new OlderClient(t, new WebSocket(urlOf(server, path, token)))
    await once(client.socket, 'open')
    return client
  }

  send (message: object | string): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message))
  }

  of (type: string): OlderMessage[] {
    return this.messages.filter(message => message.type === type)
  }

  async count (type: string, count: number): Promise<OlderMessage[]> {
    await until(`${count} of ${type} came`, () => this.of(type).length >= count)
      .catch((error: unknown) => { throw new Error(`${String(error)}: ${JSON.stringify(this.messages.slice(-10))}`) })
    return this.of(type)
  }

  /** Subscribes as a client of `/api/ws`, and waits for the answer. */
  async subscribe (...topics: string[]): Promise<void> {
    const before = this.of('subscribed').length
    for (const topic of topics) this.send({ type: 'subscribe', topic })
    await this.count('subscribed', before + topics.length)
  }

  /** Resolves when the server has answered everything that was sent before. */
  async settled (): Promise<void> {
    const before = this.of('unsubscribed').length
    this.send({ type: 'unsubscribe', topic: 'price:NONE' })
    await this.count('unsubscribed', before + 1)
  }
}

const urlOf = ({ origin }: TestServer, path: string, token: string): string =>
  `${origin.replace('http', 'ws')}${path}${token === '' ? '' : `${path.includes('?') ? '&' : '?'}token=${token}`}`

/** Asks for an upgrade that is refused. Returns the status, and the code of the refusal. */
export async function refusedAt (
  server: TestServer, path: string, headers: Record<string, string> = {}
): Promise<string> {
  const socket = new WebSocket(urlOf(server, path, ''), { headers })
  const [, response] = await once(socket, 'unexpected-response') as [unknown, IncomingMessage]
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return `${response.statusCode} ${(JSON.parse(text) as { code: string }).code}`
}
