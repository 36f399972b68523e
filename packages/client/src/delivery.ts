import { ClientRule } from '@tickwire/protocol/rule'
import { type ChannelKind, type Message, named, type Reset, splitTopic, topicOf } from './channels.js'
import type { ClientEvents } from './events.js'
import type { Roster } from './roster.js'
import type { Selectors } from './selectors.js'
import type { ServerMessage } from './transports/transport.js'

interface DeliveryHost {
  now: () => number
  note: (text: string) => void
  /** Opens another connection at once, from the cursor. */
  renew: (reason: string) => void
  gap: (gap: ClientEvents['gap']) => void
  /** A symbol has entered a set of a channel, or may have. */
  entered: (channel: string) => void
}

/** Gives the application each message once and in order, or a reset (PROTOCOL.md, The client's rule). */
export class Delivery {
  readonly rule = new ClientRule((topic, sequence) => { this.#wentBack.push([topic, sequence]) })
  readonly counts = { messages: 0, duplicates: 0, resets: 0, gaps: 0 }
  /** The newest message that is no snapshot: a state may be old. */
  latest: Message | undefined
  latestAt = 0
  readonly #selectors: Selectors
  readonly #roster: Roster
  readonly #kindOf: (channel: string) => ChannelKind
  readonly #host: DeliveryHost
  /** Topics that went back to an earlier sequence, because the epoch is another. */
  readonly #wentBack: Array<[topic: string, sequence: number]> = []
  /** By topic, the sequence behind the gap that is being repaired. */
  readonly #repairs = new Map<string, number>()
  /** Topics that this connection began without a position, and has brought nothing of yet. */
  #fresh = new Set<string>()

  constructor (
    selectors: Selectors, roster: Roster, kindOf: (channel: string) => ChannelKind, host: DeliveryHost
  ) {
    this.#selectors = selectors
    this.#roster = roster
    this.#kindOf = kindOf
    this.#host = host
  }

  /** A connection begins. @param fresh the topics that it does not resume */
  begin (fresh: Set<string>): void {
    this.rule.connected()
    this.#fresh = fresh
  }

  /** Applies the rule. The position moves before the application hears of a message. */
  take (message: ServerMessage): void {
    const { channel, symbol, sequence } = message as Partial<Message>
    const topic = channel === undefined ? '' : topicOf({ channel, symbol })
    const before = this.rule.lastOf(topic)
    const isFresh = sequence !== undefined && this.#fresh.delete(topic)
    const verdict = this.rule.take(message)
    if (this.#wentBack.length > 0) this.#goBack()
    switch (verdict) {
      case 'new':
        return this.#deliver(message as unknown as Message)
      case 'duplicate':
        this.counts.duplicates++
        return
      case 'reset':
        return this.reset(message as unknown as Reset)
      case 'gap':
        return this.#repair(message as unknown as Message, topic, before, isFresh)
      case 'control':
        if (message.type === 'subscribed') this.#roster.confirmed(message)
        else if (message.type === 'unsubscribed') this.#roster.left(message)
    }
  }

  /** Tells the application that messages of a topic are lost, or may be. */
  reset (reset: Reset): void {
    this.counts.resets++
    const topic = topicOf(reset)
    this.#host.note(`reset ${topic}: ${reset.reason}`)
    if (reset.sequence === undefined && this.rule.lastOf(topic) !== undefined) this.rule.forget(topic)
    this.#selectors.reset(reset)
    if (reset.reason === 'entered') this.#host.entered(reset.channel)
  }

  #deliver (message: Message): void {
    this.counts.messages++
    if (message.snapshot === undefined) [this.latest, this.latestAt] = [message, this.#host.now()]
    this.#selectors.deliver(message)
  }

  /**
   * Goes back to the cursor for what the server skipped. If the server skips that again, or the connection
   * began the topic without a position, the messages are lost.
   */
  #repair (message: Message, topic: string, before: number | undefined, isFresh: boolean): void {
    const { channel, symbol, sequence } = message
    if (isFresh || this.#repairs.get(topic) === sequence) {
      this.#repairs.delete(topic)
      this.reset({ type: 'reset', channel, ...named(symbol), reason: 'history_lost' })
      this.rule.take(message as unknown as ServerMessage)
      return this.#deliver(message)
    }
    this.counts.gaps++
    this.#repairs.set(topic, sequence)
    this.rule.goBack(topic, before)
    this.#host.note(`gap before ${topic} ${sequence}`)
    this.#host.gap({ channel, symbol, sequence })
    this.#host.renew('the server skipped messages')
  }

  /**
   * Messages that came behind the cursor may be lost. What follows in a history may have their sequences; a
   * state may hold them, so the client asks for it anew.
   */
  #goBack (): void {
    let isUnsound = false
    for (const [topic, sequence] of this.#wentBack.splice(0)) {
      const [channel, symbol] = splitTopic(topic)
      const isHistory = this.#kindOf(channel) === 'history'
      const kept = isHistory && sequence > 0 ? { sequence } : {}
      this.reset({ type: 'reset', channel, ...named(symbol), reason: 'epoch_changed', ...kept })
      if (isHistory) continue
      isUnsound = true
      for (const selector of this.#selectors.covering(channel, symbol)) selector.covered = false
    }
    if (isUnsound) this.#host.renew('the state may hold lost messages')
  }
}
