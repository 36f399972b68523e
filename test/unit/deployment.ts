import { standardChannels } from '@tickwire/protocol'
import type { Test } from 'tap'
import type { Leases } from '../../src/coordination/leases.js'
import { MemoryCoordination } from '../../src/coordination/memory/memory-coordination.js'
import type { AppendItem, Fence } from '../../src/log/log.js'
import { MemoryLog } from '../../src/log/memory/memory-log.js'
import type { Source } from '../../src/sources/source.js'
import { SourceSupervisor } from '../../src/sources/supervisor.js'

/** Several nodes in one process, with a store and a log that they share. */
export class Deployment {
  readonly store = new MemoryCoordination()
  readonly log = new MemoryLog({
    channels: standardChannels,
    retention: { messages: 10_000, seconds: 3600, bytes: 1 << 26 },
    maxTopics: 100
  })

  readonly nodes: Node[] = []
  /** In the order in which they were raised, so that a holder is known by its place. */
  readonly fences: Fence[] = []

  constructor (readonly t: Test) {
    t.teardown(async () => {
      await Promise.all(this.nodes.map(({ supervisor }) => supervisor.close()))
      await this.log.close()
      await this.store.close()
    })
  }

  node (sources: readonly Source[], leases: Leases = this.store.leases): Node {
    const node = new Node(this, `n${this.nodes.length + 1}`, sources, leases)
    this.nodes.push(node)
    return node
  }

  /** Reads what the log has of a topic: for each message the node and the place of its fence. */
  async said (symbol: string): Promise<string[]> {
    return (await this.log.read(`trades:${symbol}`, { sequence: 0 }, 10_000)).entries.map(
      ({ payload }) => JSON.parse(payload) as string
    )
  }
}

export class Node {
  readonly lines: string[] = []
  readonly introduced: string[] = []
  readonly wants = new Set<string>()
  readonly supervisor: SourceSupervisor
  fenced = 0
  private token = 0

  constructor (
    readonly deployment: Deployment, readonly name: string, sources: readonly Source[], leases: Leases
  ) {
    const { store, log } = deployment
    const { fences } = deployment
    const append = async (items: readonly AppendItem[], fence: Fence): Promise<void> => {
      await log.append(items, { fence })
    }
    this.supervisor = new SourceSupervisor(sources, {
      node: { id: name, name: `node ${name}` },
      coordination: { leases, ask: question => store.ask(question), answer: answer => store.answer(answer) },
      logger: {
        info: details => { this.lines.push(`${(details as { source: string }).source} ${(details as { state: string }).state}`) },
        warn: (_details, message) => { this.lines.push(message) },
        error: (_details, message) => { this.lines.push(message) }
      },
      firstRetryMs: 5,
      raise: async source => {
        const fence = await log.raise(source)
        this.token = fences.push(fence)
        return fence
      },
      publish: async (messages, fence) => {
        await append(
          messages.map(({ channel, symbol }) => ({
            topic: `${channel}:${symbol!}`,
            payload: JSON.stringify(`${name} ${this.token}`)
          })),
          fence
        )
        return []
      },
      declare: async () => [],
      introduce: async instruments => { this.introduced.push(...instruments.map(({ symbol }) => symbol)) },
      instrument: () => undefined,
      isWantedHere: source => this.wants.has(source),
      isWantedElsewhere: async source =>
        deployment.nodes.some(node => node !== this && node.wants.has(source)),
      isKnownElsewhere: async source =>
        deployment.nodes.some(node => node !== this && Object.hasOwn(node.states, source)),
      isAlone: async () => deployment.nodes.length === 1,
      onHeld: () => {},
      onFenced: () => { this.fenced++ }
    })
  }

  get states (): Record<string, string> {
    return Object.fromEntries(this.supervisor.status().map(({ name, state }) => [name, state]))
  }

  want (source: string, wanted: boolean): void {
    if (wanted) this.wants.add(source)
    else this.wants.delete(source)
    this.supervisor.demanded(source)
  }
}
