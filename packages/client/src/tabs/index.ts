import { Client } from '../client.js'
import type { ClientOptions } from '../options.js'
import { eventStream } from '../transports/event-stream.js'
import { polling } from '../transports/polling.js'
import type { Environment, Request, Transport } from '../transports/transport.js'
import { webSocket } from '../transports/websocket.js'
import { Leadership, livingTabs, whenGone } from './leadership.js'
import { Relay } from './relay.js'
import { TabLink } from './tab.js'
import type { FromLeader, FromTab, Position } from './wire.js'

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
 * token's user: `new TickwireClient({ url, transports: sharedTabs() })`. Without Web Locks or BroadcastChannel
 * the tab has a connection of its own. Each client takes transports of its own.
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
      const makeClient = (getToken: () => Promise<string | undefined>, after: string | undefined): Client =>
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

/** This tab among the tabs of one server and user: its link to the leader, and the relay while it leads. */
class Place {
  readonly tab = crypto.randomUUID()
  position: Position | undefined
  newestTerm = 0
  getToken: () => Promise<string | undefined> = async () => undefined
  readonly #locks: LockManager
  readonly #makeClient: (getToken: () => Promise<string | undefined>, after: string | undefined) => Client
  readonly #leadership: Leadership
  /** A channel does not bring what it has sent itself, so the relay has one of its own. */
  #channel: BroadcastChannel | undefined
  readonly #abort = new AbortController()
  #link: TabLink | undefined
  #lastTerm = 0

  constructor (
    locks: LockManager,
    readonly name: string,
    readonly user: string | undefined,
    readonly userOf: (token: string | undefined) => string | undefined,
    makeClient: (getToken: () => Promise<string | undefined>, after: string | undefined) => Client
  ) {
    this.#locks = locks
    this.#makeClient = makeClient
    this.#leadership = new Leadership(locks, name, this.tab, () => this.#lead())
    this.#followPage()
  }

  open (link: TabLink): void {
    this.#link = link
    this.#channel ??= this.#listen()
    this.#leadership.enter().then(() => { link.join() }, () => {
      link.fail('the browser gives this page no locks')
    })
  }

  #listen (): BroadcastChannel {
    const channel = new BroadcastChannel(this.name)
    channel.onmessage = ({ data }) => {
      const message = data as FromLeader | FromTab
      if (message.to !== 'tabs') return
      if (message.kind === 'lead') this.newestTerm = Math.max(this.newestTerm, message.term)
      // A leader that did not answer for a while does not know yet that another one has followed it.
      if (message.term >= this.newestTerm) this.#link?.take(message)
    }
    return channel
  }

  closed (link: TabLink): void {
    if (this.#link !== link) return
    this.#link = undefined
    this.#leadership.leave()
  }

  post (message: FromTab): void {
    this.#channel?.postMessage(message)
  }

  seize (): void {
    this.#leadership.seize()
  }

  dispose (): void {
    this.#abort.abort()
    this.#link = undefined
    this.#putAway()
  }

  /** A page that the browser freezes or puts away holds nobody up; it comes back with its position. */
  #followPage (): void {
    const { signal } = this.#abort
    addEventListener('pagehide', () => { this.#putAway() }, { signal })
    if (typeof document !== 'object') return
    document.addEventListener('freeze', () => { this.#leadership.resign() }, { signal })
    document.addEventListener('resume', () => { this.#link?.end('the page was frozen') }, { signal })
  }

  /** An open channel would keep the browser from bringing the page back. */
  #putAway (): void {
    this.#leadership.resign()
    this.#channel?.close()
    this.#channel = undefined
  }

  #lead (): () => void {
    const channel = new BroadcastChannel(this.name)
    let relay: Relay
    const lead = (): void => {
      // Terms grow over all tabs of a machine, which have one clock.
      const term = this.#lastTerm = Math.max(Date.now(), this.#lastTerm + 1)
      relay = new Relay({
        term,
        user: this.user,
        makeClient: after => this.#makeClient(async () => await this.getToken(), after),
        post: message => { channel.postMessage({ ...message, to: 'tabs', term }) },
        livingTabs: async () => await livingTabs(this.#locks, this.name),
        whenGone: (tab, signal, onGone) => { whenGone(this.#locks, this.name, tab, signal, onGone) },
        leadAnew: () => {
          relay.stop()
          lead()
        }
      })
    }
    lead()
    channel.onmessage = ({ data }) => {
      const message = data as FromLeader | FromTab
      if (message.to === 'leader') relay.take(message)
    }
    return () => {
      relay.stop()
      channel.close()
    }
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
