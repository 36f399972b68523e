import type { Socket } from 'node:net'
import { Server as TlsServer, TLSSocket } from 'node:tls'
import fp from 'fastify-plugin'
import { cameAsHandshake } from '../src/transports/ws/handshakes.js'

export interface SocketsOptions {
  /** How long closing may take. */
  readonly graceMs: number
}

/** The part of the grace that clients have to take what they are sent; the rest is for what closes behind them. */
const CLIENTS_SHARE = 0.8

/**
 * Ends the sockets that nobody else would. A server that closes waits for all of them:
 *
 * - Clients open connections ahead of need. Node does not count one that never carried a request as idle.
 * - A connection that is answered while the server closes would stay for as long as it is kept alive.
 * - Some peers never take their end, or never send the rest of their request: they are cut when most of the grace is over.
 */
export const sockets = fp<SocketsOptions>(async (app, { graceMs }) => {
  const open = new Set<Socket>()
  const track = (socket: Socket): void => {
    open.add(socket)
    socket.once('close', () => { open.delete(socket) })
  }
  // Over TLS each connection is seen twice, and only the second says whether it carried more than a handshake.
  const secure = app.server instanceof TlsServer
  app.server.on('connection', track)
  app.server.on('secureConnection', track)
  const hasCarried = (socket: Socket): boolean => socket.bytesRead > 0 && (!secure || socket instanceof TLSSocket)

  let end: NodeJS.Timeout | undefined
  app.addHook('preClose', async () => {
    const used = new Set([...open].filter(hasCarried).map(ends))
    for (const socket of open) if (!used.has(ends(socket))) socket.destroy()
    end = setTimeout(() => { for (const socket of open) socket.destroy() }, graceMs * CLIENTS_SHARE).unref()
  })
  app.addHook('onSend', async (request, reply) => { if (end !== undefined || cameAsHandshake(request.raw)) reply.header('Connection', 'close') })
  // Node leaves a socket that asked for an upgrade to whoever takes it: where it was refused, that is nobody.
  app.addHook('onResponse', async request => { if (cameAsHandshake(request.raw)) request.raw.socket.destroySoon() })
  app.addHook('onClose', async () => { clearTimeout(end) })
}, { name: 'tickwire-sockets', fastify: '5.x' })

/** A connection of the system, by its two ends: the same for TLS and for what it runs on. */
function ends ({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return `${localAddress} ${localPort} ${remoteAddress} ${remotePort}`
}
