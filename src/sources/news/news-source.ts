import { setTimeout as delay } from 'node:timers/promises'
import { type ErrorCode, type Instrument, type News, newsFeeds } from '@tickwire/protocol'
import { Agent } from 'undici'
import type { Log } from '../../log/log.js'
import type { Source, SourceContext, SourceMessage } from '../source.js'
import { type FeedDocument, type FeedItem, NotAFeed, readFeed } from './feed-document.js'
import { type Feed, hashOf } from './feeds.js'
import { FeedFault, fetchFeed, type FetchedFeed } from './fetch-feed.js'
import { plainText } from './plain-text.js'
import { publishTime } from './publish-time.js'
import { SeenItems } from './seen-items.js'
import { SymbolFinder } from './symbol-finder.js'
import { wordsOf } from '../../errors.js'

/** How often a feed is asked for; a server that names a longer time gets it. */
const INTERVAL_MS = 60_000
/** A share of the interval, so that feeds of one server are not all asked for at once. */
const JITTER = 0.2
const MAX_BACKOFF_MS = 3_600_000
/** An item from before is no news: a feed that is read for the first time has items of weeks. */
const MAX_AGE_MS = 86_400_000
const MAX_SOURCE = 128
/** Refusals that pass: the item is published when the feed is read again. */
const PASSING: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['overloaded', 'log_unavailable'])
/** Making a finder of all instruments takes a while. */
const FINDER_KEPT_MS = 60_000

export interface NewsOptions {
  readonly feeds: readonly Feed[]
  readonly log: Log
  /** Returns all instruments that are known now. */
  instruments (): Iterable<Instrument>
  /** Counts what happened to a feed, for the metrics. @param event one of a few words */
  count (feed: string, event: string, times: number): void
  readonly intervalMs?: number
  readonly deadlineMs?: number
  /** From 0 to 1. */
  readonly random?: () => number
  /** In milliseconds since 1970. */
  readonly now?: () => number
}

/** Headlines of RSS and Atom feeds. A feed that fails is asked for less and less, and disturbs no other. */
export class NewsSource implements Source {
  readonly name = 'news'
  readonly manual = false

  constructor (private readonly options: NewsOptions) {}

  async instruments (): Promise<readonly Instrument[]> {
    return []
  }

  async run (context: SourceContext): Promise<void> {
    const { log, feeds } = this.options
    const seen = await SeenItems.load(log, feeds)
    const dispatcher = new Agent({ connect: { timeout: 10_000 }, keepAliveTimeout: 1000 })
    const over = new AbortController()
    const finders = new Finders(this.options)
    try {
      const inTime = { ...context, signal: AbortSignal.any([context.signal, over.signal]) }
      const shared = { options: this.options, context: inTime, seen, finders, dispatcher }
      await Promise.all(feeds.map(feed => new FeedLoop(feed, shared).run()))
    } finally {
      // If the log failed one feed, all begin anew.
      over.abort()
      await dispatcher.destroy()
    }
  }
}

/** Makes a finder when one is needed, from the instruments that are known then. */
class Finders {
  private finder: SymbolFinder | undefined
  private madeAt = -Infinity

  constructor (private readonly options: Pick<NewsOptions, 'instruments'>) {}

  get (): SymbolFinder {
    if (this.finder === undefined || performance.now() - this.madeAt > FINDER_KEPT_MS) {
      this.finder = new SymbolFinder(this.options.instruments())
      this.madeAt = performance.now()
    }
    return this.finder
  }
}

interface Shared {
  readonly options: NewsOptions
  readonly context: SourceContext
  readonly seen: SeenItems
  readonly finders: Finders
  readonly dispatcher: Agent
}

/** Asks one feed, again and again. */
class FeedLoop {
  private failures = 0
  private fault: string | undefined
  private hasBadDates = false

  constructor (private readonly feed: Feed, private readonly shared: Shared) {}

  async run (): Promise<void> {
    const { signal } = this.shared.context
    const { intervalMs = INTERVAL_MS, random = Math.random } = this.shared.options
    const pause = async (milliseconds: number): Promise<void> => {
      await delay(milliseconds, undefined, { signal }).catch(() => {})
    }
    await pause(Math.min(1000, intervalMs) * JITTER * random())
    while (!signal.aborted) {
      let askedMs = 0
      try {
        await this.read()
      } catch (error) {
        if (signal.aborted) return
        if (!(error instanceof FeedFault)) throw error
        askedMs = error.retryAfterMs
        this.failed(error)
      }
      const backoff = Math.min(intervalMs * 2 ** Math.min(this.failures, 16), MAX_BACKOFF_MS)
      // Never earlier than was asked for.
      await pause(Math.max(backoff, askedMs) * (1 + JITTER * random()))
    }
  }

