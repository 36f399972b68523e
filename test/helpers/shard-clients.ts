import { decodeCursor } from '@tickwire/protocol'
import { NO_EPOCH } from '../../src/log/log.js'
import type { Message } from './clients.js'

/**
 * What a client has of one topic. The clients of this file subscribe to single topics, come and go, and know
 * exactly what they must get: each message once, beginning with the one behind `subscribed`, or a reset if
 * something was lost.
 */
interface Held {
  confirmed: boolean
  /** It is unsubscribed, and that is not confirmed yet. */
  leaves: boolean
  /**
   * The topic's first message must be next: a client that lost its position in another shard gets its reset
   * before that message (PROTOCOL.md, symbol set).
   */
  isReborn: boolean
  /** The last sequence that counts. */
  last: number | undefined
  /** What was sent in this connection. */
  sent: number
  /** What was held when the cursor came that is kept; undefined where it does not cover the topic. */
  atCursor: number | undefined
  /** Nothing behind this sequence may be missing. */
  from: number | undefined
}

/** What the log was given, and what of it may be lost. */
export class Truth {
  /** By topic, the last sequence of what was published so far, whether or not it has been answered. */
  readonly given = new Map<string, number>()
  /** Shards that have lost messages. */
  readonly losing = new Set<number>()

  constructor (readonly shardOf: (topic: string) => number) {}
}

/** What one client has of its topics, and all that was against the protocol. */
export class Ledger {
  readonly held = new Map<string, Held>()
  readonly failures: string[] = []
  /**
   * The client was cut among the resets of a new epoch, and came back with the cursor that says so: all that
   * it has is reset.
   */
  standsNowhere = false
  resets = 0
  messages = 0

  constructor (private readonly name: string, private readonly truth: Truth) {}

  begin (topic: string, confirmed = false): void {
    this.held.set(topic, {
      confirmed,
      leaves: false,
      isReborn: false,
      last: undefined,
      sent: 0,
      atCursor: undefined,
      from: undefined
    })
  }

  fail (what: string): void {
    this.failures.push(`${this.name}: ${what}`)
  }

  take (message: Message): void {
    const topic = `${message.channel}:${message.symbol}`
    const held = this.held.get(topic)
    if (held === undefined) {
      this.fail(`${topic} ${message.type}, which it does not have`)
      return
    }
    if (message.type === 'reset') {
      const { truth } = this
      if (message['reason'] !== 'epoch_changed' || truth.losing.size === 0) this.fail(`${topic}: reset ${String(message['reason'])}, and nothing was lost`)
      held.isReborn = !this.standsNowhere && !truth.losing.has(truth.shardOf(topic))
      this.resets++
      const atCursor = held.atCursor === undefined ? undefined : 0
      Object.assign(held, { last: undefined, from: undefined, sent: 0, atCursor })
      return
    }
    const { sequence = 0, snapshot = false } = message
    if (held.isReborn && sequence > 1) this.fail(`${topic}: reset, and nothing was lost in its shard`)
    held.isReborn = false
    if (snapshot ? sequence < held.sent : sequence <= held.sent) this.fail(`${topic} ${sequence} after ${held.sent} on one connection`)
    held.sent = sequence
    if (held.last !== undefined && (snapshot ? sequence < held.last : sequence <= held.last)) return
    const before = held.last ?? held.from
    if (!snapshot && before !== undefined && sequence - 1 > before) this.fail(`${topic}: ${sequence} after ${held.last ?? `all up to ${before}`}`)
    held.last = sequence
    held.from = undefined
    this.messages++
  }

  /** PROTOCOL.md, The client's rule, 5. */
  goBack (): void {
    for (const held of this.held.values()) {
      const sure = Math.max(held.sent, held.atCursor ?? 0)
      if (held.last !== undefined && sure < held.last) held.last = sure === 0 ? undefined : sure
    }
  }

  /** What it should have and does not. */
  missing (): string[] {
    const missing: string[] = []
    for (const [topic, { confirmed, last, from }] of this.held) {
      const given = this.truth.given.get(topic) ?? 0
      const lacks = last === undefined ? from !== undefined && given > from : last !== given
      if (lacks || !confirmed) missing.push(`${this.name}: ${topic}: it has ${last ?? `nothing behind ${from}`}, the log ${given}`)
    }
    return missing
  }
}

/** A connection as the client uses it. */
export interface Wire {
  say (message: object): void
  cut (): void
}

