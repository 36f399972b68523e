import { CancelOrderAction } from '@tickwire/protocol'
import { refuseAnonymous } from '../../auth/permissions.js'
import type { Action } from './action.js'
import { sendAccepted } from './order-accepted.js'

/** Asks the exchange to cancel an order of the client's user (PROTOCOL.md, Orders). */
export const cancelOrder: Action<CancelOrderAction> = {
  schema: CancelOrderAction,
  whileLagging: true,
  refuse: refuseAnonymous,
  async perform (connection, { id, ...request }) {
    const { context, identity } = connection
    connection.markUsed()
    sendAccepted(connection, id, await context.orderRequests.cancel(identity, request))
  }
}
