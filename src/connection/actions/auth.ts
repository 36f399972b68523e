import { AuthAction, EVERY_SYMBOL, ProtocolError } from '@tickwire/protocol'
import type { Identity } from '../../auth/identity.js'
import { refuseRead } from '../../auth/permissions.js'
import { toProtocolError } from '../../errors.js'
import type { Connection } from '../connection.js'
import { isoTime } from '../../hub/iso-time.js'
import type { Action } from './action.js'

/**
 * Authenticates the client, or renews its token. A token of another user closes the connection, and so does a
 * token that does not permit everything that the client subscribes to: after `authenticated`, the server may
 * send nothing that the new token does not permit.
 */
export const auth: Action<AuthAction> = {
  schema: AuthAction,
  authenticates: true,
  // The token may expire while the client lags.
  whileLagging: true,
  perform
}

async function perform (connection: Connection, message: AuthAction): Promise<void> {
  const identity = await verifyToken(connection, message)
  // The old token may have expired while the server checked the new one.
  if (identity === undefined || !connection.isOpen) return
  const { user } = connection.identity
  if (user !== undefined && user !== identity.user) {
    connection.close({ code: 'forbidden', message: 'the token names another user than before' })
    return
  }
  for (const { channel, symbol, kind } of connection.subscriptions.selectors()) {
    if (refuseRead(identity, channel, kind === 'topic' ? symbol : EVERY_SYMBOL) === undefined) continue
    connection.close({ code: 'forbidden', message: 'the token does not permit all subscriptions' })
    return
  }
  try {
    if (identity.user !== undefined) connection.claim(identity.user)
  } catch (error) {
    // The same refusal before an upgrade would have prevented the connection.
    connection.close(toProtocolError(error))
    return
  }
  connection.authenticate(identity)
  connection.context.events.authenticated(connection.party)
  connection.noteUser(identity.user ?? '')
  connection.send({
    type: 'authenticated',
    ...(message.id === undefined ? {} : { id: message.id }),
    user_id: identity.user ?? '',
    expires_at: isoTime(identity.expiresAt ?? 0)
  })
}

/** Returns whom a token names. Answers and counts a token that is refused, and returns undefined. */
async function verifyToken (
  connection: Connection, { token, id }: AuthAction
): Promise<Identity | undefined> {
  try {
    return await connection.context.verifyToken(token)
  } catch (error) {
    if (!(error instanceof ProtocolError) || error.code !== 'unauthorized') throw error
    connection.refuseToken(error, id)
    return undefined
  }
}
