import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'
import type { Choices } from '../helpers/random.js'
import type { Message } from '../helpers/wires.js'

/** How a user's requests about orders come to the servers: over WebSocket and REST, to any node. */

export interface Request {
  readonly action: 'submit_order' | 'cancel_order' | 'replace_order'
  readonly [field: string]: unknown
}
/** Undefined: no answer came, so that nobody knows whether the request was taken. */
type Reply = Message | undefined

const ANSWER_TIMEOUT_MS = 5000
const MOST_UNDER_WAY = 48
const LOOK_MS = 5
const BACKOFF_MS = [50, 400] as const
/** What a client is told when it is to send its request again. */
const AGAIN: readonly unknown[] = ['log_unavailable', 'going_away', 'overloaded', 'rate_limited']

/** A user's connection to one node: opened when it is needed, and again when it has ended. */
class OrderSocket {
  private socket: WebSocket | undefined
  private asked = 0
  /** What is sent when the connection is open. */
  private unsent: string[] = []
  private readonly waiting = new Map<number, (reply: Reply) => void>()

  constructor (private readonly origin: string, private readonly token: string) {}

  async ask (request: Request): Promise<Reply> {
    const socket = this.socket ??= this.open()
    const id = ++this.asked
    const timeout = setTimeout(() => { socket.terminate() }, ANSWER_TIMEOUT_MS)
    try {
      return await new Promise(resolve => {
        this.waiting.set(id, resolve)
        const text = JSON.stringify({ ...request, id })
        if (socket.readyState === WebSocket.OPEN) socket.send(text)
        else this.unsent.push(text)
      })
    } finally {
      clearTimeout(timeout)
      this.waiting.delete(id)
    }
  }

  close (): void {
    this.socket?.terminate()
  }

  private open (): WebSocket {
    const socket = new WebSocket(`${this.origin.replace('http', 'ws')}/v1/stream`, 'tickwire.v1.json', {
      headers: { authorization: `Bearer ${this.token}` }
    })
    socket.on('open', () => { for (const text of this.unsent.splice(0)) socket.send(text) })
    socket.on('message', data => {
      const message = JSON.parse(String(data)) as Message
      this.waiting.get(message['id'] as number)?.(message)
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.socket = undefined
      this.unsent = []
      for (const resolve of this.waiting.values()) resolve(undefined)
    })
    return socket
  }
}

/** Sends a request over REST. */
export async function overRest (origin: string, token: string, request: Request): Promise<Reply> {
  const { action, order_id: id, client_order_id: _name, ...body } = request
  const path = `/v1/orders/${encodeURIComponent(String(id))}`
  const ask = async (method: string, path: string, body?: object): Promise<Message> => {
    const response = await fetch(origin + path, {
      method,
      headers: { authorization: `Bearer ${token}`, ...body === undefined ? {} : { 'content-type': 'application/json' } },
      ...body === undefined ? {} : { body: JSON.stringify(body) },
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS)
    })
    return await response.json() as Message
  }
  try {
    switch (action) {
      case 'submit_order': return await ask('POST', '/v1/orders', { ...request, action: undefined })
      case 'cancel_order': return await ask('DELETE', `${path}?request_id=${encodeURIComponent(String(body['request_id']))}`)
      case 'replace_order': return await ask('PATCH', path, body)
    }
  } catch {
    return undefined
  }
}

/** How often requests were sent, and what kept them from being answered at once; and when one may be sent. */
export class Attempts {
  readonly sent = { websocket: 0, rest: 0 }
  /** By what came in place of an answer. */
  readonly again = new Map<string, number>()

  private underWay = 0

  /** Sends one when few enough are under way: servers that are too slow would only be sent more again. */
  async send (way: keyof Attempts['sent'], ask: () => Promise<Reply>): Promise<Reply> {
    while (this.underWay >= MOST_UNDER_WAY) await delay(LOOK_MS)
    this.underWay++
    this.sent[way]++
    try {
      return await ask()
    } finally {
      this.underWay--
    }
  }

  noteAgain (reason: string): void {
    this.again.set(reason, (this.again.get(reason) ?? 0) + 1)
  }
}

/** All ways of one user to all nodes. */
export class Desk {
  private readonly sockets: readonly OrderSocket[]
  private over = false

  constructor (
    private readonly origins: readonly string[], private readonly token: string,
    private readonly attempts: Attempts
  ) {
    this.sockets = origins.map(origin => new OrderSocket(origin, token))
  }

  /**
   * Sends a request over whichever way, and again over another one until it is answered.
   * @throws Error if the run ends before that
   */
  async send (request: Request, random: Choices): Promise<Message> {
    for (;;) {
      if (this.over) throw new Error('the run has ended')
      const node = random.integer(0, this.origins.length - 1)
      const isRest = random.chance(0.5)
      const reply = await this.attempts.send(isRest ? 'rest' : 'websocket', async () => await (isRest
        ? overRest(this.origins[node]!, this.token, request)
        : this.sockets[node]!.ask(request)))
      if (reply !== undefined && !AGAIN.includes(reply['code'])) return reply
      this.attempts.noteAgain(reply === undefined ? 'no answer' : String(reply['code']))
      await delay(random.integer(...BACKOFF_MS))
    }
  }

  close (): void {
    this.over = true
    for (const socket of this.sockets) socket.close()
  }
}
