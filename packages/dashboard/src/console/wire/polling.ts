import { cannotSend } from './event-stream.js'
import { problemOfAnswer, problemOfError } from './problem.js'
import { type Address, ask, type Wire, type WireEvents } from './wire.js'

/** Between two polls, so that each gathers messages. */
const PAUSE_MS = 250

/**
 * Polls again and again.
 * @param next gives the address of the next request, from where the last one ended. The server answers the
 *   first one at once, so that it is known whether the requests are let in.
 */
export function openPolling (next: (isFirst: boolean) => Promise<Address>, events: WireEvents): Wire {
  const ending = new AbortController()
  const { signal } = ending
  const run = async (): Promise<void> => {
    let isOpen = false
    while (!signal.aborted) {
      const address = await next(!isOpen)
      if (signal.aborted) return
      const answer = await ask(address, { signal }, { Accept: 'application/json' })
      const text = await answer.text()
      if (!answer.ok) {
        events.onEnd(problemOfAnswer(answer.status, text))
        return
      }
      if (!isOpen) events.onOpen()
      isOpen = true
      events.onFrame('poll', text)
      await new Promise(resolve => { setTimeout(resolve, PAUSE_MS) })
    }
  }
  run().catch((error: unknown) => { if (!signal.aborted) events.onEnd(problemOfError(error)) })
  return { send: cannotSend, close () { ending.abort() } }
}
