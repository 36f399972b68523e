import { ConfigError } from '../../config.js'
import { parseLazy, parseOptions } from '../source-options.js'
import type { Venue } from '../venues/venue.js'
import { LiveSource } from './live-source.js'

const NAMES = ['depth', 'lazy', 'suffix', 'url', 'rest'] as const
/** How the options are written, for the list of sources. */
export const LIVE_OPTIONS = 'depth=N&lazy=false|<seconds>&suffix=.X&url=wss://…&rest=https://…'

const SUFFIX = /^[._A-Za-z0-9-]{1,16}$/
const MAX_SYMBOLS = 2000

/**
 * Makes a live source.
 * @param rest what follows the venue's name: `:BTC-USD+ETH-USD?depth=10`
 * @throws ConfigError that says what is wrong, and what is allowed
 */
export function parseLive (venue: Venue, rest: string): LiveSource {
  const [, list = '', query = ''] = /^:([^?]*)\??(.*)$/s.exec(rest) ?? []
  const options = parseOptions(venue.name, query, NAMES)
  const text = (name: typeof NAMES[number]): string | undefined => options.get(name) ?? undefined
  const addresses = parseAddresses(venue, text('url'), text('rest'))
  return new LiveSource({
    venue,
    venueSymbols: parseSymbols(venue, list),
    suffix: parseSuffix(venue, text('suffix')),
    depth: parseDepth(venue, text('depth')),
    ...addresses,
    lingerMs: parseLazy(venue.name, text('lazy') ?? 'true')
  })
}

/** Reads symbols that are joined by `+`. @returns the venue's own @throws ConfigError */
export function parseSymbols (venue: Venue, list: string): string[] {
  const symbols = list.split('+')
  if (list === '') {
    throw new ConfigError(`SOURCES: ${venue.name} needs symbols: ${venue.name}:BTC-USD+ETH-USD`)
  }
  if (symbols.length > MAX_SYMBOLS) {
    throw new ConfigError(`SOURCES: ${venue.name} takes ${MAX_SYMBOLS} symbols at most, ` +
      `not ${symbols.length}`)
  }
  const found = symbols.map(symbol => {
    const venueSymbol = venue.venueSymbolOf(symbol)
    if (venueSymbol !== undefined) return venueSymbol
    throw new ConfigError(`SOURCES: '${symbol}' is not a symbol of ${venue.name}; ` +
      'symbols are written base, hyphen, quote, in capitals, and joined by +: BTC-USD+ETH-USD')
  })
  const doubled = symbols.find((symbol, at) => symbols.indexOf(symbol) !== at)
  if (doubled !== undefined) throw new ConfigError(`SOURCES: ${venue.name} has ${doubled} twice`)
  return found
}

function parseSuffix (venue: Venue, text: string | undefined): string {
  if (text === undefined || SUFFIX.test(text)) return text ?? ''
  throw new ConfigError(`SOURCES: ${venue.name}'s suffix is 1 to 16 letters, digits, dots, hyphens and ` +
    `underscores, such as .${venue.name.toUpperCase()}; it is '${text}'`)
}

function parseDepth ({ name, feed: { depths } }: Venue, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (depths === undefined) throw new ConfigError(`SOURCES: ${name} has whole books; leave depth out`)
  if (depths.includes(Number(text))) return Number(text)
  throw new ConfigError(`SOURCES: ${name}'s depth is one of ${depths.join(', ')}; it is '${text}'`)
}

/** Reads the addresses in place of a venue's own. @throws ConfigError */
export function parseAddresses (
  venue: Venue, url: string | undefined, rest: string | undefined
): { readonly url: string | undefined, readonly rest: string | undefined } {
  const ownUrl = parseAddress(venue, 'url', url, ['ws:', 'wss:'])
  // An address ends where the paths of the requests begin.
  const ownRest = parseAddress(venue, 'rest', rest, ['http:', 'https:'])?.replace(/\/$/, '')
  const { resync } = venue.feed
  const needsRest = resync !== undefined && 'request' in resync
  if (needsRest && ownUrl !== undefined && ownRest === undefined) {
    throw new ConfigError(`SOURCES: ${venue.name} with url= needs rest=, too: its books begin with a request`)
  }
  return { url: ownUrl, rest: ownRest }
}

/** Reads an address in place of a venue's own. @throws ConfigError */
function parseAddress (
  { name }: Venue, option: string, text: string | undefined, protocols: readonly string[]
): string | undefined {
  if (text === undefined) return undefined
  const address = URL.canParse(text) ? new URL(text) : undefined
  if (address !== undefined && (address.username !== '' || address.password !== '')) {
    throw new ConfigError(`SOURCES: ${name}'s ${option} must be an address without a name or a password ` +
      'before its host')
  }
  if (address !== undefined && protocols.includes(address.protocol) && address.hash === '') return text
  const begins = protocols.map(protocol => `${protocol}//`).join(' or ')
  // What cannot be read may hold a password or a key all the same.
  const shown = text.includes('@') ? '' : `; it is '${text.replace(/\?.*/s, '?…')}'`
  throw new ConfigError(`SOURCES: ${name}'s ${option} is an address that begins with ${begins}${shown}`)
}
