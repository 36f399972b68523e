import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'
import type { Message } from './small-rule.js'

/** The three transports, written after PROTOCOL.md. */

/** Longer than the page says: this client runs beside others on machines that are busy. */
const PATIENCE_MS = 6000
const SILENCE_MS = 2500
const ANSWER_MS = 6000
const HEARTBEAT_SECONDS = 5

/** Why an attempt ended. */
export type End =
  /** The server refused, or said why it closes. */
  | { readonly kind: 'refused', readonly code: string, readonly retryAfterMs?: number, readonly isRequest: boolean }
  /** Nothing of the server came through. */
  | { readonly kind: 'failed' }
  /** The connection was there, and broke. */
  | { readonly kind: 'cut' }

/** What a transport asks of the client. */
export interface Reader {
  readonly origin: string
  readonly token: string | undefined
  /** The query of a request over HTTP. */
  query (): string
  /** Sends what a WebSocket has to send: at its welcome, and when the subscriptions change. */
  sync: ((send: (action: object) => void) => void)
  /** Takes a message; false: the connection is of no use any more. */
  take (message: Message): boolean
  /** A poll: what it holds is taken together with its cursor. */
  takeAnswer (answer: { cursor: string, messages: Message[] }): Promise<boolean>
  welcomed (): void
  /** A line of an event stream names a cursor; the event has not ended. */
  seen (cursor: string): void
}

const CODES: Readonly<Record<number, string>> = {
  1001: 'going_away',
  1009: 'message_too_big',
  4400: 'bad_request',
  4401: 'unauthorized',
  4403: 'forbidden',
  4404: 'not_found',
  4408: 'idle_timeout',
  4409: 'replaced',
  4410: 'disabled',
  4413: 'too_many_subscriptions',
  4429: 'rate_limited',
  4500: 'internal',
  4503: 'overloaded'
}

function refusal (text: string): End {
  try {
    const { type, code, retry_after_ms: retryAfterMs } = JSON.parse(text) as Message
    if (type !== 'error' || code === undefined) return { kind: 'failed' }
    return { kind: 'refused', code, isRequest: true, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
  } catch {
    return { kind: 'failed' }
  }
}

const endOf = ({ code, retry_after_ms: retryAfterMs }: Message): End =>
  ({ kind: 'refused', code: code!, isRequest: false, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) })

export async function overWebSocket (reader: Reader, signal: AbortSignal): Promise<End> {
  const url = `${reader.origin.replace('http', 'ws')}/v1/stream?heartbeat=${HEARTBEAT_SECONDS}`
  const socket = new WebSocket(url, 'tickwire.v1.batch')
  const send = (action: object): void => { socket.send(JSON.stringify(action)) }
  let end: End = { kind: 'failed' }
  let isWelcome = false
  let timer = setTimeout(() => { socket.terminate() }, PATIENCE_MS)
  const waitForLife = (): void => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      send({ action: 'ping' })
      timer = setTimeout(() => { socket.terminate() }, ANSWER_MS)
    }, SILENCE_MS)
  }
  const handle = (message: Message): void => {
    if (message.type === 'welcome') {
      isWelcome = true
      end = { kind: 'cut' }
      reader.welcomed()
      if (reader.token !== undefined) send({ action: 'auth', token: reader.token })
      reader.sync(send)
    } else if (message.type === 'closing' || (message.type === 'error' && !('id' in message))) {
      end = endOf(message)
    } else if (!reader.take(message)) socket.terminate()
    else reader.sync(send)
  }
  socket.on('message', (data, isBinary) => {
    if (isWelcome) waitForLife()
    if (isBinary) return
    for (const message of messagesOf(String(data))) if (socket.readyState === WebSocket.OPEN) handle(message)
  })
  const abort = (): void => { socket.terminate() }
  signal.addEventListener('abort', abort)
  socket.on('unexpected-response', (request, response) => {
    let body = ''
    response.on('data', chunk => { body += String(chunk) })
    response.on('end', () => {
      end = refusal(body)
      socket.terminate()
    })
  })
  socket.on('error', () => {})
  if (signal.aborted) socket.terminate()
  return await new Promise(resolve => {
    socket.on('close', code => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
      const known = CODES[code]
      resolve(end.kind === 'cut' && known !== undefined
        ? { kind: 'refused', code: known, isRequest: false }
        : end)
    })
  })
}

