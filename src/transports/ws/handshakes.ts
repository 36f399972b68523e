import { EventEmitter } from 'node:events'
import * as http from 'node:http'
import type { Socket } from 'node:net'

/** What the types of Node leave out. */
interface Internals {
  /** Reads HTTP from a connection. A server calls it for each connection that it accepts. */
  readonly _connectionListener: (this: http.Server, socket: Socket) => void
}
interface HttpSocket extends Socket {
  /** The response that is being written on the socket. */
  readonly _httpMessage?: http.ServerResponse | null
}
interface AskingServer extends http.Server {
  /** Returns whether a request that asks for an upgrade may have one. Exists from Node 22.21 and 24.9 on. */
  shouldUpgradeCallback: (request: http.IncomingMessage) => boolean
}

type Upgrade = [request: http.IncomingMessage, socket: HttpSocket, head: Buffer]

/**
 * Returns an emitter of the WebSocket handshakes of a server, as its event `upgrade`. A request that asks for
 * any other upgrade is answered as if it did not ask (RFC 9110, 7.8). Once a server has a listener for
 * upgrades, Node itself answers no request that asks for one, so this function sees to it.
 */
export function handshakesOf (server: http.Server): http.Server {
  const handshakes = new EventEmitter()
  if ('shouldUpgradeCallback' in server) (server as AskingServer).shouldUpgradeCallback = isHandshake
  server.on('upgrade', (...[request, socket, head]: Upgrade) => {
    afterAnswers(socket, () => {
      if (isHandshake(request)) {
        // The header may list other protocols beside `websocket`, and `ws` accepts only `websocket` alone.
        request.headers.upgrade = WEBSOCKET
        handedOut.add(request)
        handshakes.emit('upgrade', request, socket, head)
      } else readAgain(server, request, socket, head)
    })
  })
  // Callers only listen for the event.
  return handshakes as http.Server
}

const handedOut = new WeakSet<http.IncomingMessage>()

/** Returns whether a request came as a handshake. Then nobody reads its socket unless a listener takes it. */
export const cameAsHandshake = (request: http.IncomingMessage): boolean => handedOut.has(request)

const WEBSOCKET = 'websocket'

/** Returns whether a request is a handshake (RFC 6455, 4.1). HTTP/1.0 has no upgrade (RFC 9110, 7.8). */
function isHandshake ({ method, httpVersion, headers: { upgrade = '' } }: http.IncomingMessage): boolean {
  if (method !== 'GET' || httpVersion === '1.0') return false
  return upgrade.split(',').some(protocol => protocol.trim().toLowerCase() === WEBSOCKET)
}

/**
 * Calls a function once all earlier requests on the connection have been answered. Node emits `upgrade`
 * without waiting for that.
 */
function afterAnswers (socket: HttpSocket, callback: () => void): void {
  // Node no longer listens for errors of the socket.
  const fail = (): void => { socket.destroy() }
  socket.on('error', fail)
  const check = (): void => {
    if (socket._httpMessage != null) socket._httpMessage.once('close', check)
    else if (socket.writable) {
      callback()
      socket.off('error', fail)
    } else socket.destroy()
  }
  check()
}

/** Makes Node read a request again without its header `Upgrade`, and then what follows on the connection. */
function readAgain (
  server: http.Server,
  { method, url, httpVersion, rawHeaders }: http.IncomingMessage,
  socket: HttpSocket,
  head: Buffer
): void {
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!
    if (name.toLowerCase() !== 'upgrade') lines.push(`${name}: ${rawHeaders[at + 1]}`)
  }
  if (head.length > 0) socket.unshift(head)
  socket.unshift(Buffer.from([...lines, '', ''].join('\r\n'), 'latin1'))
  // An earlier answer on this connection has set the timeout of an idle connection. Node resets it before a
  // request that it reads itself, so it must be reset here.
  socket.setTimeout(server.timeout)
  ;(http as unknown as Internals)._connectionListener.call(server, socket)
}
