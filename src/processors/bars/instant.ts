import { instantMs } from '@tickwire/protocol'

/** Length of `YYYY-MM-DDTHH:MM:SS`. */
const SECONDS_END = 19

export interface Instant {
  /** Milliseconds since 1970. */
  readonly ms: number
  /** Nanoseconds beyond them, 0 to 999,999. */
  readonly nanos: number
}

/**
 * Reads instants as the protocol has them. Trades come many in a second, and reading a date costs more than
 * all else that is done with a trade; so it remembers the second that it read last.
 */
export class InstantReader {
  private second = ''
  private zone = ''
  private base = 0

  /** @param text matches `Timestamp` of the protocol */
  read (text: string): Instant {
    const second = text.slice(0, SECONDS_END)
    const isFraction = text.charCodeAt(SECONDS_END) === 0x2e
    let end = SECONDS_END
    if (isFraction) {
      end++
      while (text.charCodeAt(end) >= 0x30 && text.charCodeAt(end) <= 0x39) end++
    }
    const zone = text.slice(end)
    if (second !== this.second || zone !== this.zone) {
      this.second = second
      this.zone = zone
      this.base = instantMs(second + zone)
    }
    // A leap second counts as the start of the next one.
    if (!isFraction || second.endsWith('60')) return { ms: this.base, nanos: 0 }
    const fraction = Number(text.slice(SECONDS_END + 1, end).padEnd(9, '0'))
    return { ms: this.base + Math.trunc(fraction / 1_000_000), nanos: fraction % 1_000_000 }
  }
}

/** Writes the start of a bar. @param ms whole seconds */
export const formatStart = (ms: number): string => `${new Date(ms).toISOString().slice(0, SECONDS_END)}Z`
