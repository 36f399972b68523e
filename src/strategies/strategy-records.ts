import { type Log } from '../log/log.js'
import type { Publisher } from '../publisher/publisher.js'
import { UserList } from '../user-lists/user-list.js'
import { ProtocolError, strategies, type StrategyRecord, type StrategyResults } from '@tickwire/protocol'

/** What a user may bring a strategy to. */
export type AskedStatus = 'running' | 'paused' | 'stopped'

/** From which other statuses a strategy may come to one. */
const TRANSITIONS: Readonly<Record<AskedStatus, ReadonlyArray<StrategyRecord['status']>>> = {
  running: ['paused', 'failed'],
  paused: ['running'],
  stopped: ['running', 'paused', 'failed']
}

/** The strategies of users as the log keeps them. Users and the running side change them. */
export class StrategyRecords {
  private readonly lists: UserList<StrategyRecord>

  constructor (log: Log, publisher: Pick<Publisher, 'publishOne'>) {
    this.lists = new UserList({
      log, publisher, channel: strategies, field: 'strategies', processor: 'strategies'
    })
  }

  /** @throws ProtocolError `log_unavailable` */
  async list (user: string): Promise<readonly StrategyRecord[]> {
    return await this.lists.read(user)
  }

  /** @throws ProtocolError `too_many_subscriptions`: the user has as many as a user may have */
  async add (user: string, record: StrategyRecord, most: number): Promise<void> {
    await this.lists.change(user, records => {
      if (records.length < most) return [...records, record]
      const message = `a user has at most ${most} strategies, with those that have stopped; delete one first`
      throw new ProtocolError('too_many_subscriptions', message)
    })
  }

  /**
   * Brings a strategy to a status; changes nothing if it has it.
   * @throws ProtocolError `not_found`; `invalid_message`: it cannot come to this status from its own
   */
  async ask (user: string, id: string, status: AskedStatus, now: number): Promise<StrategyRecord> {
    let changed: StrategyRecord | undefined
    await this.lists.change(user, records => {
      const before = find(records, id)
      changed = before
      if (before.status === status) return records
      if (!TRANSITIONS[status].includes(before.status)) {
        throw new ProtocolError('invalid_message',
          `the strategy is ${before.status}: only one that is ${TRANSITIONS[status].join(' or ')} ` +
          `can become ${status}`)
      }
      const { reason: _reason, ...rest } = before
      const after = changed = {
        ...rest, status, version: before.version + 1, updated_at: new Date(now).toISOString()
      }
      return records.map(record => record === before ? after : record)
    })
    return changed!
  }

  /** @throws ProtocolError `not_found` */
  async remove (user: string, id: string): Promise<void> {
    await this.lists.change(user, records => {
      const found = find(records, id)
      return records.filter(record => record !== found)
    })
  }

  /** Notes that a strategy has failed, unless its user has changed it since. */
  async fail (
    user: string, { strategy_id: id, version }: StrategyRecord, reason: string, now: number
  ): Promise<void> {
    const updated = new Date(now).toISOString()
    await this.edit(user, record => record.strategy_id === id && record.version === version
      ? { ...record, status: 'failed', reason, version: version + 1, updated_at: updated }
      : record)
  }

  /**
   * Keeps what strategies have bought and sold, so that they go on from there. A run that has ended may come
   * late: what is newer stays.
   * @param results by the strategy's id
   */
  async keep (user: string, results: ReadonlyMap<string, StrategyResults>): Promise<void> {
    await this.edit(user, record => {
      const now = results.get(record.strategy_id)
      return now === undefined || isOlder(now, record.results) ? record : { ...record, results: now }
    })
  }

  private async edit (user: string, edit: (record: StrategyRecord) => StrategyRecord): Promise<void> {
    await this.lists.change(user, records => {
      const after = records.map(edit)
      return after.every((record, index) => record === records[index]) ? records : after
    })
  }
}

function isOlder (results: StrategyResults, than: StrategyResults | undefined): boolean {
  if (than === undefined) return false
  const isSameEpoch = results.epoch === than.epoch
  return results.time < than.time || (isSameEpoch && (results.offset ?? 0) < (than.offset ?? 0))
}

function find (records: readonly StrategyRecord[], id: string): StrategyRecord {
  const found = records.find(({ strategy_id: known }) => known === id)
  if (found === undefined) throw new ProtocolError('not_found', 'you have no such strategy')
  return found
}
