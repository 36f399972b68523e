import { type Static, Type } from '@sinclair/typebox'
import { MAX_UNACKNOWLEDGED } from './acknowledgements.js'
import { closed, Decimal, defineChannel, Identifier, SymbolName, Text, Timestamp } from './channel.js'

export const Alert = Type.Object({
  alert_id: Identifier(),
  rule_id: Type.Optional(Identifier()),
  type: Text(64),
  message: Text(1024),
  symbol: Type.Optional(SymbolName()),
  value: Type.Optional(Decimal({ description: 'what the rule saw, such as the price' })),
  triggered_at: Timestamp()
}, closed)
export type Alert = Static<typeof Alert>

export const alerts = defineChannel({
  name: 'alerts',
  type: 'alert',
  description: "A user's alerts as they are triggered.",
  keyed: false,
  access: 'user',
  retention: { messages: MAX_UNACKNOWLEDGED },
  acknowledged: true,
  schema: Alert
})
