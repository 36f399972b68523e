import type { Identity } from '../../auth/identity.js'
import { noteUnsubscribed } from '../../connection/actions/unsubscribe.js'
import type { Connection } from '../../connection/connection.js'
import { receiveAs } from '../../connection/dispatch.js'
import { AskedTopics } from '../../dialects/hts/topics.js'
import { HtsWriter } from '../../dialects/hts/writer.js'
import type { KeptTexts } from '../../dialects/kept-texts.js'
import { LinesDialect } from '../../dialects/lines-dialect.js'
import type { AccountView } from '../../trading-records/views.js'
import type { Speech } from '../../transports/ws/index.js'
import { readOlderAction } from '../older-action.js'
import { htsActions } from './actions.js'
import type { HtsClient } from './client.js'
import { PricePace } from './price-pace.js'
import { WrittenAcknowledgements } from './written-acknowledgements.js'

/** What all sessions of a server share. */
export interface HtsContext {
  readonly prices: KeptTexts
  /** See {@link HtsClient}. */
  account (user: string): Promise<AccountView>
  /** The open sessions. */
  readonly sessions: Set<HtsSession>
}

/** What a client without a token is called. */
const GUEST = 'guest'

const MESSAGES = { field: 'type', what: 'message type', actions: htsActions } as const

/** One client of `/api/ws` (docs/compat.md): what it has asked for, beside what its connection knows. */
export class HtsSession implements HtsClient, Speech {
  readonly asked = new AskedTopics()
  readonly pace = new PricePace(messages => this.sendIfRead(messages))
  readonly dialect: LinesDialect
  private readonly writer: HtsWriter
  private acknowledgements: WrittenAcknowledgements | undefined
  private opened: Connection | undefined

  constructor (private readonly context: HtsContext, { name, user }: Identity) {
    this.writer = new HtsWriter({
      asked: this.asked,
      name: name ?? user ?? GUEST,
      prices: context.prices,
      pace: (topic, write) => this.pace.take(topic, write),
      onWritten: (channel, sequence) => { this.acknowledgements?.note(channel, sequence) }
    })
    this.dialect = new LinesDialect(this.writer)
  }

  get connection (): Connection {
    return this.opened!
  }

  async account (user: string): Promise<AccountView> {
    return await this.context.account(user)
  }

  onOpen (connection: Connection): void {
    this.opened = connection
    this.acknowledgements = new WrittenAcknowledgements(connection)
    this.context.sessions.add(this)
  }

  receive (connection: Connection, received: string | Buffer): void {
    receiveAs(connection, () => readOlderAction(this, MESSAGES, () => this.dialect.read(received)))
  }

  onClose (): void {
    this.pace.close()
    this.context.sessions.delete(this)
  }

  leave (name: string): void {
    const { asked, connection, connection: { subscriptions, delivery } } = this
    const key = asked.remove(name)
    if (key === undefined) return
    if (!asked.needs(key)) {
      const gone = [...subscriptions.selectors()].filter(selector => selector.key === key)
      delivery.detach(gone)
      for (const selector of gone) noteUnsubscribed(connection, selector.channel.name, [selector])
    }
    const left = delivery.selection()
    const isLeft = (topic: string): boolean => left.has(topic)
    this.pace.forget(isLeft)
    this.writer.forget(isLeft)
  }

  private sendIfRead (messages: readonly string[]): boolean {
    const { opened } = this
    if (opened?.keepsUp !== true) return false
    opened.sendWritten(messages)
    return true
  }
}
