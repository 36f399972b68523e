import { get, type IncomingHttpHeaders } from 'node:http'
import { WebSocket } from 'ws'
import type { Message } from './clients.js'

/**
 * Every way to connect with a credential, by PROTOCOL.md, sharing nothing with src. Each returns the user
 * whose answer came, or the code of the refusal, which must be in the form of the transport.
 */
export const transports = ['websocket', 'sse', 'poll'] as const
export type Transport = (typeof transports)[number]

export interface Entry {
  /** Behind the `?`, beside the subscription. */
  readonly query?: string
  readonly headers?: Record<string, string>
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/**
 * Sends a GET over a connection of its own.
 * @param enough called with the body so far; once it returns true, the rest is left unread
 */
export async function ask (
  url: string,
  headers: Record<string, string> = {},
  enough: (body: string) => boolean = () => false
): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const request = get(url, { headers, agent: false }, response => {
      let body = ''
      const done = (): void => { resolve({ status: response.statusCode!, headers: response.headers, body }) }
      response.on('data', chunk => {
        body += String(chunk)
        if (!enough(body)) return
        done()
        request.destroy()
      })
      response.on('end', done)
      response.on('error', () => {})
    })
    request.on('error', reject)
  })
}

const REFUSED = 401

/** The code in a refusal over HTTP. */
function codeOf ({ status, body }: Answer): string {
  const { type, code } = JSON.parse(body) as Record<string, unknown>
  if (type !== 'error') throw new Error(`no refusal: ${status} ${body}`)
  return code === 'unauthorized' && status !== REFUSED ? `unauthorized with status ${status}` : String(code)
}

/** Whose portfolio is in an answer: the test publishes one for each, with a position of the owner's name. */
const ownerOf = (message: Message | undefined): string => (message?.data as { positions: Array<{ symbol: string }> } | undefined)?.positions[0]?.symbol ?? 'nobody'

const SUBSCRIPTION = 'subscribe=portfolio'

/** Comes in by a request. */
export async function enter (origin: string, transport: Transport, { query = '', headers = {} }: Entry): Promise<string> {
  const url = `${origin}/v1/stream?${[SUBSCRIPTION, query].filter(part => part !== '').join('&')}`
  switch (transport) {
    case 'websocket': return await enterByWebSocket(url.replace('http', 'ws'), headers)
    case 'sse': {
      const answer = await ask(url, { ...headers, accept: 'text/event-stream' }, body => body.includes('"snapshot":true'))
      if (answer.status !== 200) return codeOf(answer)
      const messages = answer.body.split('\n').filter(line => line.startsWith('data: {')).map(line => JSON.parse(line.slice(6)) as Message)
      return sameUser(messages)
    }
    case 'poll': {
      const answer = await ask(url, headers)
      if (answer.status !== 200) return codeOf(answer)
      return ownerOf((JSON.parse(answer.body) as { messages: Message[] }).messages[0])
    }
  }
}

/** Of a stream, where `welcome` says it as well. */
function sameUser (messages: readonly Message[]): string {
  const user = messages.find(({ type }) => type === 'welcome')?.['user_id']
  const owner = ownerOf(messages.find(({ type }) => type === 'portfolio'))
  return user === owner ? owner : `${String(user)} with the portfolio of ${owner}`
}

async function enterByWebSocket (url: string, headers: Record<string, string>): Promise<string> {
  const socket = new WebSocket(url, { headers })
  return await new Promise((resolve, reject) => {
    const messages: Message[] = []
    socket.on('unexpected-response', (_request, response) => {
      let body = ''
      response.on('data', chunk => { body += String(chunk) })
      response.on('end', () => { resolve(codeOf({ status: response.statusCode!, headers: response.headers, body })) })
    })
    socket.on('message', data => {
      messages.push(JSON.parse(String(data)) as Message)
      if (messages.at(-1)!.type !== 'portfolio') return
      socket.terminate()
      resolve(sameUser(messages))
    })
    socket.on('error', reject)
  })
}

/** Connects a WebSocket that sends its token in its first message. Without a token it subscribes at once. */
export async function enterByMessage (origin: string, token: string | undefined): Promise<string> {
  const socket = new WebSocket(`${origin.replace('http', 'ws')}/v1/stream`)
  return await new Promise((resolve, reject) => {
    socket.on('open', () => {
      if (token !== undefined) socket.send(JSON.stringify({ action: 'auth', id: 1, token }))
      socket.send(JSON.stringify({ action: 'subscribe', id: 2, channel: 'portfolio' }))
    })
    let authenticated: unknown
    socket.on('message', data => {
      const message = JSON.parse(String(data)) as Message
      if (message.type === 'authenticated') authenticated = message['user_id']
      if (message.type !== 'error' && message.type !== 'portfolio') return
      socket.terminate()
      if (message.type === 'error') resolve(String(message['code']))
      else resolve(authenticated === ownerOf(message) ? ownerOf(message) : `${String(authenticated)} with the portfolio of ${ownerOf(message)}`)
    })
    socket.on('error', reject)
  })
}
