import { isDeepStrictEqual } from 'node:util'
import { ClientRule } from '@tickwire/protocol'
import { dataOf, stateTopics, topics } from './topics.js'

interface Message {
  readonly type: string
  readonly channel?: string
  readonly symbol?: string
  readonly sequence?: number
  readonly snapshot?: true
  readonly data?: unknown
  readonly cursor?: string
}

/** A connection that ended, or could not be made, as its program says. */
export interface Break {
  readonly at: number
  readonly reason: string
}

/** What is shown of a message that should not be. */
const SHOWN = 160

/**
 * Judges what one client was given, by the rule of PROTOCOL.md. It reads the lines that the client's program
 * prints (test/clients/node/report.js lists the kinds of lines). The sequence of each message says what must
 * be in it.
 */
export class Judge {
  /** Connections that the library made by itself, and those that the program made with its cursor. */
  byLibrary = 0
  byProgram = 0
  duplicates = 0
  gaps = 0
  resets = 0
  /** Connections that ended, or could not be made. */
  readonly breaks: Break[] = []
  /** Milliseconds since 1970, of the newest cursor. */
  cursorAt = 0
  /** Characters of the longest text that the library handed over at once. */
  longest = 0
  readonly faults: string[] = []
  private readonly rule = new ClientRule()
  private readonly accepted = new Map<string, Set<number>>(topics.map(topic => [topic, new Set()]))
  /** What came on the present connection. */
  private readonly here = new Set<string>()
  private asked: 'start' | 'cursor' | undefined
  private wasLost = false

  constructor (private readonly isPoll: boolean) {}

  take (line: string, at: number): void {
    const space = line.indexOf(' ')
    const kind = space < 0 ? line : line.slice(0, space)
    const text = space < 0 ? '' : line.slice(space + 1)
    switch (kind) {
      case 'ask':
        this.asked = text === 'start' ? 'start' : 'cursor'
        break
      case 'message':
        this.longest = Math.max(this.longest, text.length)
        for (const message of this.parse(text)) this.takeMessage(message, at)
        break
      case 'cursor':
        if (this.isPoll && this.wasLost) this.byProgram++
        this.wasLost = false
        this.cursor(at)
        break
      case 'lost':
        this.breaks.push({ at, reason: text })
        this.wasLost = true
        break
      case 'refused':
        this.faults.push(`was refused for good: ${text}`)
        break
      default: // what a library prints by itself
    }
  }

  /** Messages that it should have been given and was not. */
  missing (before: ReadonlyMap<string, number>, published: ReadonlyMap<string, number>): number {
    let missing = 0
    for (const topic of topics) {
      // What was published before it came is its state, where the topic has one.
      const first = before.get(topic)! + (stateTopics.includes(topic) ? 0 : 1)
      for (let sequence = first; sequence <= published.get(topic)!; sequence++) {
        if (!this.accepted.get(topic)!.has(sequence)) missing++
      }
    }
    return missing
  }

  private parse (text: string): readonly Message[] {
    try {
      return [JSON.parse(text) as Message | Message[]].flat()
    } catch {
      this.faults.push(`was given what is not JSON: ${text.slice(0, SHOWN)}`)
      return []
    }
  }

  private takeMessage (message: Message, at: number): void {
    if (message.type === 'welcome') this.connected()
    const verdict = this.rule.take(message)
    if (message.cursor !== undefined) this.cursor(at)
    if (verdict === 'reset') {
      this.resets++
      this.faults.push(`was reset: ${JSON.stringify(message)}`)
    }
    if (message.type === 'error' || message.type === 'lagging') this.faults.push(`was told ${JSON.stringify(message)}`)
    if (message.sequence === undefined || message.channel === undefined) return
    const topic = message.symbol === undefined ? message.channel : `${message.channel}:${message.symbol}`
    this.takeData(topic, message.sequence, message.data, verdict)
  }

  private takeData (topic: string, sequence: number, data: unknown, verdict: string): void {
    const key = `${topic} ${sequence}`
    if (!this.isPoll && this.here.has(key)) this.faults.push(`${key} came twice on one connection`)
    this.here.add(key)
    if (verdict === 'duplicate') this.duplicates++
    if (verdict === 'gap') {
      this.gaps++
      this.faults.push(`a gap before ${key}`)
    }
    if (!isDeepStrictEqual(data, dataOf(topic, sequence))) this.faults.push(`${key} says ${JSON.stringify(data)?.slice(0, SHOWN)}`)
    this.accepted.get(topic)?.add(sequence)
  }

  private connected (): void {
    this.rule.connected()
    this.here.clear()
    if (this.asked === undefined) this.byLibrary++
    else if (this.asked === 'cursor') this.byProgram++
    this.asked = undefined
    this.wasLost = false
  }

  private cursor (at: number): void {
    this.rule.cursor()
    this.cursorAt = at
  }
}
