import type { OwnChannel } from './channels.js'
import type { Environment, Transport, TransportName } from './transports/transport.js'

export interface ClientOptions {
  /** The address of the server, with the prefix where the server has one: `https://example.org/live`. */
  readonly url: string | URL
  /** A token that does not change. With {@link getToken} the client gets a new one when it needs it. */
  readonly token?: string
  /** Returns a token; the client calls it before each attempt, and before a token expires. */
  readonly getToken?: () => Promise<string | undefined> | string | undefined
  /** The transports in the order in which the client prefers them; default: all that this class knows. */
  readonly transports?: ReadonlyArray<TransportName | Transport>
  /** The application's own channels, where they are subscribed to by name. */
  readonly channels?: ReadonlyArray<Pick<OwnChannel, 'name' | 'reduce'>>
  /** The cursor with which an earlier client stopped, for the subscriptions that are made at once. */
  readonly after?: string
  /** A WebSocket for surroundings that have none. */
  readonly WebSocket?: unknown
  /** What the client takes from its surroundings otherwise. */
  readonly environment?: Partial<Environment>
}

const OPTIONS = ['url', 'token', 'getToken', 'transports', 'channels', 'after', 'WebSocket', 'environment']

/** Returns the address with a slash at its end. @throws TypeError */
export function baseOf ({ url }: ClientOptions): string {
  const page = typeof location === 'object' ? location.href : undefined
  let base: URL
  try {
    base = new URL(url, page)
  } catch {
    throw new TypeError(`url is the address of a server, such as 'https://stream.example', not '${String(url)}'`)
  }
  if (!/^(?:http|ws)s?:$/.test(base.protocol)) {
    throw new TypeError(`url begins with https:, http:, wss: or ws:, not with ${base.protocol}`)
  }
  base.protocol = base.protocol.replace('ws', 'http')
  base.search = base.hash = ''
  return base.href.replace(/\/*$/, '/')
}

/** Returns the transports that a client uses. @throws TypeError */
export function transportsOf (
  { transports }: ClientOptions, known: readonly Transport[]
): readonly Transport[] {
  const chosen = (transports ?? known).map(one => {
    const found = typeof one === 'string' ? known.find(({ name }) => name === one) : one
    if (found !== undefined) return found
    const names = known.map(({ name }) => name).join(', ')
    throw new TypeError(`there is no transport '${String(one)}' here; there are: ${names}`)
  })
  if (chosen.length === 0) throw new TypeError('transports is empty; leave it out to use all')
  return chosen
}

/** @throws TypeError if an option is misspelt */
export function checkOptions (options: ClientOptions): void {
  const unknown = Object.keys(options).find(option => !OPTIONS.includes(option))
  if (unknown === undefined) return
  throw new TypeError(`there is no option '${unknown}'; there are: ${OPTIONS.join(', ')}`)
}

export function environmentOf ({ environment, WebSocket: given }: ClientOptions): Environment {
  const native = globalThis as { WebSocket?: Environment['WebSocket'] }
  return {
    fetch: globalThis.fetch.bind(globalThis),
    WebSocket: given as Environment['WebSocket'] ?? native.WebSocket,
    storage: storageHere(),
    random: Math.random,
    now: Date.now,
    ...environment
  }
}

/** A page may be denied its storage, and then even looking at it throws. */
function storageHere (): Environment['storage'] {
  try {
    return globalThis.localStorage
  } catch {
    return undefined
  }
}
