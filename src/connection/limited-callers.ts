/** Callers that are remembered; beyond that the one that was limited longest ago goes. */
const MAX_CALLERS = 10_000

/** The window of a limit of how many there may be at a time. */
export const AT_A_TIME = 0

/** What a caller had too much of. */
export type LimitKind = 'requests' | 'messages' | 'connections' | 'orders'

/** How often somebody was limited. */
export interface LimitedCaller {
  readonly kind: LimitKind
  /** `user` or `address`, and which: never a token. */
  readonly keyKind: 'user' | 'address'
  readonly key: string
  readonly max: number
  /** {@link AT_A_TIME}, or the time in which at most `max` are allowed. */
  readonly windowMs: number
  /** When counting began, and when it was counted last, in milliseconds since 1970. */
  readonly since: number
  readonly lastAt: number
  readonly count: number
}

/** Counts who was limited, and by what, for operators. */
export class LimitedCallers {
  private readonly callers = new Map<string, LimitedCaller>()
  /** Those that have been counted since they were last taken. */
  private changed = new Set<string>()

  constructor (private readonly now: () => number = Date.now) {}

  /** @param caller as `callerOf` names it: `user alice`, or `address 192.0.2.1` */
  note (kind: LimitKind, caller: string, max: number, windowMs: number): void {
    const name = `${kind} ${caller}`
    const known = this.callers.get(name)
    const now = this.now()
    const space = caller.indexOf(' ')
    this.callers.delete(name)
    this.callers.set(name, {
      kind,
      keyKind: caller.slice(0, space) === 'user' ? 'user' : 'address',
      key: caller.slice(space + 1),
      max,
      windowMs,
      since: known?.since ?? now,
      lastAt: now,
      count: (known?.count ?? 0) + 1
    })
    this.changed.add(name)
    if (this.callers.size <= MAX_CALLERS) return
    const oldest = this.callers.keys().next().value!
    this.callers.delete(oldest)
    this.changed.delete(oldest)
  }

  /** Returns those that were limited since the last call. */
  take (): readonly LimitedCaller[] {
    const { changed } = this
    this.changed = new Set()
    return [...changed].map(name => this.callers.get(name)!)
  }
}
