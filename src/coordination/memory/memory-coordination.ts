import { ProtocolError } from '@tickwire/protocol'
import type { Count, Coordination } from '../coordination.js'
import { MemoryLeases } from './leases.js'
import { MemoryNodeRegistry } from './node-registry.js'

/** Most texts, and most counts, that are kept. */
const MAX_KEYS = 100_000
const SWEEP_MS = 1000

interface Kept {
  readonly text: string
  readonly expiresAt: number
}

interface Window {
  count: number
  readonly endsAt: number
}

/** The coordination of a single node. It is lost when the process ends. */
export class MemoryCoordination implements Coordination {
  readonly leases: MemoryLeases
  readonly registry: MemoryNodeRegistry
  private readonly texts = new Map<string, Kept>()
  private readonly windows = new Map<string, Window>()
  private readonly answerers = new Set<(question: string) => string>()
  private readonly sweeper: NodeJS.Timeout

  constructor (private readonly now: () => number = Date.now) {
    this.leases = new MemoryLeases(now)
    this.registry = new MemoryNodeRegistry(now)
    this.sweeper = setInterval(() => { this.sweep() }, SWEEP_MS).unref()
  }

  async put (key: string, text: string, seconds: number): Promise<void> {
    if (this.texts.size >= MAX_KEYS) this.sweep()
    if (this.texts.size >= MAX_KEYS) throw new ProtocolError('overloaded')
    this.texts.set(key, { text, expiresAt: this.now() + seconds * 1000 })
  }

  async look (key: string): Promise<string | undefined> {
    return this.find(key)
  }

  async take (key: string): Promise<string | undefined> {
    const text = this.find(key)
    this.texts.delete(key)
    return text
  }

  async count (key: string, windowMs: number): Promise<Count> {
    const now = this.now()
    let window = this.windows.get(key)
    if (window === undefined || window.endsAt <= now) {
      // A client that comes by many names makes the oldest counts forgotten; it cannot make more of them
      // kept.
      if (window === undefined && this.windows.size >= MAX_KEYS) this.forgetOldestWindow()
      this.windows.set(key, window = { count: 0, endsAt: now + windowMs })
    }
    window.count++
    return { count: window.count, endsInMs: window.endsAt - now }
  }

  async ask (question: string): Promise<readonly string[]> {
    return [...this.answerers].map(answer => answer(question))
  }

  answer (answer: (question: string) => string): () => void {
    this.answerers.add(answer)
    return () => { this.answerers.delete(answer) }
  }

  async close (): Promise<void> {
    clearInterval(this.sweeper)
  }

  private forgetOldestWindow (): void {
    this.windows.delete(this.windows.keys().next().value!)
  }

  private find (key: string): string | undefined {
    const kept = this.texts.get(key)
    return kept !== undefined && kept.expiresAt > this.now() ? kept.text : undefined
  }

  private sweep (): void {
    const now = this.now()
    for (const [key, { expiresAt }] of this.texts) if (expiresAt <= now) this.texts.delete(key)
    for (const [key, { endsAt }] of this.windows) if (endsAt <= now) this.windows.delete(key)
  }
}
