import { EventEmitter } from 'node:events'
import * as http from 'node:http'
import type { Socket } from 'node:net'

/** What Node's types leave out. */
interface Internals {
  /** Reads HTTP from a connection. A server does so with each that it accepts. */
  readonly _connectionListener: (this: http.Server, socket: Socket) => void
}
interface HttpSocket extends Socket {
  /** What is being answered on it. */
  readonly _httpMessage?: http.ServerResponse | null
}
interface AskingServer extends http.Server {
  /** From Node 22.21 and 24.9 on: whether a request that asks for an upgrade may have one. */
  shouldUpgradeCallback: (request: http.IncomingMessage) => boolean
}

type Upgrade = [request: http.IncomingMessage, socket: HttpSocket, head: Buffer]

/**
 * A server's handshakes for a WebSocket, as its event `upgrade`. A request that asks for any other upgrade is answered as if it did
 * not ask (RFC 9110, 7.8). Once somebody listens for upgrades, Node answers no request that asks for one, so that this has to.
 */
export function handshakesOf (server: http.Server): http.Server {
  const handshakes = new EventEmitter()
  if ('shouldUpgradeCallback' in server) (server as AskingServer).shouldUpgradeCallback = isHandshake
  server.on('upgrade', (...[request, socket, head]: Upgrade) => {
    afterAnswers(socket, () => {
      if (isHandshake(request)) {
        // Others may be offered beside it, and `ws` knows the one alone.
        request.headers.upgrade = WEBSOCKET
        handedOut.add(request)
        handshakes.emit('upgrade', request, socket, head)
      } else readAgain(server, request, socket, head)
    })
  })
  // Only its event is listened for.
  return handshakes as http.Server
}

const handedOut = new WeakSet<http.IncomingMessage>()

/** Whether a request came as a handshake: its socket is read by nobody who does not take it. */
export const cameAsHandshake = (request: http.IncomingMessage): boolean => handedOut.has(request)

const WEBSOCKET = 'websocket'

/** RFC 6455, 4.1. HTTP/1.0 has no upgrade (RFC 9110, 7.8). */
function isHandshake ({ method, httpVersion, headers: { upgrade = '' } }: http.IncomingMessage): boolean {
  return method === 'GET' && httpVersion !== '1.0' && upgrade.split(',').some(protocol => protocol.trim().toLowerCase() === WEBSOCKET)
}

/** Runs when all requests before this one on its connection have been answered. Node does not wait for that. */
function afterAnswers (socket: HttpSocket, run: () => void): void {
  // Node listens no longer.
  const fail = (): void => { socket.destroy() }
  socket.on('error', fail)
  const look = (): void => {
    if (socket._httpMessage != null) socket._httpMessage.once('close', look)
    else if (socket.writable) {
      run()
      socket.off('error', fail)
    } else socket.destroy()
  }
  look()
}

/** Gives a request that Node has handed out back to it, without its `Upgrade`, and all that stands behind it. */
function readAgain (server: http.Server, { method, url, httpVersion, rawHeaders }: http.IncomingMessage, socket: HttpSocket, head: Buffer): void {
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let at = 0; at < rawHeaders.length; at += 2) if (rawHeaders[at]!.toLowerCase() !== 'upgrade') lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`)
  if (head.length > 0) socket.unshift(head)
  socket.unshift(Buffer.from([...lines, '', ''].join('\r\n'), 'latin1'))
  // An answer before it has set the time after which an idle connection ends; Node takes that back for requests that it reads itself.
  socket.setTimeout(server.timeout)
  ;(http as unknown as Internals)._connectionListener.call(server, socket)
}
