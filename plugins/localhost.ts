import { lookup } from 'node:dns/promises'
import { type AddressInfo, createServer, type Server } from 'node:net'
import fp from 'fastify-plugin'

/** The name of this machine, which stands for an address of IPv4 and one of IPv6. */
export const LOCALHOST = 'localhost'

export interface LocalhostOptions {
  /** Returns the addresses of the name; default: as the system resolves it. */
  readonly addresses?: () => Promise<readonly string[]>
}

const addressesOfLocalhost = async (): Promise<readonly string[]> =>
  (await lookup(LOCALHOST, { all: true })).map(({ address }) => address)

/**
 * `HOST=localhost` means 127.0.0.1 and ::1. The server listens on the first address. This plugin listens on
 * the others and hands their connections to the server, so that one server enforces limits, has the
 * certificate, and closes. (Fastify would make a second server, which knows none of that.)
 */
export const localhost = fp<LocalhostOptions>(async (app, { addresses = addressesOfLocalhost }) => {
  const doors: Server[] = []
  app.addHook('onListen', async () => {
    const { address, port } = app.server.address() as AddressInfo
    for (const other of new Set(await addresses())) {
      if (other === address) continue
      const door = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
        app.server.emit('connection', socket)
      })
      const opened = await new Promise<boolean>(resolve => {
        door.once('error', () => { resolve(false) }).listen({ host: other, port }, () => { resolve(true) })
      })
      // A machine without IPv6 may still list ::1 under this name.
      if (opened) doors.push(door)
      else {
        app.log.warn({ address: other, port },
          'localhost is also this address, but the server cannot listen on it')
      }
    }
  })
  app.addHook('preClose', async () => { for (const door of doors) door.close() })
}, { name: 'tickwire-localhost', fastify: '5.x' })
