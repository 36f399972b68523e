import type { NodeRegistry } from '../node-registry.js'

export class MemoryNodeRegistry implements NodeRegistry {
  private readonly records = new Map<string, { readonly text: string, readonly until: number }>()

  constructor (private readonly now: () => number) {}

  async register (node: string, text: string, forMs: number): Promise<void> {
    this.records.set(node, { text, until: this.now() + forMs })
  }

  async unregister (node: string): Promise<void> {
    this.records.delete(node)
  }

  async nodes (): Promise<ReadonlyMap<string, string>> {
    const now = this.now()
    for (const [node, { until }] of this.records) if (until <= now) this.records.delete(node)
    return new Map([...this.records].map(([node, { text }]) => [node, text]))
  }
}
