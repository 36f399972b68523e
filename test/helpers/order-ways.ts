import { type Command, commands, topicKey } from '@tickwire/protocol'
import type { Test } from 'tap'
import type { Log } from '../../src/log/log.js'
import { type Message, openWebSocket, until } from './clients.js'

/** The ways in which a client sends requests about orders (PROTOCOL.md, Orders). */

/** As an action of a WebSocket, without `id`. */
export type Request = { readonly action: string } & Readonly<Record<string, unknown>>

interface Answer {
  /** Without `id`. */
  readonly body: Message
  /** Of HTTP. */
  readonly status?: number
}

export interface Way {
  readonly name: 'websocket' | 'rest'
  /** @throws if the connection ends before the answer */
  ask (request: Request): Promise<Answer>
}

interface SocketWay extends Way {
  cut (): void
  closed (): boolean
}

export async function overRest (
  origin: string, token: string | undefined, request: Request
): Promise<Answer> {
  const { action, order_id: id, ...fields } = request
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const send = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const response = await fetch(origin + path, {
      method,
      headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    return { status: response.status, body: await response.json() as Message }
  }
  const path = `/v1/orders/${encodeURIComponent(String(id))}`
  switch (action) {
    case 'submit_order': return await send('POST', '/v1/orders', id === undefined ? fields : { ...fields, order_id: id })
    case 'cancel_order': return await send('DELETE', `${path}?${new URLSearchParams(fields as Record<string, string>).toString()}`)
    case 'replace_order': return await send('PATCH', path, fields)
    default: return await send('POST', '/v1/account/reset', fields)
  }
}

/** Opens a WebSocket, on which many requests may be under way. @throws if it cannot be opened */
export async function overWebSocket (
  t: Test, origin: string, token: string | undefined
): Promise<SocketWay> {
  const waiting = new Map<unknown, { resolve (answer: Answer): void, reject (error: Error): void }>()
  const client = openWebSocket(origin, token === undefined ? '' : `token=${token}`, 'tickwire.v1.json', {
    onMessage: ({ id, ...message }) => {
      waiting.get(id)?.resolve({ body: message as Message })
      waiting.delete(id)
    },
    onCursor: () => {}
  })
  let closed = false
  const gone = (): Error => new Error('the connection has ended')
  void client.ended.then(() => {
    closed = true
    for (const { reject } of waiting.values()) reject(gone())
  })
  t.teardown(() => { client.cut() })
  await until('it is open', () => closed || client.socket.readyState === client.socket.OPEN)
  if (closed) throw gone()
  let ids = 0
  return {
    name: 'websocket',
    ask: request => new Promise((resolve, reject) => {
      const id = ++ids
      if (closed) {
        reject(gone())
        return
      }
      waiting.set(id, { resolve, reject })
      client.send({ ...request, id })
    }),
    cut: () => { client.cut() },
    closed: () => closed
  }
}

/** Reads the commands of a user, in the order of the log. */
export async function commandsOf (log: Pick<Log, 'read'>, user = 'alice'): Promise<Command[]> {
  const { entries } = await log.read(topicKey({ channel: commands.name, user }), { sequence: 0 }, 1_000_000)
  return entries.map(({ payload }) => JSON.parse(payload) as Command)
}

/** Returns some texts each 1 to 5 times, so that the same ones are near one another but seldom in a row. */
export function repeatedly (
  texts: readonly string[], choices: { integer (from: number, to: number): number }
): string[] {
  const repeated = texts.flatMap(text => Array<string>(choices.integer(1, 5)).fill(text))
  for (let at = repeated.length - 1; at > 0; at--) {
    const to = choices.integer(Math.max(0, at - 40), at)
    const moved = repeated[at]!
    repeated[at] = repeated[to]!
    repeated[to] = moved
  }
  return repeated
}
