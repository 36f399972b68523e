import { PingAction } from '@tickwire/protocol'
import { isoTime } from '../../hub/iso-time.js'
import type { Action } from './action.js'

/** Answers a `ping` as soon as it is read, even while other actions wait for their turn. */
export const ping: Action<PingAction> = {
  schema: PingAction,
  atOnce: true,
  perform (connection, { id }) {
    connection.send({ type: 'pong', ...(id === undefined ? {} : { id }), timestamp: isoTime(Date.now()) })
  }
}
