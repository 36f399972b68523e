import { ProtocolError, type SnapshotAction } from '@tickwire/protocol'
import { LiveStates } from '../../hub/live-states.js'
import { Selection } from '../../hub/selector.js'
import type { Connection } from '../connection.js'
import { requireSelectors } from '../selectors.js'

/** Answers with the states of topics, whether they are subscribed to or not, followed by `done`. */
export async function snapshot (connection: Connection, message: SnapshotAction): Promise<void> {
  const selectors = requireSelectors(connection.context, connection.identity, message.channel, message.symbols)
  if (selectors.some(({ channel }) => channel.reduce === undefined)) {
    throw new ProtocolError('not_found', `${message.channel} is a history and has no snapshot`)
  }
  const topics = [...new Selection(selectors).existing(connection.hub.directory)].map(([topic]) => topic)
  for (;;) {
    const messages = (await LiveStates.read(connection.hub, topics)).messages()
    if (messages === undefined) continue
    connection.sendTexts(messages)
    connection.send({ type: 'done', ...(message.id === undefined ? {} : { id: message.id }) })
    return
  }
}
