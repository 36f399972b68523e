import type { Client } from '../client.js'
import { Leadership, livingTabs, whenGone } from './leadership.js'
import { Relay } from './relay.js'
import type { TabLink } from './tab.js'
import type { FromLeader, FromTab, Position } from './wire.js'

/** For how long a leader waits for the positions of all tabs that live. */
const GATHER_MS = 1000
const MAX_GATHER_MS = 8000

/** Makes the client that has the connection. @param after the cursor from which it goes on */
export type MakeClient = (getToken: () => Promise<string | undefined>, after: string | undefined) => Client

/** This tab among the tabs of one server and user: its link to the leader, and the relay while it leads. */
export class Place {
  readonly tab = crypto.randomUUID()
  position: Position | undefined
  newestTerm = 0
  getToken: () => Promise<string | undefined> = async () => undefined
  readonly #locks: LockManager
  readonly #makeClient: MakeClient
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
    makeClient: MakeClient
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
    let gatherMs = GATHER_MS
    const lead = (): void => {
      // Terms grow over all tabs of a machine, which have one clock.
      const term = this.#lastTerm = Math.max(Date.now(), this.#lastTerm + 1)
      relay = new Relay({
        term,
        gatherMs,
        user: this.user,
        makeClient: after => this.#makeClient(async () => await this.getToken(), after),
        post: message => { channel.postMessage({ ...message, to: 'tabs', term }) },
        livingTabs: async () => await livingTabs(this.#locks, this.name),
        whenGone: (tab, signal, onGone) => { whenGone(this.#locks, this.name, tab, signal, onGone) },
        leadAnew: () => {
          relay.stop()
          // Tabs that came too late get more time.
          gatherMs = Math.min(MAX_GATHER_MS, 2 * gatherMs)
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
