import { ProtocolError, SnapshotAction } from '@tickwire/protocol'
import { LiveStates, tellState } from '../../hub/shards/live-states.js'
import { Selection } from '../../hub/audience/selector.js'
import type { Connection } from '../connection.js'
import { requireSelectors } from '../selectors.js'
import type { Action } from './action.js'

/** Sends the states of topics, whether the client subscribes to them or not, followed by `done`. */
export const snapshot: Action<SnapshotAction> = {
  schema: SnapshotAction,
  perform
}

async function perform (connection: Connection, message: SnapshotAction): Promise<void> {
  const { context, identity } = connection
  const options = { overWebSocket: true }
  const selectors = await requireSelectors(context, identity, message.channel, message.symbols, options)
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

/**
 * Sends the states as they are at the client's position, in one tick. The caller must keep the shards
 * followed.
 */
async function sendStates (connection: Connection, selection: Selection): Promise<void> {
  const { hub } = connection
  const topics = [...selection.existing(hub.directory)].map(([topic]) => topic)
  let states
  do {
    // The present state is ahead of what a lagging client has still to be sent.
    await connection.waitUntilLive()
    states = await LiveStates.settled(hub, topics)
  } while (connection.isOpen && !connection.delivery.isLive)
  const live = connection.delivery.selection()
  // A snapshot contains the pending messages of its throttled topic, so those must go out before it.
  connection.delivery.settle()
  connection.delivery.noteHeld()
  // If the message of one state cannot be made, the others are sent all the same.
  connection.sendWritten([...states.values()].flatMap(state => {
    const depth = live.has(state.topic) ? live.view(state.topic).depth : 0
    return tellState(hub, connection.format, state, depth) ?? []
  }))
}
