import { lookup } from 'node:dns/promises'
import { type AddressInfo, createServer, type Server } from 'node:net'
import fp from 'fastify-plugin'

/** The name that stands for this machine by each kind of address. */
export const LOCALHOST = 'localhost'

export interface LocalhostOptions {
  /** What the name stands for; default: what the system says. */
  readonly addresses?: () => Promise<readonly string[]>
}

const addressesOfLocalhost = async (): Promise<readonly string[]> => (await lookup(LOCALHOST, { all: true })).map(({ address }) => address)

/**
 * `HOST=localhost` means 127.0.0.1 and ::1. The server listens on the first; this listens on the others and hands it what comes there.
 * So there is one server that looks after limits, certificates and the end. (Fastify would make a second, which none of that concerns.)
 */
export const localhost = fp<LocalhostOptions>(async (app, { addresses = addressesOfLocalhost }) => {
  const doors: Server[] = []
  app.addHook('onListen', async () => {
    const { address, port } = app.server.address() as AddressInfo
    for (const other of new Set(await addresses())) {
      if (other === address) continue
      const door = createServer({ allowHalfOpen: true, noDelay: true }, socket => { app.server.emit('connection', socket) })
      const opened = await new Promise<boolean>(resolve => {
        door.once('error', () => { resolve(false) }).listen({ host: other, port }, () => { resolve(true) })
      })
      // A machine without IPv6 may still have a line for it among its names.
      if (opened) doors.push(door)
      else app.log.warn({ address: other, port }, 'localhost is this address, too, but nothing can listen on it')
    }
  })
  app.addHook('preClose', async () => { for (const door of doors) door.close() })
}, { name: 'tickwire-localhost', fastify: '5.x' })
