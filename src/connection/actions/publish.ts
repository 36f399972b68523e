import { type ControlMessage, type JsonItem, PublishAction } from '@tickwire/protocol'
import { refuseAnonymous } from '../../auth/permissions.js'
import type { Action } from './action.js'

/**
 * Publishes a batch (PROTOCOL.md, Publishing). The batch is handed to the log in the turn of its action, so
 * that batches keep their order. The answer comes when the log has the batch, and meanwhile the next batch
 * has its turn.
 */
export const publish: Action<PublishAction> = {
  schema: PublishAction,
  whileLagging: true,
  refuse: refuseAnonymous,
  async perform (connection, { id, messages }, itemErrors) {
    const items = messages.map((value, index): JsonItem => {
      const error = itemErrors.get(index)
      return error === undefined ? { value } : { value, error }
    })
    connection.markUsed()
    await connection.actions.waitForAnswerSlot()
    const judged = await connection.context.publishing.judge(items, connection.identity, connection.party)
    // Meanwhile the token may have expired, or an operator may have closed the connection.
    if (!connection.isOpen) return
    const published = async (): Promise<ControlMessage> => {
      const answer = await judged.append()
      return { type: 'published', ...(id === undefined ? {} : { id }), ...answer }
    }
    connection.actions.answerLater(published(), id)
  }
}
