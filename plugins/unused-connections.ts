import type { Socket } from 'node:net'
import fp from 'fastify-plugin'

/**
 * Clients open connections ahead of need. Node does not count one that never carried a request as idle, so a
 * server would wait for it when it closes: end those by hand.
 */
export const unusedConnections = fp(async app => {
  const sockets = new Set<Socket>()
  app.server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => { sockets.delete(socket) })
  })
  app.addHook('preClose', async () => {
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
  })
}, { name: 'tickwire-unused-connections', fastify: '5.x' })
