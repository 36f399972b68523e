import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { errorTable, ProtocolError } from '@tickwire/protocol'
import { errorMessage, retryAfterMs } from './errors.js'

/** How long a client may take over the head of a request, and over all of it, a body of 8 MiB too. */
export const HEAD_TIMEOUT_MS = 10_000
export const REQUEST_TIMEOUT_MS = 30_000
/** How long a peer may take to read why it is not heard. */
const LINGER_MS = 1000

/** What Node calls a handshake of TLS that begins with a request of HTTP. */
const PLAIN_HTTP = 'ERR_SSL_HTTP_REQUEST'

type HttpSocket = Socket & {
  /** Node's own: what is being answered on it. */
  readonly _httpMessage?: ServerResponse | null
  /** Node's own: of a socket of TLS, the one that the bytes go over. */
  readonly _parent?: Socket
}

/** What Node itself refuses never reaches a route: a request that comes too slowly, a URL or headers that are too long, or no HTTP at all. */
export function refuseUnreadable (error: Error & { code?: string }, socket: HttpSocket): void {
  // Who speaks plain HTTP to a port of TLS can still read an answer in plain HTTP.
  if (error.code === PLAIN_HTTP && socket._parent?.writable === true) {
    answer(socket._parent, new ProtocolError('bad_request', 'this port speaks TLS: does the address begin with https:// or wss://?'))
    return
  }
  // Another handshake that failed comes here, too, and nothing could be said to it.
  if (!/^(?:HPE|ERR_HTTP)_/.test(error.code ?? '') || !socket.writable || socket._httpMessage?.headersSent === true) {
    socket.destroy()
    return
  }
  answer(socket, unreadable(error.code))
}

function answer (socket: Socket, refusal: ProtocolError): void {
  const { status } = errorTable[refusal.code]
  const retry = retryAfterMs(refusal)
  const body = JSON.stringify(errorMessage(refusal))
  socket.end([
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    ...(retry === undefined ? [] : [`Retry-After: ${Math.ceil(retry / 1000)}`]),
    'Connection: close',
    '',
    body
  ].join('\r\n'))
  // Node looks after it no longer, and the peer may never close.
  setTimeout(() => { socket.destroy() }, LINGER_MS).unref()
}

function unreadable (code: string | undefined): ProtocolError {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new ProtocolError('idle_timeout', `a request must come within ${REQUEST_TIMEOUT_MS / 1000} seconds, its headers within ${HEAD_TIMEOUT_MS / 1000}`)
    case 'HPE_HEADER_OVERFLOW': return new ProtocolError('message_too_big', 'the URL and headers are longer than this server takes')
    default: return new ProtocolError('bad_request', 'this is not HTTP that can be read')
  }
}
