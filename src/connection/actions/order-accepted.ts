import type { OrderAnswer, RequestId } from '@tickwire/protocol'
import type { Connection } from '../connection.js'

/** Tells a client that the log has its request about an order. */
export function sendAccepted (connection: Connection, id: RequestId | undefined, answer: OrderAnswer): void {
  connection.send({ type: 'order_accepted', ...(id === undefined ? {} : { id }), ...answer })
}
