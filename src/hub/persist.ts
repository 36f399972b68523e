import { setTimeout as delay } from 'node:timers/promises'
import { ProtocolError } from '@tickwire/protocol'

/** How long to wait after the log could not be reached, until the next attempt. */
const PAUSE_MS = 100

/**
 * Repeats work with the log until the log answers.
 * @throws ProtocolError `log_unavailable` once `isClosed` returns true; any other error of the work at once
 */
export async function persist<Result> (
  work: () => Promise<Result>, isClosed: () => boolean
): Promise<Result> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (isClosed() || !(error instanceof ProtocolError && error.code === 'log_unavailable')) throw error
      await delay(PAUSE_MS)
    }
  }
}
