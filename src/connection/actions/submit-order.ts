import { SubmitOrderAction } from '@tickwire/protocol'
import { refuseAnonymous } from '../../auth/permissions.js'
import type { Action } from './action.js'
import { sendAccepted } from './order-accepted.js'

/**
 * Hands an order to the exchange (PROTOCOL.md, Orders). The next action has its turn when the log has this
 * one: a client may cancel an order without waiting for the answer to its submit.
 */
export const submitOrder: Action<SubmitOrderAction> = {
  schema: SubmitOrderAction,
  whileLagging: true,
  refuse: refuseAnonymous,
  async perform (connection, { id, ...request }) {
    const { context, identity } = connection
    connection.markUsed()
    sendAccepted(connection, id, await context.orderRequests.submit(identity, request))
  }
}
