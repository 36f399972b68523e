import { ProtocolError, SnapshotAction } from '@tickwire/protocol'
import { LiveStates, tellState } from '../../hub/shards/live-states.js'
import { Selection } from '../../hub/audience/selector.js'
import type { Connection } from '../connection.js'
import { requireSelectors } from '../selectors.js'
import type { Action } from './action.js'

/** Answers with the states of topics, whether they are subscribed to or not, followed by `done`. */
export const snapshot: Action<SnapshotAction> = {
  schema: SnapshotAction,
  perform
}

async function perform (connection: Connection, message: SnapshotAction): Promise<void> {
  const selectors = await requireSelectors(connection.context, connection.identity, message.channel, message.symbols)
  if (selectors.some(({ channel }) => channel.reduce === undefined)) {
    throw new ProtocolError('not_found', `${message.channel} is a history and has no snapshot`)
  }
  const selection = new Selection(selectors, connection.hub.membership)
  const shards = selection.shards(connection.hub.log)
  await connection.hub.interest.follow(shards)
  try {
    await sendStates(connection, selection)
  } finally {
    connection.hub.interest.release(shards)
  }
  connection.send({ type: 'done', ...(message.id === undefined ? {} : { id: message.id }) })
}

/** In one tick, where the connection stands. The shards must be held. */
async function sendStates (connection: Connection, selection: Selection): Promise<void> {
  const { hub } = connection
  const topics = [...selection.existing(hub.directory)].map(([topic]) => topic)
  let states
  do {
    // A state of now would leave out what a client that lags is still to be sent.
    await connection.untilLive()
    states = await LiveStates.settled(hub, topics)
  } while (connection.isOpen && !connection.delivery.isLive)
  const live = connection.delivery.selection()
  // What is pending of a throttled topic is part of its snapshot, and must not follow it.
  connection.delivery.settle()
  // A state that cannot be made is left out, and the others are sent.
  connection.sendWritten([...states.values()].flatMap(state =>
    tellState(hub, connection.format, state, live.has(state.topic) ? live.view(state.topic).depth : 0) ?? []))
}
