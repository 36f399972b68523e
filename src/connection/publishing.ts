import { type JsonItem, ProtocolError, type PublishAnswer } from '@tickwire/protocol'
import type { Identity } from '../auth/identity.js'
import type { PublishRequests } from '../publisher/publish-requests.js'
import type { PublishLimits } from '../publisher/publisher.js'
import type { Events, Party } from './events.js'

/**
 * A request that has been judged. The log takes the requests of one client in the order in which they came.
 */
export interface JudgedPublish {
  /**
   * Hands the good messages to the log before it returns, and resolves with the answer.
   * @throws ProtocolError `forbidden`: the token permits none of the messages; `log_unavailable`: the log
   *   took none of them
   */
  append (): Promise<PublishAnswer>
}

/**
 * Takes what clients publish, by `POST /v1/publish` or by the action `publish`. Judges it by the client's
 * token, and logs it for the audit.
 */
export class Publishing {
  constructor (
    private readonly requests: PublishRequests,
    private readonly events: Events,
    private readonly permit: (identity: Identity) => NonNullable<PublishLimits['permit']>
  ) {}

  async judge (items: readonly JsonItem[], identity: Identity, party: Party): Promise<JudgedPublish> {
    const request = await this.requests.judge(items, identity.user ?? '', this.permit(identity))
    return {
      append: async () => {
        const { answer, counts, isForbidden } = await request.append()
        this.events.published(party, counts)
        if (isForbidden) throw new ProtocolError('forbidden', 'the token permits none of these messages')
        return answer
      }
    }
  }
}
