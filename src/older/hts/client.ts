import type { Connection } from '../../connection/connection.js'
import type { AskedTopics } from '../../dialects/hts/topics.js'
import type { AccountView } from '../../trading-records/views.js'
import type { PricePace } from './price-pace.js'

/** A client of `/api/ws`, as its actions see it. */
export interface HtsClient {
  readonly connection: Connection
  readonly asked: AskedTopics
  readonly pace: PricePace
  /** Reads what a user owns. @throws ProtocolError `log_unavailable` */
  account (user: string): Promise<AccountView>
  /** Ends a topic. What other topics need goes on. */
  leave (name: string): void
}
