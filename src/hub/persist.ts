import { setTimeout as delay } from 'node:timers/promises'
import { ProtocolError } from '@tickwire/protocol'

/** How long a log that could not be reached is left alone until it is asked again. */
const PAUSE_MS = 100

/** Work with the log that cannot be left out: it is begun anew until the log answers, or until there is nobody to do it for. */
export async function persist<Result> (work: () => Promise<Result>, over: () => boolean): Promise<Result> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (over() || !(error instanceof ProtocolError && error.code === 'log_unavailable')) throw error
      await delay(PAUSE_MS)
    }
  }
}
