import { createServer } from 'node:net'

/**
 * Below those that the system gives to outgoing connections: while a server is away, hundreds of clients that try to
 * reach it would sooner or later be given its own port, and connect to themselves.
 */
const LOWEST = 20_000
const HIGHEST = 30_000

/** A port of this machine that stays free until it is used. */
export async function freePort (): Promise<number> {
  for (;;) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST))
    const server = createServer()
    const free = await new Promise<boolean>(resolve => {
      server.once('error', () => { resolve(false) })
      server.listen(port, '127.0.0.1', () => { resolve(true) })
    })
    if (!free) continue
    await new Promise(resolve => { server.close(resolve) })
    return port
  }
}
