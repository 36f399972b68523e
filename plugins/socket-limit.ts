import type { Socket } from 'node:net'
import fp from 'fastify-plugin'
import { addressGroup } from '../src/connection/address.js'
import { CountByName } from '../src/connection/counts.js'

/**
 * Limits the open connections of one address, whatever they carry, and even if they have never carried
 * anything; so a connection that says nothing takes no place from streams. It cuts a connection beyond the
 * limit at once, because there is no request to answer.
 */
export const socketLimit = fp<{ readonly maxPerAddress: number }>(async (app, { maxPerAddress }) => {
  const open = new CountByName()
  app.server.on('connection', (socket: Socket) => {
    // A Unix socket has no address.
    if (socket.remoteAddress === undefined) return
    const address = addressGroup(socket.remoteAddress)
    if (open.of(address) >= maxPerAddress) {
      socket.destroy()
      return
    }
    open.add(address)
    socket.once('close', () => { open.remove(address) })
  })
}, { name: 'tickwire-socket-limit', fastify: '5.x' })
