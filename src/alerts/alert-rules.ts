import { randomBytes } from 'node:crypto'
import {
  type AlertRule, type AlertRuleChange, alertRuleFault, alertRules, type ChannelDefinition, channelOfRule,
  errorTable, instantMs, type NewAlertRule, ProtocolError
} from '@tickwire/protocol'
import type { Identity } from '../auth/identity.js'
import { refuseRead } from '../auth/permissions.js'
import { type NameContext, refuseUnknown } from '../connection/selectors.js'
import type { Log } from '../log/log.js'
import type { Publisher } from '../publisher/publisher.js'
import { UserList } from '../user-lists/user-list.js'

export interface AlertRulesOptions {
  readonly log: Log
  readonly publisher: Pick<Publisher, 'publishOne'>
  readonly names: NameContext
  /** The most rules of a user. */
  readonly maxRules: number
  /** Milliseconds since 1970. */
  readonly now?: () => number
  readonly randomId?: () => string
}

/** The rules of users as they make and change them (PROTOCOL.md, Alert rules). */
export class AlertRules {
  private readonly now: () => number
  private readonly randomId: () => string
  private readonly lists: UserList<AlertRule>

  constructor (private readonly options: AlertRulesOptions) {
    const { log, publisher } = options
    const list = { channel: alertRules, field: 'rules', processor: 'alert-rules' }
    this.lists = new UserList({ log, publisher, ...list })
    this.now = options.now ?? Date.now
    this.randomId = options.randomId ?? (() => randomBytes(12).toString('base64url'))
  }

  /** @throws ProtocolError `log_unavailable` */
  async list (user: string): Promise<readonly AlertRule[]> {
    return this.standing(await this.lists.read(user))
  }

  /** @throws ProtocolError `not_found`, `log_unavailable` */
  async get (user: string, id: string): Promise<AlertRule> {
    return find(await this.list(user), id)
  }

  /**
   * @throws ProtocolError `invalid_message`, `unknown_channel`, `unknown_symbol`, `forbidden`;
   *   `too_many_subscriptions`: the user has as many rules as a user may have; `log_unavailable`
   */
  async add (identity: Identity, rule: NewAlertRule): Promise<AlertRule> {
    await this.permit(identity, rule)
    const at = new Date(this.now()).toISOString()
    const added: AlertRule = { rule_id: this.randomId(), ...rule, version: 1, created_at: at, updated_at: at }
    await this.change(identity.user!, rules => {
      const { maxRules } = this.options
      if (rules.length < maxRules) return [...rules, added]
      const message = `a user has at most ${maxRules} alert rules; remove one first`
      throw new ProtocolError('too_many_subscriptions', message)
    })
    return added
  }

  /** Changes a rule, which then watches as a new one. @throws as {@link add}, and `not_found` */
  async update (identity: Identity, id: string, change: AlertRuleChange): Promise<AlertRule> {
    const user = identity.user!
    await this.permit(identity, changed(find(await this.list(user), id), change))
    let updated: AlertRule | undefined
    await this.change(user, rules => {
      const before = find(rules, id)
      const after = changed(before, change)
      demandSense(after)
      const version = before.version + 1
      const rule = updated = { ...after, version, updated_at: new Date(this.now()).toISOString() }
      return rules.map(other => other === before ? rule : other)
    })
    return updated!
  }

  /** @throws ProtocolError `not_found`, `log_unavailable` */
  async remove (user: string, id: string): Promise<void> {
    await this.change(user, rules => {
      const found = find(rules, id)
      return rules.filter(rule => rule !== found)
    })
  }

  /** Asks of a rule what a subscription to its data would be asked. */
  private async permit (identity: Identity, rule: NewAlertRule): Promise<void> {
    demandSense(rule)
    const { names } = this.options
    const name = channelOfRule(rule)
    const channel: ChannelDefinition | undefined = names.channels.get(name)
    if (channel === undefined) {
      throw new ProtocolError('unknown_channel', `this server has no channel ${name}, which the rule watches`)
    }
    const refusal = refuseRead(identity, channel, rule.symbol) ??
      await refuseUnknown(names, channel, rule.symbol)
    if (refusal !== undefined) throw new ProtocolError(refusal, `${name}: ${errorTable[refusal].message}`)
  }

  /** Expired rules are left out; the next change takes them away. */
  private standing (rules: readonly AlertRule[]): readonly AlertRule[] {
    const now = this.now()
    return rules.filter(({ expires_at: end }) => end === undefined || instantMs(end) > now)
  }

  /** Replaces the rules of a user by others that follow from them. */
  private async change (
    user: string, edit: (rules: readonly AlertRule[]) => readonly AlertRule[]
  ): Promise<void> {
    await this.lists.change(user, rules => edit(this.standing(rules)))
  }
}

function find (rules: readonly AlertRule[], id: string): AlertRule {
  const found = rules.find(({ rule_id: known }) => known === id)
  if (found === undefined) throw new ProtocolError('not_found', 'you have no such alert rule')
  return found
}

function changed (rule: AlertRule, change: AlertRuleChange): AlertRule {
  const fields = Object.entries({ ...rule, ...change }).filter(([, value]) => value !== null)
  return Object.fromEntries(fields) as AlertRule
}

function demandSense (rule: NewAlertRule): void {
  const fault = alertRuleFault(rule)
  if (fault !== undefined) throw new ProtocolError('invalid_message', fault)
}
