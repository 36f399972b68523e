import { encodeMarks, ProtocolError } from '@tickwire/protocol'
import { CatchUp } from '../../hub/catch-up/catch-up.js'
import type { StartPosition } from '../../hub/catch-up/start.js'
import type { Format, MessageWriter, Written } from '../../hub/format.js'
import type { Hub } from '../../hub/hub.js'
import { Selection, type Selector } from '../../hub/audience/selector.js'
import type { Subscriber } from '../../hub/subscriber.js'
import { WHOLE } from '../../hub/conflation/view.js'

export interface PollOptions {
  readonly start: StartPosition
  readonly snapshots: boolean
  readonly writer: MessageWriter
  /** The most messages of the log in the answer, beside those that are not acknowledged. */
  readonly limit: number
  /** How long to hold an empty answer. */
  readonly waitMs: number
  /** Aborted when the client is gone or the server is going away. */
  readonly signal: AbortSignal
}

export interface PollAnswer {
  /** The answer as JSON. */
  readonly text: string
  /** How many messages the answer has. */
  readonly messages: number
}

/** Returns the answer to a poll. A poll is one catch-up, which ends with the answer. */
export async function poll (
  hub: Hub, selectors: readonly Selector[], options: PollOptions
): Promise<PollAnswer> {
  const { start, snapshots, writer, limit } = options
  const catchUp = await CatchUp.open(hub, new Selection(selectors, hub.membership), start, {
    snapshots, writer, reduced: 'merge', maxBacklog: limit, maxRetained: MAX_ANSWER_CHARACTERS
  })
  for (const selector of selectors) hub.demand.add(selector)
  try {
    return await gatherAnswer(hub, catchUp, selectors, options)
  } finally {
    for (const selector of selectors) hub.demand.remove(selector)
    catchUp.close()
  }
}

async function gatherAnswer (
  hub: Hub, catchUp: CatchUp, selectors: readonly Selector[], { limit, waitMs, signal }: PollOptions
): Promise<PollAnswer> {
  const messages: Written[] = []
  const deadline = Date.now() + waitMs
  let count = 0
  let characters = 0
  while (!signal.aborted) {
    // No cursor holds among messages from before the start of other topics, so the answer has all of these.
    const slice = await catchUp.next(catchUp.isBehind ? limit : limit - count)
    messages.push(...slice.states, ...slice.messages)
    count += slice.messages.length
    for (const { length } of slice.messages) characters += length
    const isLong = count >= limit || characters >= MAX_ANSWER_CHARACTERS
    // During a new epoch no cursor would be right, so the poll goes on until the catch-up has followed it.
    if (isLong && !catchUp.hasPendingStates && catchUp.offsets() !== undefined) break
    if (!catchUp.caughtUp) continue
    if (messages.length > 0 || Date.now() >= deadline || signal.aborted) break
    await waitForMessage(hub, selectors, deadline - Date.now(), signal)
  }
  const offsets = catchUp.offsets()
  if (offsets === undefined) throw new ProtocolError('going_away')
  // The answer has all that was conflated, so its cursor does not count as throttled (PROTOCOL.md, Control).
  const marks = encodeMarks({ lostTopics: catchUp.lostTopics, throttled: new Set() })
  const cursor = hub.positionAt(offsets) + marks
  const text = `{"cursor":"${cursor}","messages":[${messages.join(',')}],"more":${!catchUp.caughtUp}}`
  return { text, messages: messages.length }
}

/** An answer has at most about twice as much of the log. If there is more, its field `more` is true. */
const MAX_ANSWER_CHARACTERS = 2 << 20

const NO_BYTES = Buffer.alloc(0)
/** The format of a poll that waits. It needs to know only that something came; nobody reads these bytes. */
const noFormat: Format = {
  data: () => '',
  reset: () => '',
  control: () => '',
  join: () => NO_BYTES,
  cursor: () => NO_BYTES
}

/** Resolves when a topic of the selectors has a message, the time is over, or the signal is aborted. */
async function waitForMessage (
  hub: Hub, selectors: readonly Selector[], waitMs: number, signal: AbortSignal
): Promise<void> {
  const whole = selectors.map(selector => ({ ...selector, view: WHOLE }))
  await new Promise<void>(resolve => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      for (const selector of whole) hub.detach(waiter, selector)
      resolve()
    }
    const waiter: Subscriber = {
      format: noFormat,
      lostTopics: undefined,
      settledAt: 0,
      deliver: () => true,
      flush: done,
      requireReset: done,
      lose: done,
      fail: done,
      restated: done
    }
    const timer = setTimeout(done, waitMs)
    signal.addEventListener('abort', done)
    for (const selector of whole) hub.attach(waiter, selector)
  })
}
