import { AuthAction, EVERY_SYMBOL, ProtocolError } from '@tickwire/protocol'
import type { Identity } from '../../auth/identity.js'
import { refuseRead } from '../../auth/permissions.js'
import { toProtocolError } from '../../errors.js'
import type { Connection } from '../connection.js'
import { isoTime } from '../../hub/iso-time.js'
import type { Action } from './action.js'

/**
 * Says who the client is, or renews what it said. A token of another user ends the connection, and so does one that does not permit all
 * that is subscribed to: after `authenticated` nothing may come that this token would not be given.
 */
export const auth: Action<AuthAction> = {
  schema: AuthAction,
  authenticates: true,
  // A token may expire while the client reads too slowly.
  whileLagging: true,
  perform
}

async function perform (connection: Connection, message: AuthAction): Promise<void> {
  const identity = await verified(connection, message)
  // The token before may have expired while this one was judged.
  if (identity === undefined || !connection.isOpen) return
  const { user } = connection.identity
  if (user !== undefined && user !== identity.user) {
    connection.close({ code: 'forbidden', message: 'the token names another user than before' })
    return
  }
  for (const { channel, symbol, kind } of connection.subscriptions.selectors()) {
    if (refuseRead(identity, channel, kind === 'topic' ? symbol : EVERY_SYMBOL) === undefined) continue
    connection.close({ code: 'forbidden', message: 'the token does not permit all that is subscribed to' })
    return
  }
  try {
    if (identity.user !== undefined) connection.claim(identity.user)
  } catch (error) {
    // Refused before an upgrade, it would not be there either.
    connection.close(toProtocolError(error))
    return
  }
  connection.authenticate(identity)
  connection.context.events.authenticated(connection.party)
  connection.send({
    type: 'authenticated',
    ...(message.id === undefined ? {} : { id: message.id }),
    user_id: identity.user ?? '',
    expires_at: isoTime(identity.expiresAt ?? 0)
  })
}

/** Undefined for a token that is refused: that is answered, and counted. */
async function verified (connection: Connection, { token, id }: AuthAction): Promise<Identity | undefined> {
  try {
    return await connection.context.verifyToken(token)
  } catch (error) {
    if (!(error instanceof ProtocolError) || error.code !== 'unauthorized') throw error
    connection.badToken(error, id)
    return undefined
  }
}
