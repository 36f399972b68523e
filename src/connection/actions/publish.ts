import { type JsonItem, PublishAction } from '@tickwire/protocol'
import type { Action } from './action.js'

/**
 * Publishes a batch (PROTOCOL.md, Publishing). It is appended in its turn, so that batches keep their order; the answer comes when the
 * log has them, and meanwhile the next batch has its turn.
 */
export const publish: Action<PublishAction> = {
  schema: PublishAction,
  whileLagging: true,
  refuse: ({ user }) => user === undefined ? 'unauthorized' : undefined,
  async perform (connection, { id, messages }, itemErrors) {
    const items = messages.map((value, index): JsonItem => {
      const error = itemErrors.get(index)
      return error === undefined ? { value } : { value, error }
    })
    await connection.untilAnswersLater()
    const judged = await connection.context.publishing.judge(items, connection.identity, connection.party)
    // Its token may have expired meanwhile, or an operator has ended it.
    if (!connection.isOpen) return
    connection.answerLater(judged.append().then(answer => ({ type: 'published', ...(id === undefined ? {} : { id }), ...answer })), id)
  }
}
