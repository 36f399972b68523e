import { type Static, Type } from '@sinclair/typebox'
import { closed, defineChannel } from './channel.js'

export const SystemNotice = Type.Object({
  level: Type.Union([Type.Literal('info'), Type.Literal('warning'), Type.Literal('error')]),
  message: Type.String({ minLength: 1, maxLength: 1024 })
}, closed)
export type SystemNotice = Static<typeof SystemNotice>

export const system = defineChannel({
  name: 'system',
  type: 'system',
  description: 'What the operators of the server have to say.',
  keyed: false,
  access: 'public',
  schema: SystemNotice
})
