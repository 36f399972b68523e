import { Client } from '../client.js'
import type { ClientOptions } from '../options.js'
import { eventStream } from '../transports/event-stream.js'
import { polling } from '../transports/polling.js'
import type { Environment, Request, Transport } from '../transports/transport.js'
import { webSocket } from '../transports/websocket.js'
import { type MakeClient, Place } from './place.js'
import { TabLink } from './tab.js'

export interface SharedTabsOptions {
  /** The transports of the connection that the tabs share, in the order in which it prefers them. */
  readonly transports?: readonly Transport[]
  /** Who the user is, where the token does not say it (cookies): tabs of different names share nothing. */
  readonly name?: string
  /** The application's own channels, as the client has them. */
  readonly channels?: ClientOptions['channels']
}

/** A tab asks a silent leader so soon for a sign of life, which costs no network. */
const PROBE_AFTER_MS = 500
/** A leader that does not answer is replaced long before this. */
const DEAD_AFTER_MS = 6000

const REAL: readonly Transport[] = [webSocket, eventStream, polling]

/**
 * Returns the transports of a client that shares its connection with all tabs of the page's origin and the
 * token's user: `new TickwireClient({ url, transports: sharedTabs() })`. Without Web Locks or
 * BroadcastChannel the tab has a connection of its own. Each client takes transports of its own.
 */
export function sharedTabs (options: SharedTabsOptions = {}): readonly Transport[] {
  const { transports = REAL } = options
  const { locks } = (globalThis as { navigator?: Partial<Navigator> }).navigator ?? {}
  // An origin that stands for itself alone has no locks, and no other tabs.
  const isAlone = (globalThis as { origin?: string }).origin === 'null'
  if (locks === undefined || typeof BroadcastChannel !== 'function' || isAlone) return transports
  const tab = new Tab(locks, options, transports)
  return [{
    name: 'tabs',
    duplex: true,
    isStream: true,
    probeAfterMs: PROBE_AFTER_MS,
    deadAfterMs: DEAD_AFTER_MS,
    open: (request, events, environment) => {
      const place = tab.placeFor(request, environment)
      const link = new TabLink(events, place)
      place.open(link)
      return link
    }
  }]
}

/** What one client shares, by server and user; a client has another place when its user changes. */
class Tab {
  readonly #locks: LockManager
  readonly #options: SharedTabsOptions
  readonly #transports: readonly Transport[]
  #place: Place | undefined

  constructor (locks: LockManager, options: SharedTabsOptions, transports: readonly Transport[]) {
    this.#locks = locks
    this.#options = options
    this.#transports = transports
  }

  placeFor (request: Request, environment: Environment): Place {
    const userOf = (token: string | undefined): string | undefined => this.#options.name ?? subjectOf(token)
    const user = userOf(request.token)
    const name = `tickwire ${request.base} ${encodeURIComponent(user ?? '')}`
    if (this.#place?.name !== name) {
      this.#place?.dispose()
      const makeClient: MakeClient = (getToken, after) =>
        new Client({
          url: request.base,
          getToken,
          environment: { ...environment, storage: ownStorage(environment) },
          ...(this.#options.channels === undefined ? {} : { channels: this.#options.channels }),
          ...(after === undefined ? {} : { after })
        }, this.#transports)
      this.#place = new Place(this.#locks, name, user, userOf, makeClient)
    }
    this.#place.getToken = request.getToken
    return this.#place
  }
}

/** The shared connection remembers by itself which transport worked. */
function ownStorage ({ storage }: Environment): Environment['storage'] {
  return storage === undefined
    ? undefined
    : {
        getItem: name => storage.getItem(`tabs:${name}`),
        setItem: (name, value) => { storage.setItem(`tabs:${name}`, value) }
      }
}

/** Returns the subject of a token. The server verifies the token; here it only keeps users apart. */
function subjectOf (token: string | undefined): string | undefined {
  if (token === undefined) return undefined
  try {
    const payload = token.split('.')[1]!.replaceAll('-', '+').replaceAll('_', '/')
    const bytes = Uint8Array.from(atob(payload), character => character.charCodeAt(0))
    return String((JSON.parse(new TextDecoder().decode(bytes)) as { sub?: unknown }).sub)
  } catch {
    return token
  }
}
