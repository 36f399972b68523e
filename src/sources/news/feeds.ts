import { createHash } from 'node:crypto'
import { ConfigError } from '../../config.js'

/** A feed that an operator has named. */
export interface Feed {
  readonly url: string
  /** Its address without the query, which may hold a key: for the log and the metrics. */
  readonly name: string
  /** Its symbol in the channel `news.feeds`. */
  readonly key: string
}

const MAX_FEEDS = 100
const MAX_URL = 2048
const KEY_LENGTH = 32

/**
 * Reads `NEWS_FEEDS`.
 * @throws ConfigError that says what is wrong; it shows no query
 */
export function parseFeeds (text: string): Feed[] {
  const feeds = text.split(',').map((part, index) => parseFeed(part.trim(), index + 1))
  if (feeds.length > MAX_FEEDS) {
    throw new ConfigError(`NEWS_FEEDS: at most ${MAX_FEEDS} feeds; there are ${feeds.length}`)
  }
  const doubled = feeds.find(({ url }, index) => feeds.findIndex(other => other.url === url) !== index)
  if (doubled !== undefined) throw new ConfigError(`NEWS_FEEDS: ${doubled.name} is given twice`)
  // Feeds that differ by their queries alone are told apart by a number.
  return feeds.map((feed, index) => {
    const before = feeds.slice(0, index).filter(({ name }) => name === feed.name).length
    return before === 0 ? feed : { ...feed, name: `${feed.name}#${before + 1}` }
  })
}

function parseFeed (text: string, position: number): Feed {
  const allowed = 'an address of http or https; a comma within one is written %2C'
  if (text.length > MAX_URL || !URL.canParse(text)) {
    throw new ConfigError(`NEWS_FEEDS: number ${position} is not an address: it must be ${allowed}`)
  }
  const { protocol, username, password, host, pathname, href } = new URL(text)
  if (!/^https?:$/.test(protocol)) {
    throw new ConfigError(`NEWS_FEEDS: number ${position} begins with ${protocol}: it must be ${allowed}`)
  }
  if (username !== '' || password !== '') {
    throw new ConfigError(`NEWS_FEEDS: number ${position} must not hold a name or a password`)
  }
  return { url: href, name: `${host}${pathname}`.slice(0, 128), key: hashOf(href).slice(0, KEY_LENGTH) }
}

/** Returns 256 bits in hexadecimal. */
export const hashOf = (...parts: readonly string[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex')
