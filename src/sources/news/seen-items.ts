import { type News, newsFeeds, type NewsFeed, topicKey } from '@tickwire/protocol'
import type { Log } from '../../log/log.js'
import { type Feed, hashOf } from './feeds.js'
import type { FeedItem } from './feed-document.js'
import type { Validators } from './fetch-feed.js'
import { MAX_AHEAD_MS, publishTime } from './publish-time.js'

/** Marks of items that no longer stand in the feed: some feeds bring an item back. */
const MAX_MARKS = 1500
/** Of a hash: 60 bits are enough for the items of a feed. */
const MARK_LENGTH = 15
const MARKS = new RegExp(`[0-9a-f]{${MARK_LENGTH}}`, 'g')
const PAGE = 500
const NEWS_TOPIC = topicKey({ channel: 'news' })

const markOf = (...parts: readonly string[]): string => hashOf(...parts).slice(0, MARK_LENGTH)

/** An item that no feed had before. */
export interface NewItem {
  readonly item: FeedItem
  /** Those that it was given now. */
  readonly marks: readonly string[]
}

/** What is known of a feed. */
interface KnownFeed {
  validators: Validators
  /** Marks of its items and of their links, the oldest first. */
  readonly marks: Set<string>
}

/**
 * What the feeds had already. It is kept in the log, in a topic of each feed that retention does not drop, so
 * that nothing comes twice after a restart, or when another server takes over.
 */
export class SeenItems {
  private readonly feeds = new Map<string, KnownFeed>()
  /**
   * When the messages that the log retains were published, by their marks: the server may have ended between
   * them and the topic.
   */
  private readonly retained = new Map<string, number[]>()

  private constructor () {}

  /** Reads what the log knows. @throws ProtocolError `log_unavailable` */
  static async load (log: Log, feeds: readonly Feed[]): Promise<SeenItems> {
    const seen = new SeenItems()
    for (const { key } of feeds) {
      const state = await log.snapshot(topicKey({ channel: newsFeeds.name, symbol: key }))
      seen.feeds.set(key, knownFrom(state === undefined ? undefined : JSON.parse(state.payload) as NewsFeed))
    }
    for (let sequence = 0; ;) {
      const { entries } = await log.read(NEWS_TOPIC, { sequence }, PAGE)
      for (const { payload } of entries) {
        const { url = '', headline, timestamp } = JSON.parse(payload) as News
        const mark = markOf('message', url, headline)
        seen.retained.set(mark, [...seen.retained.get(mark) ?? [], Date.parse(timestamp)])
      }
      if (entries.length < PAGE) return seen
      sequence = entries.at(-1)!.sequence
    }
  }

  /** Returns with what to ask for a feed; nothing if it must come in whole. */
  validatorsOf ({ key }: Feed): Validators {
    return this.feeds.get(key)!.validators
  }

  /**
   * Returns the items that no feed had before, and marks all of them.
   * @param items of one document
   * @param now in milliseconds since 1970
   */
  takeNew (feed: Feed, items: readonly FeedItem[], now: number): NewItem[] {
    const known = this.feeds.get(feed.key)!
    // Feeds exist whose items all lead to the same page: such a link tells nothing apart.
    const count = new Map<string, number>()
    for (const { link = '' } of items) count.set(link, (count.get(link) ?? 0) + 1)
    const fresh: NewItem[] = []
    for (const item of items) {
      const own = markOf('item', feed.url, item.id)
      const { link } = item
      const page = link === undefined || count.get(link)! > 1
        ? undefined
        : markOf('page', withoutTracking(link))
      const isElsewhere = page !== undefined && this.isInAnotherFeed(page, feed.key)
      const isOld = known.marks.has(own) || isElsewhere || this.isRetained(item, now)
      const marks: string[] = []
      for (const mark of [own, page]) {
        if (mark === undefined) continue
        // Those that stand in the feed now are the last to be forgotten.
        if (!known.marks.delete(mark)) marks.push(mark)
        known.marks.add(mark)
      }
      if (!isOld) fresh.push({ item, marks })
    }
    for (const mark of known.marks) {
      if (known.marks.size <= MAX_MARKS) break
      known.marks.delete(mark)
    }
    return fresh
  }

  /** Takes a new item for one that was never there; the feed must then come in whole again. */
  takeBack ({ key }: Feed, { marks }: NewItem): void {
    const known = this.feeds.get(key)!
    for (const mark of marks) known.marks.delete(mark)
    known.validators = {}
  }

  /** Notes of which document a feed has been read. */
  noteRead ({ key }: Feed, { etag, lastModified }: Validators): void {
    this.feeds.get(key)!.validators = { etag, lastModified }
  }

  /** Returns the message that keeps what is known of a feed. */
  stateOf (feed: Feed): NewsFeed {
    const known = this.feeds.get(feed.key)!
    const { etag, lastModified } = known.validators
    return {
      feed: feed.name,
      ...(etag === undefined ? {} : { etag }),
      ...(lastModified === undefined ? {} : { last_modified: lastModified }),
      seen: [...known.marks].join('')
    }
  }

  /** Whether the log retains a message of an item. A page may get the same headline again, days later. */
  private isRetained ({ link = '', headline, date }: FeedItem, now: number): boolean {
    const times = this.retained.get(markOf('message', link, headline))
    if (times === undefined) return false
    const time = date === undefined ? undefined : publishTime(date, now)
    // Without a date the message has the time of arrival, and with one that is yet to come nearly so.
    return time === undefined || times.some(other => Math.abs(other - time) <= MAX_AHEAD_MS)
  }

  private isInAnotherFeed (page: string, key: string): boolean {
    for (const [other, { marks }] of this.feeds) if (other !== key && marks.has(page)) return true
    return false
  }
}

function knownFrom (state: NewsFeed | undefined): KnownFeed {
  if (state === undefined) return { validators: {}, marks: new Set() }
  const { etag, last_modified: lastModified, seen } = state
  return { validators: { etag, lastModified }, marks: new Set(seen.match(MARKS) ?? []) }
}

/** An address as the same page has it in any feed. */
function withoutTracking (link: string): string {
  const url = new URL(link)
  url.hash = ''
  for (const name of [...url.searchParams.keys()]) {
    if (/^(utm_|fbclid$|gclid$|cmpid$|ref$|src$)/.test(name)) url.searchParams.delete(name)
  }
  url.searchParams.sort()
  return url.href.replace(/^http:/, 'https:')
}
