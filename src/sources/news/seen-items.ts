import { newsFeeds, type NewsFeed, topicKey } from '@tickwire/protocol'
import type { Log } from '../../log/log.js'
import { type Feed, hashOf } from './feeds.js'
import type { FeedItem } from './feed-document.js'
import type { Validators } from './fetch-feed.js'

/** Marks of items that no longer stand in the feed: some feeds bring an item back. */
const MAX_MARKS = 1500
/** Of a hash: 60 bits are enough for the items of a feed. */
const MARK_LENGTH = 15
const PAGE = 500
const NEWS_TOPIC = topicKey({ channel: 'news' })

const markOf = (...parts: readonly string[]): string => hashOf(...parts).slice(0, MARK_LENGTH)

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
  /** Marks of the messages that the log retains: the server may have ended between them and the topic. */
  private readonly retained = new Set<string>()

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
        const { url = '', headline } = JSON.parse(payload) as { url?: string, headline: string }
        seen.retained.add(markOf('message', url, headline))
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
   */
  takeNew (feed: Feed, items: readonly FeedItem[]): FeedItem[] {
    const known = this.feeds.get(feed.key)!
    // Feeds exist whose items all lead to the same page: such a link tells nothing apart.
    const count = new Map<string, number>()
    for (const { link = '' } of items) count.set(link, (count.get(link) ?? 0) + 1)
    const fresh: FeedItem[] = []
    for (const item of items) {
      const own = markOf('item', feed.url, item.id)
      const { link } = item
      const page = link === undefined || count.get(link)! > 1
        ? undefined
        : markOf('page', withoutTracking(link))
      const isElsewhere = page !== undefined && this.isInAnotherFeed(page, feed.key)
      const isOld = known.marks.has(own) || isElsewhere ||
        this.retained.has(markOf('message', link ?? '', item.headline))
      // Those that stand in the feed now are the last to be forgotten.
      for (const mark of [own, page]) {
        if (mark === undefined) continue
        known.marks.delete(mark)
        known.marks.add(mark)
      }
      if (!isOld) fresh.push(item)
    }
    for (const mark of known.marks) {
      if (known.marks.size <= MAX_MARKS) break
      known.marks.delete(mark)
    }
    return fresh
  }

  /** Notes of which document a feed has been read. */
  noteRead ({ key }: Feed, { etag, lastModified }: Validators): void {
    this.feeds.get(key)!.validators = {
      ...(etag === undefined ? {} : { etag }),
      ...(lastModified === undefined ? {} : { lastModified })
    }
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

  private isInAnotherFeed (page: string, key: string): boolean {
    for (const [other, { marks }] of this.feeds) if (other !== key && marks.has(page)) return true
    return false
  }
}

function knownFrom (state: NewsFeed | undefined): KnownFeed {
  if (state === undefined) return { validators: {}, marks: new Set() }
  const { etag, last_modified: lastModified, seen } = state
  const validators = {
    ...(etag === undefined ? {} : { etag }),
    ...(lastModified === undefined ? {} : { lastModified })
  }
  return { validators, marks: new Set(seen.match(/[0-9a-f]{15}/g) ?? []) }
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
