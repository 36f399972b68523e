import { type Static, Type } from '@sinclair/typebox'
import {
  closed, Decimal, defineChannel, Identifier, SymbolName, Text, Timestamp
} from './channels/channel.js'
import { STRATEGY_MODES } from './channels/strategy.js'

/** Strategies that users have started (PROTOCOL.md, Strategies). */

/** The most strategies that a user may have in any deployment. */
export const MOST_STRATEGIES = 100
const MAX_PARAMETERS = 50

/** The name of a strategy in the registry. */
export const STRATEGY_NAME = '^[a-z][a-z0-9_]{0,63}$'

const oneOf = <Name extends string>(names: readonly Name[], description: string) =>
  Type.Union(names.map(name => Type.Literal(name)), { title: `one of ${names.join(', ')}`, description })

const Parameters = Type.Record(
  Type.String({ maxLength: 64 }),
  Type.Union([Type.Number(), Type.Boolean(), Type.String({ maxLength: 256 })], {
    title: 'a number, a text of at most 256 characters, true or false'
  }),
  {
    maxProperties: MAX_PARAMETERS,
    title: 'an object of numbers, texts, true and false',
    description: "the strategy's own; what is left out has its default"
  }
)

/** What a user says of a strategy. */
export const NewStrategy = Type.Object({
  name: Type.String({
    pattern: STRATEGY_NAME, title: 'the name of a strategy', description: 'of a strategy in the registry'
  }),
  symbol: SymbolName(),
  parameters: Type.Optional(Parameters),
  mode: Type.Optional(oneOf(STRATEGY_MODES, 'whether its signals become orders; default `signal`')),
  quantity: Type.Optional(Decimal({
    title: 'a decimal string', description: 'of a signal that names none; default 1'
  }))
}, closed)
export type NewStrategy = Static<typeof NewStrategy>

/** What a strategy has bought, sold and paid, and up to where that is counted. */
export const StrategyResults = Type.Object({
  position: Decimal(),
  cost: Decimal({ description: 'what was paid for the position' }),
  realized_pnl: Decimal({ description: 'before fees' }),
  fees: Decimal(),
  time: Type.Integer({ minimum: 0, description: 'when its last signal was, in milliseconds since 1970' }),
  epoch: Type.Optional(Type.Integer({ minimum: 0 })),
  offset: Type.Optional(Type.Integer({ minimum: 0, description: "in the shard of its user's orders" }))
}, closed)
export type StrategyResults = Static<typeof StrategyResults>

/** What the server is to do with a strategy; `failed`: it could not go on. */
export const WANTED_STATUSES = ['running', 'paused', 'stopped', 'failed'] as const

/** A strategy as the server keeps it. */
export const StrategyRecord = Type.Object({
  strategy_id: Identifier(),
  ...NewStrategy.properties,
  parameters: Parameters,
  mode: oneOf(STRATEGY_MODES, 'whether its signals become orders'),
  quantity: Decimal(),
  status: oneOf(WANTED_STATUSES, 'what it does'),
  reason: Type.Optional(Text(256, 'why it failed')),
  version: Type.Integer({ minimum: 1, description: 'grows with each change of the status' }),
  created_at: Timestamp(),
  updated_at: Timestamp('when the status changed last'),
  results: Type.Optional(StrategyResults)
}, closed)
export type StrategyRecord = Static<typeof StrategyRecord>

/** All strategies of a user. They are one message, so that each change is judged by all that stand. */
export const strategies = defineChannel({
  name: 'strategies',
  type: 'strategies',
  description: 'The strategies that users have started.',
  keyed: false,
  access: 'internal',
  // A message has all strategies of its user, so the newest is enough.
  retention: { messages: 1 },
  schema: Type.Object({ strategies: Type.Array(StrategyRecord, { maxItems: MOST_STRATEGIES }) }, closed),
  reduce: 'last',
  compacted: true
})

/** The answer to `GET /v1/strategies`. */
export const StrategiesAnswer = Type.Object({ strategies: Type.Array(StrategyRecord) })

/** The answer to `GET /v1/strategies/registry`. */
export const StrategyRegistryAnswer = Type.Object({
  strategies: Type.Array(Type.Object({
    name: Type.String(),
    title: Type.String(),
    description: Type.String(),
    parameters: Type.Unsafe<object>({
      type: 'object', description: 'a JSON schema, with defaults and bounds'
    })
  }))
})