export type Connect = (onMessage: (message: Message) => void) => Wire

/** A client that subscribes to single topics, is cut, and comes back for all that it has. */
export class ShardClient {
  readonly ledger: Ledger
  refused = 0
  private wire: Wire | undefined
  private readonly asked = new Map<number, {
    readonly topics: readonly string[]
    readonly after: string | undefined
  }>()

  private ids = 0
  private cursor: string | undefined
  private epoch: unknown

  constructor (name: string, private readonly truth: Truth) {
    this.ledger = new Ledger(name, truth)
  }

  open (connect: Connect): void {
    if (this.wire !== undefined) return
    // Those of an earlier connection are not answered any more.
    this.asked.clear()
    let isCut = false
    const wire = connect(message => { if (!isCut) this.take(message) })
    this.wire = { ...wire, cut: () => { isCut = true; wire.cut() } }
    this.ledger.standsNowhere = this.cursor !== undefined &&
      [...decodeCursor(this.cursor)!.shards.values()].every(({ epoch }) => epoch === NO_EPOCH)
    const covered = [...this.ledger.held]
      .filter(([, { atCursor }]) => atCursor !== undefined)
      .map(([topic]) => topic)
    for (const held of this.ledger.held.values()) {
      Object.assign(held, { sent: 0, confirmed: false, leaves: false })
    }
    if (covered.length > 0) this.ask(covered, this.cursor)
    this.ask([...this.ledger.held.keys()].filter(topic => !covered.includes(topic)), undefined)
  }

  close (): void {
    this.wire?.cut()
    this.wire = undefined
  }

  subscribe (topic: string): void {
    if (this.wire === undefined || this.ledger.held.has(topic)) return
    this.ledger.begin(topic)
    this.ask([topic], undefined)
  }

  unsubscribe (topic: string): void {
    const [channel, symbol] = topic.split(':')
    const held = this.ledger.held.get(topic)
    if (held?.confirmed !== true || held.leaves) return
    held.leaves = true
    this.wire?.say({ action: 'unsubscribe', channel, symbols: [symbol] })
  }

  private ask (topics: readonly string[], after: string | undefined): void {
    for (const channel of new Set(topics.map(topic => topic.split(':')[0]))) {
      const own = topics.filter(topic => topic.startsWith(`${channel}:`))
      if (own.length === 0) continue
      if (after === undefined) {
        const anew = { last: undefined, from: undefined, atCursor: undefined }
        for (const topic of own) Object.assign(this.ledger.held.get(topic)!, anew)
      }
      this.asked.set(++this.ids, { topics: own, after })
      this.wire?.say({ action: 'subscribe', id: this.ids, channel, symbols: own.map(topic => topic.split(':')[1]), ...(after === undefined ? {} : { after }) })
    }
  }

  private take (message: Message): void {
    const { held } = this.ledger
    switch (message.type) {
      case 'welcome':
      case 'lagging': return
      case 'cursor': {
        this.cursor = message['cursor'] as string
        for (const [topic, one] of held) {
          if (!one.confirmed) continue
          if (!decodeCursor(this.cursor)!.shards.has(this.truth.shardOf(topic))) this.ledger.fail(`${topic} is not in its cursor`)
          one.atCursor = Math.max(one.sent, one.atCursor ?? 0)
        }
        return
      }
      case 'epoch': this.enter(message['epoch']); return
      case 'subscribed': {
        this.enter(message['epoch'])
        const { topics, after } = this.asked.get(message['id'] as number)!
        for (const topic of topics) {
          const from = after === undefined ? { from: this.truth.given.get(topic) ?? 0 } : {}
          Object.assign(held.get(topic)!, { confirmed: true, ...from })
        }
        return
      }
      case 'unsubscribed': held.delete(`${message.channel}:${(message['symbols'] as string[])[0]}`); return
      case 'error': {
        // The shard could not be woken: the client asks again.
        const { topics, after } = this.asked.get(message['id'] as number) ?? { topics: [], after: undefined }
        if (message['code'] !== 'log_unavailable' || topics.length === 0) this.ledger.fail(JSON.stringify(message))
        this.refused++
        this.ask(topics, after)
        return
      }
      case 'closing': this.ledger.fail(JSON.stringify(message)); return
    }
    this.ledger.take(message)
  }

  private enter (epoch: unknown): void {
    if (this.epoch !== undefined && this.epoch !== epoch) this.ledger.goBack()
    this.epoch = epoch
  }
}
