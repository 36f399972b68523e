import { type Static, Type } from '@sinclair/typebox'
import {
  Alert, type AlertRule, alertRules, alerts, barChannels, type ChannelDefinition, type Channels,
  MAX_DECIMAL_LENGTH
} from '@tickwire/protocol'
import { journalChannel } from '../journal.js'
import type { JournalProcessor, RuleMemory } from '../processor.js'
import { AlertBook, type KeptRules } from './alert-book.js'
import type { Outcome } from './series.js'
import type { Kept, Watch } from './watch.js'

const NAME = 'alerts'
/** The channels that rules can watch; a server runs those that it has. */
const INPUTS = ['quotes', 'trades', ...barChannels.map(({ name }) => name)]

const RuleId = Type.String()

/** What one message of the market means: the rules that it armed or set waiting, and the alerts. */
const AlertDecision = Type.Object({
  changed: Type.Array(Type.Tuple([
    RuleId, Type.Integer(), Type.Union([Type.Literal(0), Type.Literal(1)]), Type.Number(), Type.Integer()
  ])),
  alerted: Type.Array(Type.Object({ user: Type.String(), alert: Alert })),
  /** Rules that their users have removed. */
  gone: Type.Array(RuleId)
})
type AlertDecision = Static<typeof AlertDecision>

/** By id, what has become of each rule that has seen a value. */
interface AlertState {
  readonly rules: Record<string, Kept>
}

const initial = (): AlertState => ({ rules: {} })

/** Changes the state that it gets: there may be 100,000 rules. */
function apply (state: AlertState, { changed, gone }: AlertDecision): AlertState {
  for (const [id, ...kept] of changed) state.rules[id] = kept
  for (const id of gone) delete state.rules[id]
  return state
}

/** The decisions of the processor of alerts: what makes an alert come once, whatever becomes of servers. */
export const alertJournal: ChannelDefinition = journalChannel<AlertState>({
  name: 'alerts.journal',
  description: 'Which rules are armed, and the alerts.',
  decision: AlertDecision,
  initial,
  apply
})

/** The rules during a run. */
class AlertMemory implements RuleMemory {
  readonly book = new AlertBook()
  /** Rules that are gone, and that the journal still has. */
  private gone: string[] = []

  constructor (private readonly state: AlertState) {}

  learn (user: string | undefined, data: unknown, at: number): ReturnType<RuleMemory['learn']> {
    const { rules } = (data ?? { rules: [] }) as { rules: readonly AlertRule[] }
    const { gone, pasts } = this.book.learn(user ?? '', rules, this.state.rules satisfies KeptRules, at)
    this.gone.push(...gone.filter(id => Object.hasOwn(this.state.rules, id)))
    return pasts
  }

  learned (): void {
    const known = this.book.ids()
    this.gone = Object.keys(this.state.rules).filter(id => !known.has(id))
  }

  concerns (topic: string): boolean {
    return this.book.concerns(topic)
  }

  takeGone (): string[] {
    const { gone } = this
    this.gone = []
    return gone
  }
}

/** Evaluates the rules of users on quotes, trades and bars (PROTOCOL.md, Alert rules; ADR 47). */
export function alertProcessor (channels: Channels): JournalProcessor<AlertState, AlertDecision> {
  /** By the state of a run. */
  const memories = new WeakMap<AlertState, AlertMemory>()
  return {
    name: NAME,
    inputs: INPUTS.filter(name => channels.has(name)),
    outputs: [alerts.name],
    journal: alertJournal.name,
    rules: {
      channel: alertRules.name,
      begin (state) {
        const memory = new AlertMemory(state)
        memories.set(state, memory)
        return memory
      }
    },
    initial,
    decide (state, message) {
      const memory = memories.get(state)
      const outcome = memory?.book.observe(message)
      return outcome === undefined ? undefined : decisionOf(outcome, message.timestamp, memory!.takeGone())
    },
    apply,
    project: ({ alerted }) => alerted.map(({ user, alert }) => ({ channel: alerts.name, user, data: alert })),
    // Alerts are a history: one that was sent by mistake stays sent.
    correct: () => undefined
  }
}

function decisionOf ({ changed, alerted }: Outcome, time: number, gone: string[]): AlertDecision {
  return {
    changed: changed.map(({ rule, kept }) => [rule.rule_id, ...kept]),
    alerted: alerted.map(({ watch, value }) => ({ user: watch.user, alert: alertOf(watch, value, time) })),
    gone
  }
}

function alertOf (watch: Watch, value: string, time: number): Alert {
  const { rule: { rule_id: id, type, symbol }, alerts } = watch
  return {
    // The same alert has the same id, even if the log has lost it and it comes again. The time tells it from
    // those before the log forgot all.
    alert_id: `${id}.${alerts}.${time.toString(36)}`,
    rule_id: id,
    type,
    message: messageOf(watch, value),
    symbol,
    // A difference may be longer than its parts; the message has it in any case.
    ...(value.length > MAX_DECIMAL_LENGTH ? {} : { value }),
    triggered_at: new Date(time).toISOString()
  }
}

function messageOf ({ rule, level, isAbove }: Watch, value: string): string {
  const { type, symbol, of = 'last', within, interval, note } = rule
  const what = {
    price: of,
    percent: `${of} within ${within}`,
    volume: 'volume',
    spread: 'spread',
    close: `close of ${interval}`
  }[type]
  const unit = type === 'percent' ? ' %' : ''
  const side = isAbove ? 'at or above' : 'at or below'
  const text = `${symbol}: ${what} ${value}${unit}, ${side} ${level}${unit}`
  return note === undefined ? text : `${note} (${text})`
}
