import { type Static, Type } from '@sinclair/typebox'
import { closed, defineChannel, Identifier, SymbolName, Text, Timestamp } from './channel.js'

export const Alert = Type.Object({
  alert_id: Identifier(),
  type: Text(64),
  message: Text(1024),
  symbol: Type.Optional(SymbolName()),
  triggered_at: Timestamp()
}, closed)
export type Alert = Static<typeof Alert>

export const alerts = defineChannel({
  name: 'alerts',
  type: 'alert',
  description: "A user's alerts as they are triggered.",
  keyed: false,
  access: 'user',
  schema: Alert
})
