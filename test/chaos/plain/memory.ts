import type { DriverEvent } from '../events.js'
import { topicOf } from '../events.js'
import type { Message } from '../../helpers/wires.js'
import type { Broken } from './broken.js'

const HISTORIES = new Set(['trades', 'news'])
/** A broken client spoils one message in so many. */
const SPOILS_EVERY = 97

/** What its client does about a message. */
export type Consequence = 'go on' | 'reconnect' | 'begin states anew'

/** What a plain client knows of its topics: the rule of PROTOCOL.md, and what the application is told. */
export class Memory {
  private readonly last = new Map<string, number>()
  /** By topic, the last sequence when the cursor came. */
  private readonly atCursor = new Map<string, number>()
  /** By topic, what this connection has sent since the cursor; 0: nothing stays. */
  private readonly here = new Map<string, number>()
  private epoch: string | undefined
  private lastGap = ''
  private taken = 0

  constructor (
    private readonly tell: (event: DriverEvent) => void, private readonly broken: ReadonlySet<Broken>
  ) {}

  /** Whether messages came after the cursor. */
  get isAhead (): boolean {
    return [...this.last].some(([topic, last]) => last > (this.atCursor.get(topic) ?? 0))
  }

  connected (): void {
    this.here.clear()
  }

  cursor (): void {
    for (const [topic, sequence] of this.here) this.atCursor.set(topic, sequence)
    this.here.clear()
  }

  /** As a client that begins anew without telling anybody. */
  forgetAll (): void {
    this.last.clear()
    this.atCursor.clear()
    this.here.clear()
  }

  tellResets (): void {
    for (const topic of [...this.last.keys()]) this.lose(topic, 'alarm')
  }

  /** The client goes back for each topic, if messages behind its cursor may be of a lost epoch (rule 5). */
  enterEpoch (epoch: string | undefined): Consequence {
    const before = this.epoch
    this.epoch = epoch
    if (before === undefined || before === epoch || this.broken.has('trusting')) return 'go on'
    let consequence: Consequence = 'go on'
    for (const [topic, last] of [...this.last]) {
      const sure = this.here.get(topic) ?? this.atCursor.get(topic) ?? 0
      if (sure >= last) continue
      if (HISTORIES.has(topic.split(':')[0]!)) {
        this.tellReset(topic, 'epoch_changed', sure)
        this.last.set(topic, sure)
        if (sure === 0) this.last.delete(topic)
      } else {
        this.lose(topic, 'epoch_changed')
        consequence = 'begin states anew'
      }
    }
    return consequence
  }

  take (message: Message): Consequence {
    const { type, channel, symbol, sequence, snapshot, prev, data } = message
    const topic = topicOf({ channel: channel!, ...symbol === undefined ? {} : { symbol } })
    if (type === 'reset') {
      if (this.broken.has('silent')) this.last.delete(topic)
      else this.lose(topic, String(message['reason']))
      this.here.set(topic, 0)
      return 'go on'
    }
    if (sequence === undefined) return 'go on'
    const last = this.last.get(topic)
    if (last !== undefined && (snapshot ? sequence < last : sequence <= last)) {
      this.here.set(topic, sequence)
      return 'go on'
    }
    if (last !== undefined && !snapshot && (prev ?? sequence - 1) > last) {
      const gap = `${topic} ${last} ${sequence}`
      if (this.lastGap !== gap) {
        this.lastGap = gap
        this.tell({ event: 'gap', ...named(topic), sequence })
        return 'reconnect'
      }
      this.lose(topic, 'history_lost')
    }
    this.here.set(topic, sequence)
    this.last.set(topic, sequence)
    const given: DriverEvent = { event: 'message', ...named(topic), sequence, ...snapshot ? { snapshot } : {}, ...prev === undefined ? {} : { prev }, data }
    const isSpoiled = ++this.taken % SPOILS_EVERY === 0
    if (isSpoiled && this.broken.has('drop')) return 'go on'
    this.tell(given)
    if (isSpoiled && this.broken.has('double')) this.tell(given)
    return 'go on'
  }

  private lose (topic: string, reason: string): void {
    if (!this.last.delete(topic)) return
    this.tellReset(topic, reason)
  }

  private tellReset (topic: string, reason: string, sequence?: number): void {
    this.tell({ event: 'reset', ...named(topic), reason, ...sequence === undefined ? {} : { sequence } })
  }
}

function named (topic: string): { channel: string, symbol?: string } {
  const [channel, symbol] = topic.split(':')
  return { channel: channel!, ...symbol === undefined ? {} : { symbol } }
}
