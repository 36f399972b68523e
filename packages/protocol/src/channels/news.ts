import { type Static, Type } from '@sinclair/typebox'
import { closed, defineChannel, SymbolName, Text, Timestamp } from './channel.js'

export const News = Type.Object({
  headline: Type.String({ minLength: 1, maxLength: 1024 }),
  source: Text(128),
  symbols: Type.Array(SymbolName(), { maxItems: 256 }),
  sentiment: Type.Optional(Text(32)),
  timestamp: Timestamp('when it was published, ISO 8601'),
  url: Type.Optional(Text(2048))
}, closed)
export type News = Static<typeof News>

export const news = defineChannel({
  name: 'news',
  type: 'news',
  description: 'Headlines and the symbols that they are about.',
  keyed: false,
  access: 'public',
  schema: News
})