  /** Fetches the feed, and publishes what is new. @throws FeedFault; what publishing failed with */
  private async read (): Promise<void> {
    const { feed, shared: { seen, dispatcher, context, options: { deadlineMs } } } = this
    const { signal } = context
    const fetched = await fetchFeed(feed.url, seen.validatorsOf(feed), { signal, dispatcher, deadlineMs })
    if (fetched === undefined) {
      this.succeeded('unchanged')
      return
    }
    const document = parsed(fetched)
    this.succeeded('read')
    await this.publish(document, fetched)
  }

  private async publish (document: FeedDocument, fetched: FetchedFeed): Promise<void> {
    const { feed, shared: { seen, context } } = this
    const now = (this.shared.options.now ?? Date.now)()
    const fresh = seen.takeNew(feed, document.items, now)
    this.count('unusable', document.unusable)
    const dated = fresh.map(taken => ({ taken, time: this.timeOf(taken.item, now) }))
    // A feed has its newest items first.
    const recent = dated.filter(({ time }) => time > now - MAX_AGE_MS)
      .reverse().sort((a, b) => a.time - b.time)
    this.count('old', dated.length - recent.length)
    seen.noteRead(feed, fetched)
    if (recent.length > 0) {
      const messages = recent.map(({ taken: { item }, time }) => this.messageOf(item, time, document))
      const results = await context.publish(messages)
      this.count('published', results.filter(result => !('code' in result)).length)
      for (const [index, result] of results.entries()) {
        if ('code' in result && PASSING.has(result.code)) seen.takeBack(feed, recent[index]!.taken)
      }
    }
    // Without new items there is nothing to keep: some feeds have another ETag each time.
    if (fresh.length === 0) return
    await context.publish([{ channel: newsFeeds.name, symbol: feed.key, data: seen.stateOf(feed) }])
  }

  private timeOf ({ date }: FeedItem, now: number): number {
    const time = date === undefined ? undefined : publishTime(date, now)
    if (date !== undefined && time === undefined) this.noteBadDate(date)
    return time ?? now
  }

  private noteBadDate (date: string): void {
    this.count('bad_date', 1)
    if (this.hasBadDates) return
    this.hasBadDates = true
    const fields = { source: 'news', feed: this.feed.name, date: plainText(date, 64, false) }
    this.shared.context.logger.warn(fields,
      'a news feed has a date that cannot be: the server takes the time of arrival, and only counts others')
  }

  private messageOf (item: FeedItem, time: number, { title }: FeedDocument): SourceMessage {
    const { headline, summary, link, sentiment } = item
    const data: News = {
      headline,
      source: plainText(title === '' ? new URL(this.feed.url).hostname : title, MAX_SOURCE, false),
      symbols: this.shared.finders.get().find(summary === undefined ? headline : `${headline} · ${summary}`),
      ...(sentiment === undefined ? {} : { sentiment }),
      timestamp: new Date(time).toISOString(),
      ...(link === undefined ? {} : { url: link }),
      ...(summary === undefined ? {} : { summary })
    }
    return { channel: 'news', data, idempotencyKey: `news ${hashOf(this.feed.url, item.id)}` }
  }

  private failed ({ kind, message }: FeedFault): void {
    this.failures++
    this.count(kind, 1)
    if (this.fault === kind) return
    this.fault = kind
    const fields = { source: 'news', feed: this.feed.name, fault: kind, reason: message }
    this.shared.context.logger.warn(fields, 'a news feed cannot be read; the server asks it less often')
  }

  private succeeded (event: 'read' | 'unchanged'): void {
    this.failures = 0
    this.count(event, 1)
    if (this.fault === undefined) return
    this.fault = undefined
    this.shared.context.logger.info({ source: 'news', feed: this.feed.name }, 'a news feed can be read again')
  }

  private count (event: string, times: number): void {
    if (times > 0) this.shared.options.count(this.feed.name, event, times)
  }
}

/** Reads what came. @throws FeedFault */
function parsed ({ text, url }: FetchedFeed): FeedDocument {
  try {
    return readFeed(text, url)
  } catch (error) {
    const why = wordsOf(error)
    if (error instanceof NotAFeed) throw new FeedFault('not_a_feed', `the answer is not a feed: ${why}`)
    throw new FeedFault('failed', why)
  }
}
