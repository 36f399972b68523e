import { createServer } from 'node:net'

/**
 * Below the ports that the system gives to outgoing connections. While a server is away, hundreds of clients
 * try to reach it; one of them would sooner or later get the server's own port, and connect to itself.
 */
const LOWEST = 20_000
const HIGHEST = 30_000

/**
 * Test files that run at the same time each have their own part of the ports. Otherwise two of them could
 * find the same port free, and both take it.
 */
const JOBS = 4
const SPAN = (HIGHEST - LOWEST) / JOBS
const FIRST = LOWEST + SPAN * (Number(process.env['TAP_JOB_ID'] ?? 0) % JOBS)

/** Never given twice: what listens there may be away for a while. */
const given = new Set<number>()

/** A port of this machine that stays free until it is used. */
export async function freePort (): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * SPAN)
    if (given.has(port)) continue
    const server = createServer()
    const free = await new Promise<boolean>(resolve => {
      server.once('error', () => { resolve(false) })
      server.listen(port, '127.0.0.1', () => { resolve(true) })
    })
    if (!free) continue
    given.add(port)
    await new Promise(resolve => { server.close(resolve) })
    return port
  }
}
