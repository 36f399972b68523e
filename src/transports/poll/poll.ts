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
  /** Most messages of the log in the answer. */
  readonly limit: number
  /** How long an empty answer is held. */
  readonly waitMs: number
  /** Aborted when the client is gone or the server is going away. */
  readonly signal: AbortSignal
}

export interface PollAnswer {
  /** JSON. */
  readonly text: string
  /** How many messages are in it. */
  readonly messages: number
}

/** A poll is one catch-up that ends with its answer. */
export async function poll (hub: Hub, selectors: readonly Selector[], options: PollOptions): Promise<PollAnswer> {
  const { start, snapshots, writer, limit } = options
  const catchUp = await CatchUp.open(hub, new Selection(selectors, hub.membership), start, {
    snapshots, writer, reduced: 'merge', maxBacklog: limit, maxRetained: MAX_ANSWER_CHARACTERS
  })
  for (const selector of selectors) hub.demand.add(selector)
  try {
    return await answer(hub, catchUp, selectors, options)
  } finally {
    for (const selector of selectors) hub.demand.remove(selector)
    catchUp.close()
  }
}

async function answer (hub: Hub, catchUp: CatchUp, selectors: readonly Selector[], { limit, waitMs, signal }: PollOptions): Promise<PollAnswer> {
  const messages: Written[] = []
  const deadline = Date.now() + waitMs
  let count = 0
  let characters = 0
  while (!signal.aborted) {
    const slice = await catchUp.next(limit - count)
    messages.push(...slice.states, ...slice.messages)
    count += slice.messages.length
    for (const { length } of slice.messages) characters += length
    // In the middle of a new epoch no cursor would be right: go on until it has been followed.
    if ((count >= limit || characters >= MAX_ANSWER_CHARACTERS) && !catchUp.hasPendingStates && catchUp.offsets() !== undefined) break
    if (!catchUp.caughtUp) continue
    if (messages.length > 0 || Date.now() >= deadline || signal.aborted) break
    await somethingNew(hub, selectors, deadline - Date.now(), signal)
  }
  const offsets = catchUp.offsets()
  if (offsets === undefined) throw new ProtocolError('going_away')
  // What was throttled is merged into this answer and waits nowhere: the cursor does not count as throttled.
  const cursor = hub.positionAt(offsets) + encodeMarks({ lostTopics: catchUp.lostTopics, throttled: new Set() })
  const text = `{"cursor":"${cursor}","messages":[${messages.join(',')}],"more":${!catchUp.caughtUp}}`
  return { text, messages: messages.length }
}

/** What an answer holds of the log is about twice that at most: `more` says that there is more. */
const MAX_ANSWER_CHARACTERS = 2 << 20

const NO_BYTES = Buffer.alloc(0)
/** Nobody reads it: a poll that waits wants to know only that something came. */
const noFormat: Format = { data: () => '', reset: () => '', control: () => '', join: () => NO_BYTES, cursor: () => NO_BYTES }

/** Waits for the next message of the selectors' topics, for the time to be over, or for the end. */
async function somethingNew (hub: Hub, selectors: readonly Selector[], waitMs: number, signal: AbortSignal): Promise<void> {
  const whole = selectors.map(selector => ({ ...selector, view: WHOLE }))
  await new Promise<void>(resolve => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      for (const selector of whole) hub.detach(waiter, selector)
      resolve()
    }
    const waiter: Subscriber = { format: noFormat, lostTopics: undefined, settledAt: 0, deliver: () => true, flush: done, requireReset: done, lose: done, fail: done, restated: done }
    const timer = setTimeout(done, waitMs)
    signal.addEventListener('abort', done)
    for (const selector of whole) hub.attach(waiter, selector)
  })
}
