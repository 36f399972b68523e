import { createServer } from 'node:net'

/**
 * Below those that the system gives to outgoing connections: while a server is away, hundreds of clients that try to
 * reach it would sooner or later be given its own port, and connect to themselves.
 */
const LOWEST = 20_000
const HIGHEST = 30_000

/** Test files that run at the same time each have a part of the ports of their own: what is free for both, both would take. */
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
