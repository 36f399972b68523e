import type { End, Link, LinkEvents, ServerMessage } from '../transports/transport.js'
import {
  covers, type DistributiveOmit, type FromLeader, type FromTab, type Position, type UnsubscribeAction
} from './wire.js'

/** How long a leader may take to answer a ping, before another tab takes the lead from it. */
const ANSWER_MS = 1000
/** A random part of this comes on top, so that not all tabs do so at once. */
const SPREAD_MS = 300

export interface TabHost {
  readonly tab: string
  /** The user of the channel, by the token. */
  readonly user: string | undefined
  readonly userOf: (token: string | undefined) => string | undefined
  /** Where the client of this tab stands. */
  position: Position | undefined
  post: (message: FromTab) => void
  /** Takes the lead, because the leader does not answer. */
  seize: () => void
  closed: (link: TabLink) => void
}

/** The symbols of a channel that the leader has granted to this tab. */
type Granted = Map<string, Set<string | undefined>>

/** One connection of this tab's client to the leader. */
export class TabLink implements Link {
  readonly #host: TabHost
  readonly #events: LinkEvents
  readonly #name = crypto.randomUUID()
  /** The term of the leader that has welcomed this link. */
  #term: number | undefined
  readonly #granted: Granted = new Map()
  /** By id, what the leader has not answered yet. */
  readonly #asked = new Set<unknown>()
  #timer: ReturnType<typeof setTimeout> | undefined
  #isJoined = false
  #over = false

  constructor (events: LinkEvents, host: TabHost) {
    this.#events = events
    this.#host = host
  }

  /** Asks whoever leads to be welcomed. */
  join (): void {
    if (this.#over) return
    this.#isJoined = true
    this.#post({ kind: 'join', position: this.#host.position })
    this.#watch()
  }

  send (action: object): void {
    const { action: name, id, token } = action as { action: string, id?: unknown, token?: string }
    if (name === 'auth') {
      // The token of another user belongs to another channel.
      if (this.#host.userOf(token) !== this.#host.user) this.end('the user changed')
      return
    }
    if (name === 'unsubscribe') {
      const { channel, symbols } = action as UnsubscribeAction
      for (const symbol of symbols ?? [undefined]) this.#granted.get(channel)?.delete(symbol)
      const answer = { type: 'unsubscribed', channel, symbols }
      queueMicrotask(() => { if (!this.#over) this.#events.onMessage(answer) })
    } else if (name === 'subscribe') this.#asked.add(id)
    this.#post({ kind: 'act', action: action as UnsubscribeAction })
  }

  probe (): void {
    this.#post({ kind: 'ping' })
    this.#watch()
  }

  close (): void {
    if (this.#over) return
    this.#over = true
    clearTimeout(this.#timer)
    this.#post({ kind: 'leave' })
    this.#host.closed(this)
  }

  /** Ends the link; the client opens the next one at once. */
  end (reason: string): void {
    this.#end({ reason, isHandedOver: true })
  }

  /** Ends the link, for which nobody can do anything now. */
  fail (reason: string): void {
    this.#end({ reason })
  }

  take (message: FromLeader): void {
    if (this.#over || !this.#isJoined) return
    if (message.kind === 'lead') {
      if (this.#term !== undefined) this.end('another tab leads')
      else this.join()
      return
    }
    if (message.kind === 'give') {
      const isOurs = message.link === this.#name && (this.#term ?? message.term) === message.term
      if (isOurs) this.#given(message.term, message.messages)
      return
    }
    if (message.term !== this.#term) return
    this.#alive()
    switch (message.kind) {
      case 'tell':
        for (const item of message.items) this.#told(item as unknown as ServerMessage)
        return
      case 'state':
        return this.#events.onState(message.name, message.reason)
      case 'end':
        return this.#end(message.end)
      case 'alive':
    }
  }

  #given (term: number, messages: readonly ServerMessage[]): void {
    this.#term = term
    this.#alive()
    for (const message of messages) {
      if (this.#over) return
      if (message.type === 'subscribed') this.#grant(message)
      if (message.type === 'error') this.#asked.delete(message['id'])
      if (message.type === 'heartbeat') this.#told(message)
      else this.#events.onMessage(message)
    }
  }

  #grant ({ id, channel, symbols }: ServerMessage): void {
    this.#asked.delete(id)
    const granted = this.#granted.get(String(channel)) ?? new Set()
    this.#granted.set(String(channel), granted)
    for (const symbol of symbols as string[] | undefined ?? [undefined]) granted.add(symbol)
  }

  #told (item: ServerMessage): void {
    if (this.#over) return
    if (item.type === 'heartbeat') {
      // It covers what the tab still has to be given.
      if (this.#asked.size > 0) return
      const { cursor, number } = item as unknown as Position
      this.#host.position = { term: this.#term!, number, cursor }
    } else if (item.type !== 'epoch' && !this.#reads(item)) return
    this.#events.onMessage(item)
  }

  #reads ({ channel, symbol }: ServerMessage): boolean {
    const granted = this.#granted.get(String(channel))
    if (granted === undefined) return false
    if (granted.has(symbol as string | undefined)) return true
    for (const selector of granted) if (covers(selector, symbol as string | undefined)) return true
    return false
  }

  #alive (): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#events.onLife(0)
  }

  #watch (): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#host.seize()
    }, ANSWER_MS + Math.random() * SPREAD_MS)
  }

  #end (end: End): void {
    if (this.#over) return
    this.close()
    this.#events.onEnd(end)
  }

  #post (message: DistributiveOmit<FromTab, 'to' | 'tab' | 'link'>): void {
    this.#host.post({ ...message, to: 'leader', tab: this.#host.tab, link: this.#name } as FromTab)
  }
}
