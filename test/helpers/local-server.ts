import { MemoryCoordination } from '../../src/coordination/memory/memory-coordination.js'
import { LocalCoordination } from '../../src/local/local-coordination.js'
import { LocalLink } from '../../src/local/local-link.js'
import { LocalLog } from '../../src/local/local-log.js'
import { LocalServer } from '../../src/local/local-server.js'
import type { Log } from '../../src/log/log.js'

export interface ServedLocally {
  readonly server: LocalServer
  /** Connects as a worker does. */
  join (): Promise<{
    readonly link: LocalLink
    readonly log: LocalLog
    readonly coordination: LocalCoordination
  }>
  /** Closes the server, and the log that it serves. */
  close (): Promise<void>
}

/** Serves a log, and a coordination in memory, over a socket as the first process does for its workers. */
export async function serveLocally (log: Log, recentBytes = 1 << 20): Promise<ServedLocally> {
  const coordination = new MemoryCoordination()
  const onError = (error: unknown, message: string): void => {
    process.emitWarning(`${message}: ${String(error)}`)
  }
  const server = await LocalServer.listen({ log, coordination, isVolatile: true, recentBytes, onError })
  return {
    server,
    async join () {
      const link = await LocalLink.open(server.path, () => {})
      return { link, log: new LocalLog(link), coordination: new LocalCoordination(link) }
    },
    async close () {
      await server.close()
      await Promise.all([log.close(), coordination.close()])
    }
  }
}
