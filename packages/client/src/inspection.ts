import type { State } from './state.js'

/** How many events a client remembers. */
const MAX_EVENTS = 200

/** What a client has done, to look at. */
export interface Inspection {
  readonly state: State
  readonly connectionId: string | undefined
  /** By topic, the last sequence. */
  readonly topics: Readonly<Record<string, number>>
  readonly messages: number
  readonly duplicates: number
  readonly resets: number
  readonly gaps: number
  /** Connections that were welcomed. */
  readonly connections: number
  readonly bytes: number
  /** Milliseconds from the log to the client, of the newest message, by the server's clock. */
  readonly latencyMs: number | undefined
  /** The last events, oldest first, a line each: for a report of what went wrong. */
  readonly events: string
}

/** The last events of a client. */
export class EventLog {
  readonly #lines: string[] = []
  readonly #now: () => number
  readonly #isDebugged: boolean

  constructor (now: () => number, isDebugged: boolean) {
    this.#now = now
    this.#isDebugged = isDebugged
  }

  note (text: string): void {
    const line = `${new Date(this.#now()).toISOString()} ${text}`
    this.#lines.push(line)
    if (this.#lines.length > MAX_EVENTS) this.#lines.shift()
    if (this.#isDebugged) console.debug(`tickwire: ${line}`)
  }

  get text (): string {
    return this.#lines.join('\n')
  }
}
