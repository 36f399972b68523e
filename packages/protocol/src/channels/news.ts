import { type Static, Type } from '@sinclair/typebox'
import { closed, defineChannel, SymbolName, Text, Timestamp } from './channel.js'

export const News = Type.Object({
  headline: Type.String({ minLength: 1, maxLength: 1024 }),
  source: Text(128),
  symbols: Type.Array(SymbolName(), { maxItems: 256 }),
  sentiment: Type.Optional(Text(32)),
  timestamp: Timestamp('when it was published, ISO 8601'),
  url: Type.Optional(Text(2048)),
  summary: Type.Optional(Text(1024, 'plain text'))
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

/** What a feed of news had already, so that nothing of it comes twice; by a hash of the feed's address. */
export const NewsFeed = Type.Object({
  feed: Text(256, 'its address without the query'),
  etag: Type.Optional(Text(512)),
  last_modified: Type.Optional(Text(512)),
  seen: Type.String({ maxLength: 65_536, description: 'marks of items, 15 hexadecimal digits each' })
}, closed)
export type NewsFeed = Static<typeof NewsFeed>

/** A log in memory gets it back from nowhere: it has lost the news, too, and the feeds bring it again. */
export const newsFeeds = defineChannel({
  name: 'news.feeds',
  type: 'news_feed',
  description: 'What feeds of news had already.',
  keyed: true,
  access: 'internal',
  schema: NewsFeed,
  reduce: 'last',
  compacted: 'log'
})
