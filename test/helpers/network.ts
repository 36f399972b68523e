import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { Test } from 'tap'

/** A server on a port of its own, until the test ends. @return the port */
export async function listen (t: Test, server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => { sockets.delete(socket) })
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** A way to a server that can be taken away: then what is open breaks, and what is new breaks at once. */
export interface Network {
  readonly origin: string
  take (): void
  giveBack (): void
}

export async function networkTo (t: Test, port: number): Promise<Network> {
  const sockets = new Set<Socket>()
  let away = false
  const server = createServer(client => {
    if (away) {
      client.resetAndDestroy()
      return
    }
    const upstream = connect(port, '127.0.0.1')
    for (const [socket, other] of [[client, upstream], [upstream, client]] as const) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
      socket.pipe(other)
    }
  })
  const breakAll = (): void => { for (const socket of sockets) socket.destroy() }
  const near = await listen(t, server)
  t.teardown(breakAll)
  return {
    origin: `http://127.0.0.1:${near}`,
    take () {
      away = true
      breakAll()
    },
    giveBack () { away = false }
  }
}
