import { ClientRule } from '@tickwire/protocol'
import type { Message } from '../helpers/clients.js'

/** What a client has been sent, judged by the client's rule (PROTOCOL.md) and by what may not come twice on one connection. */
export class Ledger {
  received = 0
  private rule = new ClientRule()
  /** By topic, the last sequence that came on this connection, or in this answer to a poll. */
  private readonly sent = new Map<string, number>()
  /** All that was ever sent, so that what a set stood for can be forgotten. */
  private readonly seen = new Set<string>()

  /** A connection begins, or a poll is answered: it goes on from the cursor that is kept. */
  connected (): void {
    this.rule.connected()
    this.sent.clear()
  }

  cursor (): void {
    this.rule.cursor()
  }

  /** The client begins anew, without a cursor. */
  beginAnew (): void {
    this.rule = new ClientRule()
    this.sent.clear()
    this.seen.clear()
  }

  /** Forgets a topic, or for a set all topics of the channel: what is not subscribed to any more (the rule, 1). */
  forget (channel: string, symbol: string): void {
    const topics = isSet(symbol) ? [...this.seen].filter(topic => topic.startsWith(`${channel}:`)) : [`${channel}:${symbol}`]
    for (const topic of topics) {
      this.rule.take({ type: 'reset', channel, symbol: topic.slice(channel.length + 1) })
      this.sent.delete(topic)
      this.seen.delete(topic)
    }
  }

  /** @returns what is wrong with it, if anything is */
  take (message: Message): string | undefined {
    const { type, channel, symbol, sequence, snapshot } = message
    const verdict = this.rule.take(message)
    if (verdict === 'control') return undefined
    const topic = `${channel}:${symbol}`
    if (type === 'reset') {
      this.sent.delete(topic)
      return undefined
    }
    this.received++
    const before = this.sent.get(topic)
    this.sent.set(topic, sequence!)
    this.seen.add(topic)
    if (before !== undefined && (snapshot === true ? sequence! < before : sequence! <= before)) {
      return `${topic}: ${sequence}${snapshot === true ? ' (snapshot)' : ''} came on a connection that had been sent ${before}`
    }
    return verdict === 'gap' ? `${topic}: ${sequence} (prev ${message.prev}) leaves a gap behind ${before ?? 'what came on an earlier connection'} without a reset` : undefined
  }
}

/** Whether a selector stands for many symbols. */
export const isSet = (symbol: string): boolean => symbol === '*' || symbol.startsWith('@')
