import { ReplaceOrderAction } from '@tickwire/protocol'
import { refuseAnonymous } from '../../auth/permissions.js'
import type { Action } from './action.js'
import { sendAccepted } from './order-accepted.js'

/** Asks the exchange to give an order of the client's user new terms (PROTOCOL.md, Orders). */
export const replaceOrder: Action<ReplaceOrderAction> = {
  schema: ReplaceOrderAction,
  whileLagging: true,
  refuse: refuseAnonymous,
  async perform (connection, { id, ...request }) {
    const { context, identity } = connection
    connection.markUsed()
    sendAccepted(connection, id, await context.orderRequests.replace(identity, request))
  }
}
