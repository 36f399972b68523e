import type { Socket } from 'node:net'
import { Server as TlsServer, TLSSocket } from 'node:tls'
import fp from 'fastify-plugin'
import { cameAsHandshake } from '../src/transports/ws/handshakes.js'

export interface SocketsOptions {
  /** How long closing may take. */
  readonly graceMs: number
}

/**
 * The share of the grace in which clients may take their last messages; the rest is for what closes after
 * them.
 */
const CLIENTS_SHARE = 0.8

/**
 * Ends the sockets that nobody else would end. A server that closes waits for all its sockets:
 *
 * - Clients open connections ahead of need. Node does not count one that never carried a request as idle.
 * - A connection that gets an answer while the server closes would stay open for the keep-alive time.
 * - Some peers never take their end, or never send the rest of their request. The plugin cuts them when most
 *   of the grace is over.
 */
export const sockets = fp<SocketsOptions>(async (app, { graceMs }) => {
  const open = new Set<Socket>()
  const track = (socket: Socket): void => {
    open.add(socket)
    socket.once('close', () => { open.delete(socket) })
  }
  // With TLS each connection appears twice, and only the second socket says whether it carried more than a
  // handshake.
  const secure = app.server instanceof TlsServer
  app.server.on('connection', track)
  app.server.on('secureConnection', track)
  const hasCarried = (socket: Socket): boolean =>
    socket.bytesRead > 0 && (!secure || socket instanceof TLSSocket)

  let end: NodeJS.Timeout | undefined
  app.addHook('preClose', async () => {
    const used = new Set([...open].filter(hasCarried).map(ends))
    for (const socket of open) if (!used.has(ends(socket))) socket.destroy()
    end = setTimeout(() => { for (const socket of open) socket.destroy() }, graceMs * CLIENTS_SHARE).unref()
  })
  app.addHook('onSend', async (request, reply) => {
    if (end !== undefined || cameAsHandshake(request.raw)) reply.header('Connection', 'close')
  })
  // Node leaves a socket that asked for an upgrade to the upgrade's handler. If the upgrade was refused,
  // there is none.
  app.addHook('onResponse', async ({ raw }) => { if (cameAsHandshake(raw)) raw.socket.destroySoon() })
  app.addHook('onClose', async () => { clearTimeout(end) })
}, { name: 'tickwire-sockets', fastify: '5.x' })

/**
 * Names a connection of the system by its two ends: the TLS socket and the socket under it have the same
 * name.
 */
function ends ({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return `${localAddress} ${localPort} ${remoteAddress} ${remotePort}`
}
