import { type Static, Type } from '@sinclair/typebox'
import { BAR_INTERVALS, type BarInterval, barsChannel } from './channels/bars.js'
import { closed, Decimal, defineChannel, Identifier, SymbolName, Timestamp } from './channels/channel.js'
import { compareDecimals } from './decimal.js'

/** Rules of users that say when to alert them (PROTOCOL.md, Alert rules). */

/** The most rules that a user may have in any deployment. */
export const MOST_ALERT_RULES = 1000
const MAX_COOLDOWN_SECONDS = 30 * 24 * 3600

const oneOf = <Name extends string>(names: readonly Name[], description: string) =>
  Type.Union(names.map(name => Type.Literal(name)), { title: `one of ${names.join(', ')}`, description })

/** The windows of `within`, in milliseconds. */
export const WINDOW_MS = { '1m': 60_000, '5m': 300_000, '15m': 900_000, '1h': 3_600_000 } as const
const WINDOWS = Object.keys(WINDOW_MS) as Array<keyof typeof WINDOW_MS>
const INTERVALS = Object.keys(BAR_INTERVALS) as BarInterval[]
const TYPES = ['price', 'percent', 'volume', 'spread', 'close'] as const
const PRICES = ['last', 'bid', 'ask', 'trade'] as const

/** What a user says of a rule. */
export const NewAlertRule = Type.Object({
  type: oneOf(TYPES, 'what the rule watches'),
  symbol: SymbolName(),
  of: Type.Optional(oneOf(PRICES, 'price and percent: which price; default `last`')),
  within: Type.Optional(oneOf(WINDOWS, 'percent: within what time')),
  interval: Type.Optional(oneOf(INTERVALS, 'close: of which bars')),
  above: Type.Optional(Decimal({ title: 'a decimal string', description: 'alert at this value or above' })),
  below: Type.Optional(Decimal({ title: 'a decimal string', description: 'alert at this value or below' })),
  hysteresis: Type.Optional(Decimal({
    title: 'a decimal string',
    description: 'how far the value must go back before the rule may alert again'
  })),
  cooldown_seconds: Type.Optional(Type.Integer({
    minimum: 0,
    maximum: MAX_COOLDOWN_SECONDS,
    title: `a whole number from 0 to ${MAX_COOLDOWN_SECONDS}`,
    description: 'for how long the rule rests after an alert'
  })),
  expires_at: Type.Optional(Timestamp('from then on the rule is gone')),
  note: Type.Optional(Type.String({
    maxLength: 256,
    title: 'a text of at most 256 characters',
    description: 'stands in the message of the alert'
  }))
}, closed)
export type NewAlertRule = Static<typeof NewAlertRule>

const { type: _type, symbol: _symbol, ...changeable } = NewAlertRule.properties
const orNull = Object.fromEntries(Object.entries(changeable).map(([name, schema]) => {
  const title = `${schema.title ?? 'a value'}, or null`
  return [name, Type.Optional(Type.Union([schema, Type.Null()], { title }))]
}))

/** What may be changed of a rule; `null` takes a field away. */
export const AlertRuleChange = Type.Object(orNull, { ...closed, minProperties: 1 })
export type AlertRuleChange = { readonly [Name in keyof typeof changeable]?: NewAlertRule[Name] | null }

/** A rule as the server keeps it. */
export const AlertRule = Type.Object({
  rule_id: Identifier(),
  ...NewAlertRule.properties,
  version: Type.Integer({ minimum: 1, description: 'grows with each change' }),
  created_at: Timestamp(),
  updated_at: Timestamp('from then on the rule watches as it stands here')
}, closed)
export type AlertRule = Static<typeof AlertRule>

/** All rules of a user. They are kept as one message, so that each change is judged by all that stands. */
export const alertRules = defineChannel({
  name: 'alert_rules',
  type: 'alert_rules',
  description: 'When users want to be alerted.',
  keyed: false,
  access: 'internal',
  // A message has all rules of its user, so the newest is enough.
  retention: { messages: 1 },
  schema: Type.Object({ rules: Type.Array(AlertRule, { maxItems: MOST_ALERT_RULES }) }, closed),
  reduce: 'last',
  compacted: true
})

const OWN_FIELDS: Readonly<Record<NewAlertRule['type'], ReadonlyArray<'of' | 'within' | 'interval'>>> = {
  price: ['of'], percent: ['of', 'within'], volume: [], spread: [], close: ['interval']
}

/** Returns the channel that a rule watches. */
export function channelOfRule ({ type, of, interval }: NewAlertRule): string {
  if (type === 'close') return barsChannel(interval!)
  return of === 'trade' ? 'trades' : 'quotes'
}

/** Returns a sentence that says which fields of a rule do not go together; undefined if all do. */
export function alertRuleFault (rule: NewAlertRule): string | undefined {
  const { type, above, below, within, interval, hysteresis = '0' } = rule
  const own = OWN_FIELDS[type]
  for (const field of ['of', 'within', 'interval'] as const) {
    if (rule[field] !== undefined && !own.includes(field)) return `a ${type} rule has no '${field}'`
  }
  if (type === 'percent' && within === undefined) {
    return `a percent rule needs 'within': ${WINDOWS.join(', ')}`
  }
  if (type === 'close' && interval === undefined) {
    return `a close rule needs 'interval': ${INTERVALS.join(', ')}`
  }
  if ((above === undefined) === (below === undefined)) return "a rule needs either 'above' or 'below'"
  if (type === 'percent') {
    const fits = above === undefined ? compareDecimals(below!, '0') < 0 : compareDecimals(above, '0') > 0
    if (!fits) return "a percent rule has an 'above' over 0, for a rise, or a 'below' under 0, for a fall"
  }
  const isNegative = compareDecimals(hysteresis, '0') < 0
  return isNegative ? "'hysteresis' must not be below 0" : undefined
}

/** The answer to `GET /v1/alerts`. */
export const AlertRulesAnswer = Type.Object({ rules: Type.Array(AlertRule) })
