import type { Coordination, Count } from '../coordination/coordination.js'
import type { Hold, Lease, Leases } from '../coordination/leases.js'
import { MemoryCoordination } from '../coordination/memory/memory-coordination.js'
import type { NodeRegistry } from '../coordination/node-registry.js'
import type { LocalLink } from './local-link.js'

type Ask = <Answer>(method: string, ...args: readonly unknown[]) => Promise<Answer>

/** The coordination that another process of this server holds (ADR 64). */
export class LocalCoordination implements Coordination {
  readonly leases: Leases
  readonly registry: NodeRegistry
  private readonly answerers = new Set<(question: string) => string>()
  private readonly own = new MemoryCoordination()

  constructor (private readonly link: LocalLink) {
    const ask: Ask = async (method, ...args) => JSON.parse(await link.call(method, ...args) || 'null')
    this.leases = new LocalLeases(ask)
    this.registry = new LocalRegistry(ask)
    link.onQuestion = question => [...this.answerers].map(answer => answer(question))
  }

  async put (key: string, text: string, seconds: number): Promise<void> {
    await this.link.call('put', key, text, seconds)
  }

  async look (key: string): Promise<string | undefined> {
    return JSON.parse(await this.link.call('look', key)) as string | null ?? undefined
  }

  async take (key: string): Promise<string | undefined> {
    return JSON.parse(await this.link.call('take', key)) as string | null ?? undefined
  }

  async count (key: string, windowMs: number): Promise<Count> {
    // Counts here, too: if the other process cannot be reached, a client does not begin at 0 again.
    const own = await this.own.count(key, windowMs)
    try {
      return JSON.parse(await this.link.call('count', key, windowMs)) as Count
    } catch {
      return own
    }
  }

  async ask (question: string, withinMs: number): Promise<readonly string[]> {
    return await this.link.ask(question, withinMs)
  }

  answer (answer: (question: string) => string): () => void {
    this.answerers.add(answer)
    return () => { this.answerers.delete(answer) }
  }

  async close (): Promise<void> {
    await this.own.close()
    this.link.close()
  }
}

class LocalLeases implements Leases {
  constructor (private readonly ask: Ask) {}

  async hold (name: string, hold: Hold): Promise<Lease> {
    return leaseOf(await this.ask<Lease>('hold', name, hold))
  }

  async look (name: string): Promise<Lease> {
    return leaseOf(await this.ask<Lease>('lookAtLease', name))
  }

  async release (name: string, node: string, off: boolean): Promise<void> {
    await this.ask('release', name, node, off)
  }

  async turn (name: string, on: boolean | undefined): Promise<void> {
    await this.ask('turn', name, on)
  }
}

/** JSON leaves out what is undefined. */
const leaseOf = ({ holder, note, switched }: Lease): Lease => ({ holder, note, switched })

class LocalRegistry implements NodeRegistry {
  constructor (private readonly ask: Ask) {}

  async register (node: string, text: string, forMs: number): Promise<void> {
    await this.ask('register', node, text, forMs)
  }

  async unregister (node: string): Promise<void> {
    await this.ask('unregister', node)
  }

  async nodes (): Promise<ReadonlyMap<string, string>> {
    return new Map(await this.ask<Array<[string, string]>>('nodes'))
  }
}
