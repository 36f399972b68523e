import { type Static, Type } from '@sinclair/typebox'
import { closed, Decimal, defineChannel, Identifier, SymbolName, Text, Timestamp } from './channel.js'

/** What a strategy does, by itself or because of its user. */
export const STRATEGY_STATUSES = ['starting', 'running', 'paused', 'stopped', 'failed'] as const
export type StrategyStatus = typeof STRATEGY_STATUSES[number]

/** `buy` and `sell` a quantity; `flat`: sell all that the strategy has. */
export const SIGNALS = ['buy', 'sell', 'flat'] as const
export type SignalName = typeof SIGNALS[number]

/** `signal`: it only says what it would do. `paper`: the server makes orders of its signals. */
export const STRATEGY_MODES = ['signal', 'paper'] as const
export type StrategyMode = typeof STRATEGY_MODES[number]

const oneOf = (names: readonly string[]): string => `the server writes ${names.join(', ')}`

export const StrategyMessage = Type.Object({
  strategy_id: Identifier(),
  name: Text(64, 'of the strategy in the registry'),
  status: Text(32, oneOf(STRATEGY_STATUSES)),
  symbol: Type.Optional(SymbolName('which it watches')),
  mode: Type.Optional(Text(32, oneOf(STRATEGY_MODES))),
  signal: Type.Optional(Text(32, `only on the message of a signal; ${oneOf(SIGNALS)}`)),
  quantity: Type.Optional(Decimal({ description: 'of the signal' })),
  price: Type.Optional(Decimal({ description: 'the last price when it gave the signal' })),
  as_of: Type.Optional(Timestamp('when the log took the message that the signal follows from')),
  reason: Type.Optional(Text(256, 'why it gave the signal, why it failed, or why its order was refused')),
  position: Type.Optional(Decimal({ description: 'what it has bought and not sold' })),
  pnl: Type.Optional(Decimal({
    description: 'realized and unrealized, after fees, in the currency of the prices'
  })),
  realized_pnl: Type.Optional(Decimal({ description: 'before fees' })),
  fees: Type.Optional(Decimal())
}, closed)
export type StrategyMessage = Static<typeof StrategyMessage>

export const strategy = defineChannel({
  name: 'strategy',
  type: 'strategy',
  description: "What a user's strategy does: its status, its signals, its position and its profit.",
  keyed: true,
  access: 'user',
  schema: StrategyMessage,
  // It has no merge: a signal must not be lost in the message after it.
  reduce: 'last'
})
