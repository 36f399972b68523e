import type { Source, SourceContext } from '../../sources/source.js'
import { untilAborted } from '../shard-inputs.js'
import { BrokerSession, type BrokerSessionOptions } from './broker-session.js'

/**
 * What gives orders to the broker and asks it for events, on one server at a time. What must be given follows
 * from the journal, and events become messages of the log, which the journal's processor decides about.
 */
export class BrokerSource implements Source {
  readonly name = 'broker'
  readonly manual = false

  constructor (private readonly options: BrokerSessionOptions) {}

  async instruments (): Promise<readonly []> {
    return []
  }

  async run (context: SourceContext): Promise<void> {
    await untilAborted(context.signal, async () => { await new BrokerSession(this.options, context).run() })
  }
}
