import type { Socket } from 'node:net'
import fp from 'fastify-plugin'
import { addressGroup } from '../src/connection/address.js'
import { CountByName } from '../src/connection/counts.js'

/**
 * How many connections of one address may be open, whatever they carry or whether they have ever carried anything: one that says
 * nothing yet takes no place of those that streams have. One too many is ended at once, for there is no request to answer.
 */
export const socketLimit = fp<{ readonly maxPerAddress: number }>(async (app, { maxPerAddress }) => {
  const open = new CountByName()
  app.server.on('connection', (socket: Socket) => {
    // A Unix socket has none.
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
