import { ClientRule } from '@tickwire/protocol'
import type { Message } from '../helpers/wires.js'

/** What a client holds of a topic, by the rule. */
interface Held {
  readonly first: number
  last: number
  /** Messages that followed on, the first among them. */
  count: number
}

/**
 * What a client has been sent, judged by the client's rule (PROTOCOL.md), and by what may not come twice on
 * one connection.
 */
export class Ledger {
  /** Messages of topics, of any verdict but a reset. */
  received = 0
  duplicates = 0
  /** Breaches of the protocol. */
  readonly faults: string[] = []
  /** By topic. */
  readonly held = new Map<string, Held>()
  private rule = new ClientRule()
  /** By topic, the last sequence that came on this connection, or in this answer to a poll. */
  private readonly sent = new Map<string, number>()

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
    this.held.clear()
  }

  /** Forgets a topic, or for a set all of the channel: what is not subscribed to any more (the rule, 1). */
  forget (channel: string, symbol: string): void {
    const known = [...this.held.keys()]
    const topic = `${channel}:${symbol}`
    const topics = isSet(symbol) ? known.filter(topic => topic.startsWith(`${channel}:`)) : [topic]
    for (const topic of topics) {
      this.rule.take({ type: 'reset', channel, symbol: topic.slice(channel.length + 1) })
      this.sent.delete(topic)
      this.held.delete(topic)
    }
  }

  /** @returns what the rule says of it */
  take (message: Message): ReturnType<ClientRule['take']> {
    const verdict = this.rule.take(message)
    if (verdict === 'control') return verdict
    const topic = `${message.channel}:${message.symbol}`
    if (verdict === 'reset') {
      this.sent.delete(topic)
      this.held.delete(topic)
      return verdict
    }
    const sequence = message.sequence!
    this.received++
    if (verdict === 'duplicate') this.duplicates++
    this.judge(topic, sequence, message, verdict)
    this.sent.set(topic, sequence)
    if (verdict !== 'duplicate') this.hold(topic, sequence)
    return verdict
  }

  private judge (topic: string, sequence: number, { snapshot, prev }: Message, verdict: string): void {
    const before = this.sent.get(topic)
    if (before !== undefined && (snapshot === true ? sequence < before : sequence <= before)) {
      const what = snapshot === true ? `${sequence} (snapshot)` : String(sequence)
      this.faults.push(`${topic}: ${what} came on a connection that had been sent ${before}`)
    } else if (verdict === 'gap') {
      const behind = before ?? 'what came on an earlier connection'
      this.faults.push(`${topic}: ${sequence} (prev ${prev}) leaves a gap behind ${behind} without a reset`)
    }
  }

  private hold (topic: string, sequence: number): void {
    const held = this.held.get(topic)
    if (held === undefined) this.held.set(topic, { first: sequence, last: sequence, count: 1 })
    else {
      held.last = sequence
      held.count++
    }
  }
}

/** Whether a selector stands for many symbols. */
export const isSet = (symbol: string): boolean => symbol === '*' || symbol.startsWith('@')
