import { UnsubscribeAction } from '@tickwire/protocol'
import { LiveStates, tellState } from '../../hub/shards/live-states.js'
import { makeSelector, Selection, type Selector } from '../../hub/audience/selector.js'
import type { Written } from '../../hub/format.js'
import type { Connection } from '../connection.js'
import { requireChannel, spelledSymbol } from '../selectors.js'
import type { Action } from './action.js'

/** Ends subscriptions, by the selectors as the client wrote them. One that is not there is not an error. */
export const unsubscribe: Action<UnsubscribeAction> = {
  schema: UnsubscribeAction,
  // A client that cannot keep up must be able to ask for less.
  whileLagging: true,
  perform
}

async function perform (connection: Connection, message: UnsubscribeAction): Promise<void> {
  const { hub, identity, format } = connection
  const channel = requireChannel(connection.context, message.channel)
  const written = message.symbols ?? [undefined]
  const symbols = new Set(written.map(symbol => spelledSymbol(connection.context, channel, symbol)))
  const selectors = [...symbols].map(symbol => makeSelector(channel, symbol, identity.user))
  const [kept, states] = await readKeptTopics(connection, selectors)
  connection.delivery.detach(selectors)
  connection.send({
    type: 'unsubscribed',
    ...(message.id === undefined ? {} : { id: message.id }),
    channel: channel.name,
    symbols: [...message.symbols ?? []]
  })
  noteUnsubscribed(connection, channel.name, selectors)
  if (!connection.delivery.isLive) {
    connection.delivery.requireReset(kept, 'entered')
    return
  }
  // In the same tick, so that no cursor comes between that covers what the client has just forgotten.
  const left = connection.delivery.selection()
  const isHistory = (topic: string): boolean => hub.channelOf(topic)?.reduce === undefined
  const messages: Written[] = []
  for (const topic of kept) {
    if (isHistory(topic)) continue
    messages.push(format.reset(topic, 'entered'))
    connection.record.noteReset('entered')
    hub.counters.resets.entered++
    const state = states.get(topic)
    if (state === undefined) continue
    const { depth } = left.view(topic)
    if (depth > 0) hub.cutStates.begin(topic, state.payload)
    const message = tellState(hub, format, state, depth)
    if (message !== undefined) messages.push(message)
  }
  connection.sendWritten(messages)
  connection.delivery.requireReset(kept.filter(isHistory), 'entered')
}

/** Notes for operators that a client gave up what it subscribed to. */
export function noteUnsubscribed (
  connection: Connection, channel: string, selectors: readonly Selector[]
): void {
  const { record, context: { events, connections: { ledger } } } = connection
  events.unsubscribed(connection.party, selectors.length)
  record.note({ event: 'unsubscribe', channel, selectors: selectors.length })
  ledger.subscriptionsEnded(connection, record.unsubscribe(selectors), Date.now())
}

type States = Awaited<ReturnType<typeof LiveStates.settled>>

/**
 * Returns the topics of some selectors that other selectors cover as well, with their present states. On
 * `unsubscribed` the client forgets these topics, too, and needs them anew (PROTOCOL.md, The client's rule).
 */
async function readKeptTopics (
  connection: Connection, selectors: readonly Selector[]
): Promise<[readonly string[], States]> {
  const { hub } = connection
  const ended = new Selection(selectors, hub.membership)
  const left = connection.subscriptions.selection([], selectors)
  const before = connection.delivery.selection()
  const find = (): string[] => [...ended.existing(hub.directory)]
    .map(([topic]) => topic)
    .filter(topic => before.has(topic) && left.has(topic))
  for (;;) {
    const kept = new Set(find())
    const states = await LiveStates.settled(hub, kept)
    const now = find()
    // Meanwhile a symbol may have entered a set. Then its state is missing, and all are read again.
    if (now.every(topic => kept.has(topic))) return [now, states]
  }
}
