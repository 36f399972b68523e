import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { errorTable, ProtocolError } from '@tickwire/protocol'
import { errorMessage, retryAfterMs } from './errors.js'

/** How long a client may take to send the head of a request, and all of it, even with a body of 8 MiB. */
export const HEAD_TIMEOUT_MS = 10_000
export const REQUEST_TIMEOUT_MS = 30_000
/** How long a peer may take to read why the server refuses it. */
const LINGER_MS = 1000

/** Node's code for plain HTTP where it expects a TLS handshake. */
const PLAIN_HTTP = 'ERR_SSL_HTTP_REQUEST'

type HttpSocket = Socket & {
  /** Internal to Node: the answer that is being written to it. */
  readonly _httpMessage?: ServerResponse | null
  /** Internal to Node: the TCP socket under a TLS socket. */
  readonly _parent?: Socket
}

/**
 * Answers what Node itself refuses before it reaches a route: a request that comes too slowly, a URL or
 * headers that are too long, or bytes that are not HTTP.
 */
export function refuseUnreadable (error: Error & { code?: string }, socket: HttpSocket): void {
  // A client that speaks plain HTTP to a TLS port can read an answer in plain HTTP.
  if (error.code === PLAIN_HTTP && socket._parent?.writable === true) {
    const message = 'this port speaks TLS: does the address begin with https:// or wss://?'
    answer(socket._parent, new ProtocolError('bad_request', message))
    return
  }
  // Other failed handshakes come here, too; their peers could not read an answer.
  const isUnreadable = /^(?:HPE|ERR_HTTP)_/.test(error.code ?? '')
  if (!isUnreadable || !socket.writable || socket._httpMessage?.headersSent === true) {
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
  // Node no longer times this socket out, and the peer may never close it.
  setTimeout(() => { socket.destroy() }, LINGER_MS).unref()
}

function unreadable (code: string | undefined): ProtocolError {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT': {
      const within = `${REQUEST_TIMEOUT_MS / 1000} seconds, its headers within ${HEAD_TIMEOUT_MS / 1000}`
      return new ProtocolError('idle_timeout', `a request must come within ${within}`)
    }
    case 'HPE_HEADER_OVERFLOW':
      return new ProtocolError('message_too_big', 'the URL and headers are longer than this server takes')
    default: return new ProtocolError('bad_request', 'the server cannot read this as HTTP')
  }
}
