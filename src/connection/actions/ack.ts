import { AckAction, type ControlMessage } from '@tickwire/protocol'
import { refuseAnonymous } from '../../auth/permissions.js'
import type { Action } from './action.js'

/**
 * Acknowledges messages of the client's own user (PROTOCOL.md, Acknowledged channels). Two of one client may
 * be under way at once: the log keeps the one that goes further.
 */
export const ack: Action<AckAction> = {
  schema: AckAction,
  whileLagging: true,
  refuse: refuseAnonymous,
  async perform (connection, { action: _action, id, ...message }) {
    await connection.actions.waitForAnswerSlot()
    if (!connection.isOpen) return
    const { context, identity } = connection
    const acknowledged = async (): Promise<ControlMessage> => ({
      type: 'acknowledged',
      ...(id === undefined ? {} : { id }),
      channel: message.channel,
      sequence: await context.acknowledging.acknowledge(identity, message)
    })
    connection.actions.answerLater(acknowledged(), id)
  }
}
