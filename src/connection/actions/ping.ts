import { PingAction } from '@tickwire/protocol'
import { isoTime } from '../../hub/iso-time.js'
import type { Action } from './action.js'

/** Answered when it is read, whatever waits for its turn. */
export const ping: Action<PingAction> = {
  schema: PingAction,
  atOnce: true,
  perform (connection, { id }) {
    connection.send({ type: 'pong', ...(id === undefined ? {} : { id }), timestamp: isoTime(Date.now()) })
  }
}
