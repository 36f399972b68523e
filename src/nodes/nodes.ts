import { Value } from '@sinclair/typebox/value'
import type { Log } from '../log/log.js'
import type { LeaseNote } from '../sources/leased-source.js'
import type { Lease } from '../coordination/leases.js'
import type { Coordination } from '../coordination/coordination.js'
import { NodeRecord, type NodesOverview } from './schema.js'

/** How long the nodes may take to say how far they follow the log. */
const PATIENCE_MS = 1000

const KIND = 'positions'

/** By shard, the offset up to which a node has the log; null for one that it does not follow. */
type Positions = ReadonlyArray<number | null>

/** As it is answered, in JSON. */
interface PositionsAnswer {
  readonly node: string
  readonly positions: Positions
}

/** The nodes of a deployment, as each of them sees it. */
export class Nodes {
  constructor (private readonly coordination: Coordination, private readonly log: Log, private readonly own: string) {}

  /** Has this node say how far it follows the log, when it is asked. Returns the function that ends it. */
  answerPositions (positions: () => Positions): () => void {
    return this.coordination.answer(question => {
      const { kind } = JSON.parse(question) as { readonly kind?: unknown }
      return kind === KIND ? JSON.stringify({ node: this.own, positions: positions() } satisfies PositionsAnswer) : ''
    })
  }

  /** All that are there. @throws ProtocolError `log_unavailable` */
  async all (): Promise<NodeRecord[]> {
    const records = [...(await this.coordination.registry.nodes()).values()].flatMap(text => parseRecord(text) ?? [])
    return records.sort((a, b) => a.name.localeCompare(b.name) || a.id.localeCompare(b.id))
  }

  /** Those beside this one. @throws ProtocolError `log_unavailable` */
  async others (): Promise<NodeRecord[]> {
    return (await this.all()).filter(({ id }) => id !== this.own)
  }

  /** Nodes, leases and shards, now. @throws ProtocolError `log_unavailable` */
  async overview (): Promise<NodesOverview> {
    const nodes = await this.all()
    const names = [...new Set(nodes.flatMap(({ sources }) => Object.keys(sources)))].sort()
    const leases = await Promise.all(names.map(async name => leaseOf(name, await this.coordination.leases.look(name))))
    // Asked in this order, what a node has not got of the heads is what it lags behind.
    const heads = await this.log.head()
    const positions = await this.positions()
    const lagOf = (node: string, shard: number): number | undefined => {
      const position = positions.get(node)?.[shard]
      return position === undefined || position === null ? undefined : Math.max(0, heads[shard]!.offset - position)
    }
    const shards = heads.map(({ epoch, offset }, shard) => ({
      shard,
      epoch: epoch.toString(16).padStart(8, '0'),
      offset,
      followers: nodes.flatMap(({ id }) => {
        const lag = lagOf(id, shard)
        return lag === undefined ? [] : [{ node: id, lag }]
      })
    }))
    return {
      nodes: nodes.map(node => ({
        ...node, ...(positions.has(node.id) ? { lag: heads.reduce((sum, _, shard) => sum + (lagOf(node.id, shard) ?? 0), 0) } : {})
      })),
      leases,
      shards
    }
  }

  private async positions (): Promise<ReadonlyMap<string, Positions>> {
    const answers = await this.coordination.ask(JSON.stringify({ kind: KIND }), PATIENCE_MS)
    return new Map(answers.filter(text => text !== '').map(text => {
      const { node, positions } = JSON.parse(text) as PositionsAnswer
      return [node, positions]
    }))
  }
}

/** Undefined for what another version may say. */
function parseRecord (text: string): NodeRecord | undefined {
  const record: unknown = JSON.parse(text)
  return Value.Check(NodeRecord, record) ? record : undefined
}

function leaseOf (source: string, { holder, note, switched }: Lease): NodesOverview['leases'][number] {
  const state = holder !== undefined ? 'running' as const : switched === false ? 'ended' as const : 'waiting' as const
  if (holder === undefined) return { source, state }
  const { name, token, since } = JSON.parse(note) as LeaseNote
  return { source, state, holder, name, ...(token === undefined ? {} : { token }), ...(since === undefined ? {} : { since: new Date(since).toISOString() }) }
}
