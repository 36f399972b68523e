import { type Hold, type Lease, type Leases, SWITCH_KEPT_SECONDS } from '../leases.js'

interface Kept {
  holder: string | undefined
  note: string
  /** In milliseconds since 1970, as `switchedUntil`. */
  heldUntil: number
  switched: boolean | undefined
  switchedUntil: number
}

/** Leases within a process, one for each of its sources and processors: they are few, and never forgotten. */
export class MemoryLeases implements Leases {
  private readonly leases = new Map<string, Kept>()

  constructor (private readonly now: () => number) {}

  async hold (name: string, { node, note, forMs, byDefault }: Hold): Promise<Lease> {
    const kept = this.at(name)
    const mayHold = (kept.switched ?? byDefault) && (kept.holder ?? node) === node
    if (mayHold) Object.assign(kept, { holder: node, note, heldUntil: this.now() + forMs })
    return shown(kept)
  }

  async look (name: string): Promise<Lease> {
    return shown(this.at(name))
  }

  async release (name: string, node: string, off: boolean): Promise<void> {
    const kept = this.at(name)
    if (kept.holder !== node) return
    Object.assign(kept, { holder: undefined, note: '' })
    if (off) await this.turn(name, false)
  }

  async turn (name: string, on: boolean | undefined): Promise<void> {
    Object.assign(this.at(name), { switched: on, switchedUntil: this.now() + SWITCH_KEPT_SECONDS * 1000 })
  }

  /**
   * Returns a lease as it is now. As on Redis, that keeps its switch for another {@link SWITCH_KEPT_SECONDS}.
   */
  private at (name: string): Kept {
    const now = this.now()
    let kept = this.leases.get(name)
    if (kept === undefined) {
      kept = { holder: undefined, note: '', heldUntil: 0, switched: undefined, switchedUntil: 0 }
      this.leases.set(name, kept)
    }
    const isOver = kept.holder !== undefined && kept.heldUntil <= now
    if (isOver) Object.assign(kept, { holder: undefined, note: '' })
    if (kept.switchedUntil <= now) kept.switched = undefined
    else kept.switchedUntil = now + SWITCH_KEPT_SECONDS * 1000
    return kept
  }
}

const shown = ({ holder, note, switched }: Kept): Lease => ({ holder, note, switched })