function messagesOf (text: string): Message[] {
  try {
    const parsed = JSON.parse(text) as Message | Message[] | null
    return [parsed].flat().filter(message => typeof message?.type === 'string') as Message[]
  } catch {
    return []
  }
}

const headersOf = ({ token }: Reader): Record<string, string> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` }

export async function overEventStream (reader: Reader, signal: AbortSignal): Promise<End> {
  const controller = new AbortController()
  const abort = (): void => { controller.abort() }
  signal.addEventListener('abort', abort)
  if (signal.aborted) abort()
  let end: End = { kind: 'failed' }
  let timer = setTimeout(abort, PATIENCE_MS)
  try {
    const response = await fetch(`${reader.origin}/v1/stream?${reader.query()}&heartbeat=${HEARTBEAT_SECONDS}`, {
      headers: { ...headersOf(reader), accept: 'text/event-stream' }, signal: controller.signal
    })
    if (response.status !== 200) return refusal(await response.text())
    if (!String(response.headers.get('content-type')).startsWith('text/event-stream')) return end
    for await (const { name, data } of eventsOf(response.body!, reader)) {
      if (name === 'life') {
        if (end.kind !== 'cut') continue
        clearTimeout(timer)
        timer = setTimeout(abort, HEARTBEAT_SECONDS * 1000 + 1000)
      } else if (name === 'cursor') reader.take({ type: 'cursor', cursor: data })
      else if (name === '') {
        for (const message of messagesOf(data)) {
          if (message.type === 'welcome') {
            end = { kind: 'cut' }
            reader.welcomed()
          } else if (message.type === 'closing') return endOf(message)
          else if (!reader.take(message)) return end
        }
      }
    }
    return end
  } catch {
    return end
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
    controller.abort()
  }
}

/** Reads events as WHATWG HTML says; also yields `life` for each piece that arrives. */
async function * eventsOf (
  body: ReadableStream<Uint8Array>, reader: Reader
): AsyncGenerator<{ name: string, data: string }> {
  const decoder = new TextDecoder()
  let rest = ''
  let name = ''
  let data: string[] = []
  for await (const chunk of body) {
    yield { name: 'life', data: '' }
    rest += decoder.decode(chunk, { stream: true })
    for (;;) {
      const match = /\r\n|\n|\r(?!$)/.exec(rest)
      if (match === null) break
      const line = rest.slice(0, match.index)
      rest = rest.slice(match.index + match[0].length)
      if (line === '') {
        if (data.length > 0) yield { name, data: data.join('\n') }
        name = ''
        data = []
        continue
      }
      const [, field = line, value = ''] = /^([^:]*): ?(.*)$/s.exec(line) ?? []
      if (field === 'data') data.push(value)
      else if (field === 'event') name = value
      else if (field === 'id') reader.seen(value)
    }
  }
}

export async function overPolls (reader: Reader, signal: AbortSignal): Promise<End> {
  let end: End = { kind: 'failed' }
  while (!signal.aborted) {
    try {
      const response = await fetch(`${reader.origin}/v1/stream?${reader.query()}&wait=20`, {
        headers: { ...headersOf(reader), 'x-request-id': 'small' }, signal
      })
      const text = await response.text()
      if (response.status !== 200) return refusal(text)
      const answer = JSON.parse(text) as { cursor: string, messages: Message[] }
      if (end.kind === 'failed') reader.welcomed()
      end = { kind: 'cut' }
      if (!await reader.takeAnswer(answer)) return end
      await delay(50, undefined, { signal })
    } catch {
      return end
    }
  }
  return end
}
